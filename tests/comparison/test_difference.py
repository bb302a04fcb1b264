from __future__ import annotations

import io
import json
import math
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from rich.console import Console
from runs import check, relation, run

from conformance.cli import cli
from conformance.comparison.difference import Difference, Removed, diff
from conformance.comparison.files import grouped, terminal
from conformance.comparison.joined_runs import CHANGES
from conformance.comparison.subject_matching import pair
from conformance.errors import RunError
from conformance.results.loading import load
from conformance.results.run import Run


def compared(old: dict[str, Any], new: dict[str, Any], **options: Any) -> str:
    frame = diff(run([old]), run([new]), **options).frame
    assert len(frame) == 1
    return str(frame["change"].iloc[0])


@pytest.mark.parametrize(
    ("old", "new", "change"),
    [
        (check(), check(), "unchanged"),
        (check(), check("lossy", 90.0), "regressed"),
        (check(), check("raised", None, message="IndexError: no"), "regressed"),
        (check(), check("unsupported", None), "regressed"),
        (check("wrong", math.inf), check(), "fixed"),
        (check("raised", None, message="IndexError: no"), check("stable", 3.0), "fixed"),
        (check("accurate", 1.5), check("stable", 3.2, bits="01"), "worse"),
        (check("lossy", 50.0), check("wrong", math.inf, bits="01"), "worse"),
        (check("stable", 3.2), check("accurate", 1.5, bits="01"), "better"),
        (check("wrong", math.inf), check("lossy", 50.0, bits="01"), "better"),
        (check("exact", 0.25), check("faithful", 0.9, bits="01"), "changed bits"),
        (check("stable", 3.0), check("stable", 4.5, bits="01"), "changed bits"),
        (
            check("raised", None, message="IndexError: a"),
            check("raised", None, message="ValueError: a"),
            "changed error",
        ),
        (
            check("raised", None, message="IndexError: a"),
            check("raised", None, message="IndexError: b"),
            "unchanged",
        ),
        (check("raised", None, message="IndexError: a"), check("crashed", None), "changed error"),
        (check("crashed", None, message="pid 1"), check("crashed", None, message="pid 2"), "unchanged"),
        (
            check("exact", None, message="IndexError: a"),
            check("exact", None, message="ValueError: a"),
            "changed error",
        ),
        (check("unsupported", None), check(), "added"),
        (check("unsupported", None), check("lossy", 50.0), "added"),
        (check("lossy", 50.0), check("unsupported", None), "removed"),
        (check(), check("unsupported", None, message="torch has no formulation mine of softmax"), "removed"),
        (check("unsupported", None), check("unsupported", None), "unchanged"),
        (check("not run", None), check(), "added"),
        (check(), check("not run", None), "removed"),
        (check(exact="1.5"), check(exact="2.5", observed="2.5"), "changed case"),
        (check(exact="1.5"), check(exact="1.7976931348623157e308"), "changed case"),
    ],
)
def test_each_change_has_its_name(old: dict[str, Any], new: dict[str, Any], change: str) -> None:
    assert compared(old, new) == change


def test_the_factor_decides_what_is_worse_and_one_ulp_is_always_granted() -> None:
    old, new = check("stable", 3.0), check("stable", 8.0, bits="01")
    assert compared(old, new) == "worse"
    assert compared(old, new, factor=4) == "changed bits"
    assert compared(check("exact", 0.1), check("faithful", 0.9, bits="01")) == "changed bits"
    with pytest.raises(RunError, match="at least 1"):
        diff(run([old]), run([new]), factor=0.5)


def test_cases_that_came_and_went_are_listed_and_break_nothing(tmp_path: Path) -> None:
    difference = diff(run([check(), check(case="gone")]), run([check(), check("lossy", 9.0, case="new")]))
    counts = difference.counts()
    assert (counts["added"], counts["removed"], counts["unchanged"]) == (1, 1, 1)
    assert difference.cases("added") == {"new": 1}
    assert difference.exit_code(strict=True) == 0
    difference.save(tmp_path)
    text = (tmp_path / "diff.md").read_text("utf-8")
    assert text.endswith("### Added: 1\n\nnew (1)\n\n### Removed: 1\n\ngone (1)\n\n")


