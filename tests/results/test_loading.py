"""Runs of others are data: whatever they hold, comparing them is an answer or one line, and never a fault."""

from __future__ import annotations

import io
import json
import re
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console
from runs import check, run

from conformance import diff, load
from conformance.adapters import protocol
from conformance.comparison.files import terminal
from conformance.errors import RunError
from conformance.report.code_scanning.annotations import commands
from conformance.report.frames import light
from conformance.results.observation_store import Observations, changed_most, split

ASKED = ("one", "float32", "functional")


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    """A stored run, beside a like one in `before`."""
    for name, error in (("before", 0.25), ("run", 0.75)):
        run([check(ulp_error=error, bits=name)]).save(tmp_path / name)
    return tmp_path / "run"


def refused(folder: Path) -> str:
    """The one line that loading and comparing a run lead to."""
    with pytest.raises(RunError) as caught:
        diff(folder.parent / "before", folder)
    with pytest.raises(RunError) as again:
        load(folder)
    assert str(again.value) == str(caught.value)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_run_is_one_line(stored: Path) -> None:
    """Its text names how many checks it has of whom, and where it lies; no frame is printed."""
    (subject,) = set(load(stored).frame["subject"])
    assert repr(load(stored)) == f"<Run: 1 checks of {subject}, 0 discrepancies in {stored}>"


def test_a_run_of_an_earlier_version_has_no_invariance(stored: Path) -> None:
    (stored / "invariance.csv").unlink()
    assert load(stored).invariance().empty


class TestEnvironment:
    def test_the_conditions_of_known_deviations_keep_their_whole_reasons(self, stored: Path) -> None:
        """The page joins them with the column `known`: none may be cut as a name is."""
        path, reason = stored / "run.json", "the reason " * 40
        environment = json.loads(path.read_text())
        path.write_text(json.dumps({**environment, "kernel_deviations": {reason: "kernels onednn"}}))
        assert load(stored).environment["kernel_deviations"] == {reason: "kernels onednn"}

    @pytest.mark.parametrize(
        ("place", "value", "message"),
        [
            ((), [], "run.json: Input should be a valid dictionary"),
            (("subjects",), [], "run.json: subjects: Input should be a valid dictionary"),
            (("subjects", "torch"), "x", "run.json: subjects.torch: Input should be a valid dictionary"),
            (("settings", "paths"), [1], "run.json: settings.paths.0: Input should be a valid string"),
            (("hardware",), 7, "run.json: hardware: Input should be a valid dictionary"),
            (("seconds",), "long", "run.json: seconds: Input should be a valid number"),
            (("unsteady",), {"torch": "often"}, "run.json: unsteady.torch: Input should be a valid integer"),
        ],
    )
    def test_other_types_are_named(
        self, stored: Path, place: tuple[str, ...], value: Any, message: str
    ) -> None:
        document: Any = {"": json.loads((stored / "run.json").read_text())}
        inner, way = document, ["", *place]
        for key in way[:-1]:
            inner = inner[key]
        inner[way[-1]] = value
        (stored / "run.json").write_text(json.dumps(document[""]))
        assert message in refused(stored)

    @pytest.mark.parametrize("text", ["", "{", "[" * 100_000, "\udcff", "null"])
    def test_no_json(self, stored: Path, text: str) -> None:
        (stored / "run.json").write_bytes(text.encode("utf-8", "surrogateescape"))
        assert "this run cannot be read (run.json: " in refused(stored)

    def test_texts_obey_no_terminal(self, stored: Path) -> None:
        about = json.loads((stored / "run.json").read_text())
        about["subjects"]["torch"] |= {"version": "1\x1b[2J", "hardware": {"cpu": "\x00", "flags": [[], "a"]}}
        (stored / "run.json").write_text(json.dumps(about))
        assert load(stored).environment["subjects"]["torch"]["version"] == "1\\x1b[2J"
        assert "\x1b" not in "".join(diff(stored.parent / "before", stored).warnings)


class TestTables:
    @pytest.mark.parametrize(
        ("change", "message"),
        [
            (lambda text: text + text.replace(",", ",,", 2), "columns, got 30"),
            (lambda text: text.replace("case,", "", 1), "results.csv: CSV parse error: Row #"),
            (lambda text: text.replace("case,", "", 1).replace("cross", "\x1b[1m"), '"\\x1b[1m'),
            (lambda text: text.replace("0.75", "three quarters"), "Failed to parse string: 'three quarters'"),
            (lambda text: "", "Empty CSV file"),
            (lambda text: text.replace("cross", "\udcff"), "invalid UTF8 data"),
        ],
    )
    def test_what_is_no_table(self, stored: Path, change: Callable[[str], str], message: str) -> None:
        changed = change((stored / "results.csv").read_text())
        (stored / "results.csv").write_bytes(changed.encode("utf-8", "surrogateescape"))
        assert message in refused(stored)


