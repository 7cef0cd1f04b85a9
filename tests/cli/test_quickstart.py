"""The main job from the command line: what it leaves, how it resumes, the same numbers again."""

import json
from dataclasses import replace
from pathlib import Path

import cv2
import pytest

from kinesight.evaluation.page import percent
from kinesight.evaluation.results import Results, read_results
from kinesight.training.report import RunReport

FULL = ("quickstart", "--recipe", "spatial-policy-tiny", "--set", "evaluation.limit=12", "--full", "--out")
ROWS = ("expert", "blind-replay", "no-goal", "shuffled-goals", "oracle-goals")


def timeless(results: Results) -> list:
    return [replace(episode, timings_s={}) for episode in results.episodes]


def test_results_and_page_lie_in_the_folder(workspace: Path) -> None:
    results = read_results(workspace / "tiny")
    assert results.agent == "spatial-policy-tiny"
    assert results.protocol == "shifted"
    assert results.privileged == ("scene",)
    assert set(results.checkpoints) == {"imaginer", "policy"}
    assert [episode.steps for episode in results.episodes] == [12, 12]
    assert results.command.startswith("kinesight quickstart --recipe")
    page = (workspace / "tiny" / "report.html").read_text()
    rate = percent(results.success.rate)
    assert f"<title>spatial-policy-tiny: {rate} % on shifted</title>" in page
    for text in ("handle-press", "blind replay", "oracle goals", "imaginer", "policy"):
        assert text in page, text
    seconds = json.loads((workspace / "tiny" / "run.json").read_text())["seconds"]
    assert set(seconds) == {"collect", "train imaginer", "train policy", "evaluate", "evaluate rows"}
    assert all(value > 0 for value in seconds.values())


def test_controls_are_measured_on_the_same_cases(workspace: Path) -> None:
    cases = read_results(workspace / "tiny").cases
    for row in ROWS:
        assert read_results(workspace / "tiny" / f"row-{row}").cases == cases


def test_a_second_call_runs_nothing(kinesight, workspace, monkeypatch) -> None:
    before = read_results(workspace / "tiny")
    with monkeypatch.context() as patch:
        for work in ("collection.collect.run_episode", "evaluation.attempt.run_episode"):
            patch.setattr(f"kinesight.{work}", lambda *_: pytest.fail("an episode was run again"))
        patch.setattr("kinesight.experiments.training.train_stage", lambda *_: pytest.fail("trained again"))
        outcome = kinesight(*FULL, "tiny")
    assert outcome.status == 0
    assert read_results(workspace / "tiny").episodes == before.episodes
    # No terminal here: plain lines for the log, and a table that is not broken.
    assert "evaluate: 2/2, success 0 % (0–66)" in outcome.err
    names = ("agent*", "expert*", "blind replay", "no goal", "shuffled goals*", "oracle goals*")
    lines = outcome.out.splitlines()
    positions = [next(i for i, line in enumerate(lines) if line.strip().startswith(name)) for name in names]
    assert positions == list(range(positions[0], positions[0] + len(names)))
    assert max(map(len, lines)) <= 80
    assert lines[-1] == "tiny/report.html shows what was imagined and what happened"


def test_a_run_that_was_interrupted_in_training_gives_the_same_episodes(kinesight, workspace, monkeypatch):
    log = RunReport.log

    def interrupted(self: RunReport, step: int, values) -> None:
        if step == 3 and "policy" in self.metrics.parts:
            raise KeyboardInterrupt
        log(self, step, values)

    with monkeypatch.context() as patch:
        patch.setattr(RunReport, "log", interrupted)
        outcome = kinesight(*FULL[:-2], "--out", "again")
    assert outcome.status == 130
    assert outcome.err.splitlines()[-1] == (
        "kinesight: interrupted; what was finished is kept, the same command resumes"
    )
    assert [p.name for p in sorted((workspace / "again/policy/checkpoints").glob("0*"))] == ["0000002"]
    assert kinesight(*FULL[:-2], "--out", "again").status == 0
    first, second = read_results(workspace / "tiny"), read_results(workspace / "again")
    assert second.checkpoints == first.checkpoints
    assert timeless(second) == timeless(first)


def test_another_recipe_in_the_folder_is_named(kinesight) -> None:
    outcome = kinesight(*FULL[:3], "--set", "stages.policy.training.steps=5", "--out", "tiny")
    assert outcome.status == 1
    assert "stages.policy.training.steps is 4 there and 5 here" in outcome.err
    assert "evaluation.limit is 12 there and 24 here" in outcome.err