def test_pinned_subjects_pair_by_framework_mode_and_device() -> None:
    old, new = run([check(subject="torch==1.10.0")]), run([check("lossy", 9.0, subject="torch==1.11.0")])
    row = diff(old, new).frame.iloc[0]
    assert (row["change"], row["subject_old"], row["subject_new"]) == (
        "regressed",
        "torch==1.10.0",
        "torch==1.11.0",
    )


def test_subjects_of_one_name_pair_before_subjects_of_one_kind() -> None:
    old, new = run([check(), check(subject="torch==1.10.0")]), run([check()])
    assert [(one.old, one.new) for one in pair(old, new)] == [("torch", "torch")]


def test_a_pair_that_is_open_must_be_said() -> None:
    old = run([check(subject="torch==1.9.0"), check(subject="torch==1.10.0")])
    new = run([check(subject="torch==1.11.0")])
    with pytest.raises(RunError, match=r"--pair OLD=NEW"):
        diff(old, new)
    (only,) = pair(old, new, ["torch==1.10.0=torch==1.11.0"])
    assert (only.old, only.new) == ("torch==1.10.0", "torch==1.11.0")
    with pytest.raises(RunError, match="as OLD=NEW"):
        pair(old, new, ["torch=torch"])


def test_runs_that_share_no_subject_are_refused() -> None:
    with pytest.raises(RunError, match="share no subject: torch and jax"):
        diff(run([check()]), run([check(subject="jax")]))


def test_relations_change_as_checks_do() -> None:
    old = run(
        [check()],
        [relation("identical"), relation("broken", 90.0, case="two"), relation("identical", case="x")],
    )
    new = run([check()], [relation("broken", 50.0), relation("within bounds", 2.0, case="two")])
    difference = diff(old, new)
    counts = difference.counts("relation")
    assert (counts["regressed"], counts["fixed"], counts["removed"]) == (1, 1, 1)
    assert difference.exit_code() == 1


def test_a_relation_that_breaks_because_one_side_was_fixed_is_no_regression() -> None:
    old = run([check("wrong", math.inf)], [relation("identical")])
    new = run([check()], [relation("broken", math.inf)])
    difference = diff(old, new)
    assert difference.counts("relation")["follows"] == 1
    assert difference.exit_code(strict=True) == 0
    back = diff(new, old)
    assert back.counts("relation")["follows"] == 1
    assert back.counts("relation")["fixed"] == 0


def test_textbook_formulations_are_listed_and_gate_nothing() -> None:
    difference = diff(run([check(textbook=True)]), run([check("wrong", math.inf, textbook=True)]))
    assert difference.counts()["regressed"] == 1
    assert difference.exit_code() == 0


def test_strict_gates_what_is_worse() -> None:
    difference = diff(run([check("stable", 1.0)]), run([check("stable", 3.5, bits="01")]))
    assert (difference.exit_code(), difference.exit_code(strict=True)) == (0, 1)


@pytest.mark.parametrize(
    ("old", "new", "codes"),
    [
        ([check(), check(case="gone")], [check()], (0, 1, 0)),
        ([check("lossy", 90.0)], [check("unsupported", None)], (0, 1, 0)),
        ([check()], [check("unsupported", None)], (1, 1, 0)),
        ([check()], [check("unsupported", None, message="numpy has no formulation f of g")], (0, 1, 0)),
        ([check()], [check("not run", None)], (0, 1, 1)),
        ([check("unsupported", None), check(case="two")], [check(case="two")], (0, 0, 0)),
        ([check("wrong", math.inf, textbook=True), check()], [check()], (0, 0, 0)),
        ([check()], [check(), check("unsupported", None, case="new")], (0, 0, 0)),
        ([check(), check(subject="jax")], [check()], (0, 1, 0)),
        ([check(), check(case="gone")], [check("lossy", 90.0)], (1, 1, 1)),
    ],
    ids=[
        "gone",
        "refuses what it did wrong",
        "refuses what it did right",
        "the suite has it no longer",
        "not run",
        "was unsupported",
        "textbook",
        "new and unsupported",
        "a subject is gone",
        "gone beside a regression",
    ],
)
def test_what_is_removed_gates_where_the_comparison_is_a_baseline_s(
    old: list[dict[str, Any]], new: list[dict[str, Any]], codes: tuple[int, int, int]
) -> None:
    """By `diff`, by `run --baseline`, and with --allow-removed."""
    modes: tuple[Removed, ...] = ("report", "fail", "allow")
    assert tuple(diff(run(old), run(new), removed=mode).exit_code() for mode in modes) == codes


