"""Text that is written as YAML is read as the same."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from conformance.yaml.limits import Limits
from conformance.yaml.problems import Faults
from conformance.yaml.tree import parse, plain
from conformance.yaml.writing import MAX_LINE_COLUMNS, listed

NAMES = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=30)


@given(
    st.lists(
        NAMES | st.sampled_from(["null", "True", "a: b", "x[y,z]", "*", "-", "1e5", "torch:compile"]),
        max_size=12,
    )
)
def test_names_are_read_as_they_were(names: list[str]) -> None:
    lines = listed("names: ", names)
    faults = Faults("f")
    root = parse("\n".join(lines).encode(), Limits(), faults)
    assert faults.lines() == []
    assert root is not None
    assert plain(root) == {"names": names}


def test_lines_are_of_bounded_length() -> None:
    lines = listed("    names: ", [f"a-name-of-some-length-{index}" for index in range(30)])
    assert max(map(len, lines)) <= MAX_LINE_COLUMNS
    assert len(lines) > 5