class TestDigits:
    """The digits of a stranger's results are texts as any other."""

    def test_nothing_moves_a_cursor(self, stored: Path) -> None:
        """Neither in a difference's files, nor in the terminal, nor in the annotations of a CI log."""
        odd = {"observed": "\x1b[1m7", "exact": "\x1b]0;owned\x07", "worst_index": "[\x1b[31m0]"}
        run([check("wrong", 1e9, **odd)]).save(stored)
        difference = diff(stored.parent / "before", stored)
        difference.save(stored.parent / "diff")
        terminal(difference, Console(file=(shown := io.StringIO()), width=200))
        texts = [*commands(light(load(stored).frame)), shown.getvalue()]
        texts += [(stored.parent / "diff" / name).read_text() for name in ("diff.md", "diff.html")]
        assert difference.counts()["regressed"] == 1
        assert "owned" in texts[0]
        assert [text for text in texts if re.search("[\x07\x1b]", text)] == []


def answer(value: np.ndarray[Any, Any], dtype: str = "float32", **more: Any) -> bytes:
    """An answer's frame in a run's record."""
    header = {"kind": "answer", "subject": "torch", "request": "one[float32-functional]", **more}
    return protocol.pack(
        {**header, "arrays": [{"name": "value", "dtype": dtype}]}, protocol.body_of([np.asarray(value)])
    )


class TestObservations:
    GOOD = answer(np.float32([1, 2]))

    @pytest.mark.parametrize(
        "behind",
        [
            b"CFM1",
            b"CFM2" + bytes(12),
            struct.pack("<4sIQ", b"CFM1", 3, 0) + b"{,}",
            struct.pack("<4sIQ", b"CFM1", 2, 0) + b"\xff\xfe",
            struct.pack("<4sIQ", b"CFM1", 2, 0) + b"[]",
            struct.pack("<4sIQ", b"CFM1", 10**5, 0) + b"[" * 10**5,
            struct.pack("<4sIQ", b"CFM1", 2, 2**64 - 1) + b"{}",
            struct.pack("<4sIQ", b"CFM1", 2**32 - 1, 0) + b"{}",
        ],
    )
    def test_what_stands_before_a_broken_frame_is_read(self, stored: Path, behind: bytes) -> None:
        (stored / "observations.bin").write_bytes(self.GOOD + behind + self.GOOD)
        observation = Observations(stored).get("torch", ASKED, "value")
        assert observation is not None
        assert observation[0].tolist() == [1, 2]
        assert load(stored).complete
        diff(stored.parent / "before", stored)
        split(stored / "observations.bin", {"torch": stored / "torch.bin"})
        assert (stored / "torch.bin").read_bytes() == self.GOOD

    @pytest.mark.parametrize(
        "frame",
        [
            answer(np.array(["a", "b"])),
            answer(np.complex64([1, 2])),
            answer(np.float32([1, 2])).replace(b"'<f4'", b"'|O8'"),
            answer(np.float32([1, 2])).replace(b"'<f4'", b"'<f9'"),
            answer(np.float32([1, 2])).replace(b"(2,)", b"(9,)"),
            answer(np.float32([1, 2]))[:-1] + b"",
        ],
    )
    def test_arrays_that_cannot_be_compared_are_none(self, stored: Path, frame: bytes) -> None:
        (stored / "observations.bin").write_bytes(frame)
        (stored.parent / "before" / "observations.bin").write_bytes(self.GOOD)
        assert Observations(stored).get("torch", ASKED, "value") is None
        assert diff(stored.parent / "before", stored).counts()["changed bits"] == 1

    def test_a_dtype_that_is_not_the_array_s(self, stored: Path) -> None:
        """bfloat16 travels as its bits; what says so of other numbers is compared as what it is."""
        (stored / "observations.bin").write_bytes(answer(np.float32([1, 3]), "bfloat16"))
        observation = Observations(stored).get("torch", ASKED, "value")
        assert observation is not None
        element = changed_most((np.float32([1, 2]), "bfloat16"), observation)
        assert element is not None
        assert (element.index, element.old, element.new) == ((1,), "2.0", "3.0")
