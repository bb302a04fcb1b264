"""results.sarif and the annotations of a pull request: each points at a line that its reader has."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from report.fabricate import fabricate

from conformance.cases.discovery import corpus
from conformance.report.code_scanning.annotations import commands
from conformance.report.code_scanning.sarif import sarif
from conformance.report.frames import light
from conformance.report.overview import overview_of
from conformance.results.run import Run


@pytest.fixture(scope="module")
def run() -> Run:
    """A run with discrepancies, known deviations and hostile texts."""
    return fabricate(2_000)


WORKFLOW = ".github/workflows/losses.yml"


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's repository, where the run is reported; nothing of GitHub's is set."""
    for name in ("GITHUB_WORKSPACE", "GITHUB_WORKFLOW_REF"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def case_file(repository: Path, run: Run) -> None:
    """Puts the file of the run's cases into the repository."""
    (file,) = set(run.frame["file"])
    (repository / file).parent.mkdir(parents=True)
    (repository / file).write_text("\n".join(sorted(set(run.frame["case"]))), encoding="utf-8")


def workflow(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The job runs on GitHub, by a workflow of the repository."""
    (repository / WORKFLOW).parent.mkdir(parents=True)
    (repository / WORKFLOW).write_text("jobs:\n  losses:\n    run: conformance run\n")
    monkeypatch.setenv("GITHUB_WORKSPACE", str(repository))
    monkeypatch.setenv("GITHUB_WORKFLOW_REF", f"me/losses/{WORKFLOW}@refs/heads/main")


class TestCasesOfTheSuite:
    """Cases of an installed suite: the reader's repository has no file of them."""

    def test_on_github_the_workflow_is_shown(
        self, run: Run, repository: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """At the line that runs the suite, from any folder of the repository."""
        workflow(repository, monkeypatch)
        (repository / "sub").mkdir()
        monkeypatch.chdir(repository / "sub")
        (log,) = json.loads(sarif(overview_of(run)))["runs"]
        for result in log["results"]:
            (location,) = result["locations"]
            artifact = location["physicalLocation"]["artifactLocation"]
            assert artifact == {"uri": WORKFLOW, "uriBaseId": "%SRCROOT%"}
            assert location["physicalLocation"]["region"] == {"startLine": 3}
            assert location["logicalLocations"][0]["fullyQualifiedName"]
        assert commands(light(run.frame))[0].startswith(f"::error file={WORKFLOW},line=3,title=")

    def test_elsewhere_the_installed_file_is_shown(self, run: Run, repository: Path) -> None:
        """By its whole address, which no viewer takes for a path of the repository."""
        frame = light(run.frame).assign(file="cases/extreme/nan.yaml", line=7)
        (log,) = json.loads(sarif(replace(overview_of(run), frame=frame)))["runs"]
        for result in log["results"]:
            place = result["locations"][0]["physicalLocation"]
            assert place["artifactLocation"] == {"uri": (corpus() / "extreme/nan.yaml").as_uri()}
        assert commands(frame)[0].startswith("::error title=")

    def test_a_file_of_the_same_name_is_another_one(self, run: Run, repository: Path) -> None:
        """Where it has no such case."""
        (repository / "cases" / "seeds").mkdir(parents=True)
        (repository / "cases" / "seeds" / "softmax.yaml").write_text("cases: []\n")
        assert commands(light(run.frame))[0].startswith("::error title=")


class TestSarif:
    """results.sarif is for code-scanning views."""

    def test_points_at_the_case(self, run: Run, repository: Path) -> None:
        """Each result has a rule, a level, a message, and the line of its case."""
        case_file(repository, run)
        log = json.loads(sarif(overview_of(run)))
        (one,) = log["runs"]
        rules = {rule["id"] for rule in one["tool"]["driver"]["rules"]}
        assert one["results"]
        for result in one["results"]:
            assert result["ruleId"] in rules
            place = result["locations"][0]["physicalLocation"]
            assert place["artifactLocation"]["uri"] == "cases/seeds/softmax.yaml"
            assert place["region"]["startLine"] >= 10
            assert len(result["message"]["text"]) < 1_500

    def test_known_deviations_are_suppressed(self, run: Run) -> None:
        """A discrepancy is an error; what is known is a note with its reason."""
        (one,) = json.loads(sarif(overview_of(run)))["runs"]
        levels = {result["level"]: result for result in one["results"]}
        assert set(levels) == {"error", "note"}
        assert "suppressions" not in levels["error"]
        assert levels["note"]["suppressions"][0]["justification"]

    def test_fingerprints_are_unique_and_stay(self, run: Run) -> None:
        """The same deviation has the same fingerprint in the next run, and no other has it."""
        first, second = (
            json.loads(sarif(overview_of(one)))["runs"][0]["results"] for one in (run, fabricate(2_000))
        )
        prints = [result["partialFingerprints"]["check/v1"] for result in first]
        assert len(set(prints)) == len({(r["ruleId"], r["message"]["text"]) for r in first})
        assert prints == [result["partialFingerprints"]["check/v1"] for result in second]


class TestAnnotations:
    """GitHub's workflow commands."""

    def test_one_command_a_line(self, run: Run, repository: Path) -> None:
        """No text of the run starts a command of its own, and there are at most ten errors."""
        case_file(repository, run)
        lines = commands(light(run.frame))
        assert 0 < len(lines) <= 11
        for line in lines:
            assert re.match(r"::(error|warning) ", line)
            assert "\n" not in line
            assert "\r" not in line
        assert lines[0].startswith("::error file=cases/seeds/softmax.yaml,line=1")

    def test_nothing_where_all_conforms(self) -> None:
        """A run without a discrepancy prints nothing."""
        frame = light(fabricate(500).frame)
        assert commands(frame[frame["verdict"].eq("exact")]) == []