def test_evaluate_compare_report_and_imagine(kinesight, workspace: Path) -> None:
    outcome = kinesight(
        "evaluate", "tiny", "--seeds", "0-1", "--limit", 6, "--rows", "no goal", "--workers", 1
    )
    assert outcome.status == 0, outcome.err
    folder = workspace / "tiny/eval/shifted"
    assert outcome.out.splitlines()[-1] == "tiny/eval/shifted/report.html"
    assert [episode.steps for episode in read_results(folder).episodes] == [6, 6]

    outcome = kinesight("compare", folder, folder / "row-no-goal", "--out", "table.json")
    assert outcome.status == 0, outcome.err
    assert [row["agent"] for row in json.loads((workspace / "table.json").read_text())["rows"]] == [
        "spatial-policy-tiny",
        "no goal",
    ]
    assert "spatial-policy-tiny*" in outcome.out

    page = (folder / "report.html").read_bytes()
    (folder / "report.html").unlink()
    outcome = kinesight("report", folder)
    assert (outcome.status, outcome.out) == (0, f"{folder}/report.html\n")
    assert (folder / "report.html").read_bytes() == page

    outcome = kinesight("imagine", "tiny", "--task", "handle-press", "--out", "pictures/future.png")
    assert outcome.status == 0, outcome.err
    assert outcome.out.startswith("Plan:\n1. push")
    assert "repeated: 0." in outcome.out
    picture = cv2.imread(str(workspace / "pictures/future.png"))
    assert picture is not None
    assert picture.shape == (2 * 160 + 4, 4 * 160, 3)


def test_rows_of_another_system_are_measured_when_they_are_named(kinesight, workspace: Path) -> None:
    name = "avdc-replan oracle"
    assert not (workspace / "tiny" / "row-avdc-replan-oracle").exists(), "the quickstart does without them"
    words = ("evaluate", "tiny", "--seeds", "0-1", "--limit", 6, "--workers", 1, "--out", "flow")
    outcome = kinesight(*words, "--rows", name)
    assert outcome.status == 0, outcome.err
    oracle = read_results(workspace / "flow" / "row-avdc-replan-oracle")
    assert (oracle.privileged, dict(oracle.checkpoints)) == (("expert", "segmentation"), {})
    refused = kinesight(*words, "--rows", "avdc")
    assert refused.status == 2
    assert "row of spatial-policy-tiny 'avdc'" in " ".join(refused.err.split())
    for episode in oracle.episodes:
        assert episode.steps == 6
        assert [event.kind for event in episode.events] in (["imagine", "plan"], ["imagine", "lost"])


def test_an_agent_acts_in_chains_and_in_a_look_that_it_was_not_trained_in(kinesight, workspace: Path) -> None:
    words = ("evaluate", "tiny", "--seeds", 0, "--limit", 6, "--workers", 1)
    outcome = kinesight(*words, "--env", "metaworld-chains", "--tasks", "handle", "--rows", "expert")
    assert outcome.status == 0, outcome.err
    assert "tasks in a row" in outcome.out
    folder = workspace / "tiny/eval/metaworld-chains-shifted"
    found = read_results(folder)
    (episode,) = found.episodes
    assert (episode.case.env, episode.case.task, episode.steps) == ("metaworld-chains", "handle", 6)
    assert found.chains is not None
    assert (found.chains.count, len(found.chains.in_a_row)) == (1, 5)
    assert "Tasks in a row" in (folder / "report.html").read_text()
    assert read_results(folder / "row-expert").cases == found.cases

    outcome = kinesight(*words, "--split", "D")
    assert outcome.status == 0, outcome.err
    found = read_results(workspace / "tiny/eval/D-shifted")
    assert (found.protocol, found.episodes[0].case.split) == ("shifted, D", "D")
    assert found.chains is None


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (
            ("--env", "metaworld-chains"),
            "tiny was trained on handle-press, of which no task of metaworld-chains",
        ),
        (("--env", "metaworld-chain"), "Did you mean 'metaworld-chains'"),
        (("--env", "metaworld-chains", "--tasks", "faucet"), "handle-side"),
        (("--split", "E"), "ABC"),
        (("--rows", "other instruction"), "Unknown row of spatial-policy-tiny 'other instruction'"),
        (("--env", "tabletop", "--tasks", "stack", "--cameras", "front"), "trained on metaworld"),
    ],
)
def test_cases_that_do_not_fit_are_refused_by_name(kinesight, words: tuple[str, ...], named: str) -> None:
    outcome = kinesight("evaluate", "tiny", "--seeds", 0, "--out", "refused", "--workers", 1, *words)
    assert outcome.status in (1, 2)
    assert named in " ".join(outcome.err.split())