@pytest.mark.parametrize(
    ("gone", "sentence"),
    [
        ("a", "1 check of the baseline has no verdict now."),
        ("ab", "2 checks of the baseline have no verdict now."),
    ],
)
def test_what_is_gone_is_counted_and_the_option_named(gone: str, sentence: str, tmp_path: Path) -> None:
    old = run([check(), *(check(case=name) for name in gone)])
    difference = diff(old, run([check()]), removed="fail")
    terminal(difference, Console(file=(shown := io.StringIO()), width=100))
    assert shown.getvalue().splitlines()[:2] == [
        sentence,
        "--allow-removed accepts checks that are gone or unsupported",
    ]
    difference.save(tmp_path)
    assert (tmp_path / "diff.md").read_text("utf-8").startswith(f"## ❌ {sentence}\n")


def test_the_reverse_lists_the_same_checks() -> None:
    old = run([check("wrong", math.inf, case=name) for name in "abc"] + [check(case="d")])
    new = run([check(case=name) for name in "abc"] + [check(case="d")])
    assert diff(old, new).cases("fixed") == diff(new, old).cases("regressed") == dict.fromkeys("abc", 1)


def test_other_hardware_is_named() -> None:
    old = run([check()], hardware={"cpu": "A", "flags": ["avx2", "avx512f"], "cores": 2})
    new = run([check()], hardware={"cpu": "B", "flags": ["avx2"], "cores": 2})
    warnings = diff(old, new).warnings
    assert warnings == [
        "different hardware: CPU A, then B",
        "different hardware: CPU flags, which decide which kernels run: only old has avx512f",
    ]
    assert diff(old, old).warnings == []


def test_other_settings_are_named(tmp_path: Path) -> None:
    old, new = run([check()]), run([check()])
    old.environment["settings"] = {"operations": ["softmax", "sigmoid"], "repeat": 1, "subjects": ["a"]}
    new.environment["settings"] = {"operations": [], "repeat": 1, "subjects": [], "known": "mine.yaml"}
    difference = diff(old, new)
    assert difference.warnings == ["different settings: operations softmax sigmoid, then default"]
    difference.save(tmp_path)
    assert f"> ⚠️ {difference.warnings[0]}" in (tmp_path / "diff.md").read_text("utf-8")
    terminal(difference, Console(file=(shown := io.StringIO()), width=100))
    assert f"warning: {difference.warnings[0]}" in shown.getvalue().splitlines()


@pytest.mark.parametrize(
    ("before", "after", "warnings"),
    [
        (
            {"capability": "AVX512", "mkldnn": True},
            {"capability": "AVX2", "mkldnn": True},
            ["different kernels of torch: capability AVX512, then AVX2"],
        ),
        ({"a": "1"}, {"a": "1", "b": ["2", "3"]}, ["different kernels of torch: b none, then 2 3"]),
        (
            {"features": ["avx2", "avx512f"], "onednn": True},
            {"features": ["avx2", "amx"], "onednn": False},
            [
                "different kernels of torch: features: only old has avx512f; only new has amx",
                "different kernels of torch: onednn yes, then no",
            ],
        ),
        ("avx2", "sse", ["different kernels of torch: avx2, then sse"]),
        ({"a": "1"}, {"a": "1"}, []),
        (None, {"a": "1"}, []),
    ],
)
def test_other_kernels_are_named(before: Any, after: Any, warnings: list[str]) -> None:
    assert diff(run([check()], kernels=before), run([check()], kernels=after)).warnings == warnings


def test_an_incomplete_run_is_named() -> None:
    assert "the new run is incomplete" in diff(run([check()]), run([check()], complete=False)).warnings[0]


def test_bits_come_from_the_digits_where_no_observations_are_kept() -> None:
    row = diff(run([check()]), run([check("lossy", 9.0, observed="1.5", bits="01")])).frame.iloc[0]
    assert (row["bits_old"], row["bits_new"], row["exact"][:3]) == ("0x3f800000", "0x3fc00000", "1.0")


