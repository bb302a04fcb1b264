"""Trees of YAML that are kept: the same as freshly read ones, and never a fault less."""

from __future__ import annotations

from pathlib import Path

import pytest

from conformance.cases.discovery import corpus
from conformance.yaml import cache as tree_cache
from conformance.yaml import tree
from conformance.yaml.limits import Limits
from conformance.yaml.problems import Faults


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CONFORMANCE_CACHE", str(tmp_path))
    return tmp_path / "trees"


def test_a_kept_tree_is_the_tree_that_was_read(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [path.read_bytes() for path in sorted(corpus().rglob("*.yaml"))][:6]
    texts.append(b'a: [.nan, .inf, 0x10, 1e400, "1", null, {b: true, "\xc3\xa9": []}]\n')
    read = [tree_cache.parse(text, Limits(), Faults("f")) for text in texts]
    assert len(list(cache.iterdir())) == len(texts)
    monkeypatch.setattr(tree, "parse", None)  # nothing is read again
    kept = [tree_cache.parse(text, Limits(), Faults("f")) for text in texts]
    assert list(map(repr, kept)) == list(map(repr, read))


def test_faults_are_told_each_time(cache: Path) -> None:
    for _ in range(2):
        faults = Faults("f")
        tree_cache.parse(b"a: 1\na: 2\n", Limits(), faults)
        assert faults.lines() == ["f:2:1: the key 'a' a second time (first on line 1): each key once"]
    assert not cache.exists()


def test_smaller_limits_are_not_passed_by_a_kept_tree(cache: Path) -> None:
    text, faults = b"a: [1, 2, 3]\n", Faults("f")
    assert tree_cache.parse(text, Limits(), faults)
    assert tree_cache.parse(text, Limits(nodes=3), faults) is None
    assert "more than 3 values" in faults.lines()[0]


@pytest.mark.parametrize("damage", [b"", b"[", b"[]", b"[1, 1, 2, [[1]]]", b"[1, 1, 0, 1, '1']", b"\xff"])
def test_a_damaged_tree_is_read_again(cache: Path, damage: bytes) -> None:
    text = b"a: 1\n"
    first = tree_cache.parse(text, Limits(), Faults("f"))
    (path,) = cache.iterdir()
    path.write_bytes(damage)
    assert repr(tree_cache.parse(text, Limits(), Faults("f"))) == repr(first)