@pytest.fixture
def saved(tmp_path: Path) -> tuple[Path, Path]:
    folders = tmp_path / "old", tmp_path / "new"
    run([check(), check("wrong", math.inf, case="two", message="<b>|`", source="@someone")]).save(folders[0])
    run([check("lossy", 50.0, bits="01"), check(case="two"), check(case="three")]).save(folders[1])
    return folders


def test_the_command_writes_three_files_and_exits_1_on_a_regression(
    saved: tuple[Path, Path], tmp_path: Path
) -> None:
    output = tmp_path / "diff"
    result = CliRunner().invoke(cli, ["diff", *map(str, saved), "--output", str(output)])
    assert result.exit_code == 1
    assert "1 regression" in result.output
    assert sorted(path.name for path in output.iterdir()) == ["diff.csv", "diff.html", "diff.md"]
    markdown, page = ((output / name).read_text("utf-8") for name in ("diff.md", "diff.html"))
    assert "| regressed | 1 | 0 |" in markdown
    assert "<b>|" not in markdown
    assert "<b>|" not in page
    back = CliRunner().invoke(cli, ["diff", *map(str, reversed(saved)), "--output", str(output)])
    assert back.exit_code == 1
    same = CliRunner().invoke(cli, ["diff", str(saved[0]), str(saved[0]), "--output", str(output)])
    assert (same.exit_code, same.output.splitlines()[0]) == (0, "Nothing regressed.")


def test_the_markdown_fits_a_comment(tmp_path: Path) -> None:
    names = [f"case-{number}-{'x' * 80}" for number in range(2000)]
    old, new = (
        run([check(v, e, case=name, message="m" * 3000) for name in names])
        for v, e in (("exact", 0.2), ("wrong", math.inf))
    )
    diff(old, new).save(tmp_path)
    assert len((tmp_path / "diff.md").read_text("utf-8")) < 65536


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": 0}, "a run of format 0; this version reads format"),
        ({"format": 99}, "a run of format 99; this version reads format"),
    ],
)
def test_a_run_of_another_format_is_refused_with_one_line(
    saved: tuple[Path, Path], change: dict[str, Any], message: str
) -> None:
    path = saved[0] / "run.json"
    path.write_text(json.dumps({**json.loads(path.read_text("utf-8")), **change}), "utf-8")
    with pytest.raises(RunError, match=message) as caught:
        diff(*saved)
    assert "\n" not in str(caught.value)


def test_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no run here"):
        diff(tmp_path, tmp_path)


def test_columns_that_an_older_version_did_not_write_are_read_as_missing(saved: tuple[Path, Path]) -> None:
    path = saved[0] / "results.csv"
    lines = path.read_text("utf-8").splitlines()
    assert lines[0].endswith(",why")
    path.write_text(
        "\n".join([lines[0].removesuffix(",why"), *(line.removesuffix(",") for line in lines[1:])]) + "\n"
    )
    assert isinstance(load(saved[0]), Run)
    assert diff(*saved).counts()["regressed"] == 1


def test_every_change_is_counted() -> None:
    difference = diff(run([check()]), run([check()]))
    assert isinstance(difference, Difference)
    assert tuple(difference.counts()) == CHANGES


def test_known_bugs_are_named_first_and_the_variations_of_an_entry_together(tmp_path: Path) -> None:
    issue = "https://github.com/pytorch/pytorch/issues/69339"
    names = {"alpha": "a source", "pytorch-69339": issue, "zeta": issue}
    names |= {f"many[{number}]": "a source" for number in range(30)}
    fixed = [
        [check(v, e, case=name, source=source, message="m") for name, source in names.items()]
        for v, e in (("wrong", math.inf), ("exact", 0.2))
    ]
    difference = diff(*map(run, fixed))
    assert grouped(difference.cases("fixed")) == [
        "pytorch-69339 (1)",
        "alpha (1)",
        "many (30 cases, 30)",
        "zeta (1)",
    ]
    difference.save(tmp_path)
    text = (tmp_path / "diff.md").read_text("utf-8")
    assert "pytorch-69339 (1), alpha (1), many (30 cases, 30), zeta (1)\n\n| case |" in text
    assert text.count("| functional |") == 4
    assert "One a case; the other 29 are in diff.csv" in text


def test_textbook_formulations_do_not_count_among_the_cases() -> None:
    old, new = ([check(v, e, textbook=True)] for v, e in (("exact", 0.2), ("wrong", math.inf)))
    assert diff(run(old), run(new)).cases("regressed") == {}
