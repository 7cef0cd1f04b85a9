"""`kinesight judge` and `kinesight calibrate` on the tiny run."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from kinesight.data.episodes import EpisodeStore
from kinesight.evaluation.results import read_results, write_results
from kinesight.experiments.clips import BATCH
from kinesight.experiments.runs import open_run
from kinesight.experiments.spatial_policy import make_agent
from kinesight.training.checkpoints import checkpoint_path, last_checkpoint
from kinesight.types.decision import Event

SMALL = (
    "stages.realism.training.steps=2",
    "stages.realism.training.precision=float32",
    "stages.realism.model.clips=5",
    "stages.realism.model.batch_size=4",
    "stages.realism.model.size=16",
)


@pytest.fixture
def judged(kinesight, workspace: Path) -> Path:
    """The tiny run with a judge that accepts nothing."""
    outcome = kinesight(
        *("judge", "tiny", "--out", "judged"),
        *("--set", *SMALL, "agent.critic.threshold=1.0", "agent.replanning.execution=false"),
    )
    assert outcome.status == 0, outcome.err
    assert outcome.out.startswith("judged has a judge; next: kinesight evaluate judged")
    return workspace / "judged"


def test_a_run_gets_a_judge_and_keeps_its_weights(kinesight, workspace: Path, judged: Path) -> None:
    for stage in ("imaginer", "policy"):
        assert open_run(judged).stage_folder(stage).samefile(workspace / "tiny" / stage)
    clips = EpisodeStore(judged / "realism" / "clips")
    assert len(clips) * BATCH >= 5
    first = clips[0].arrays
    assert first["clip.real"].shape == first["clip.imagined"].shape == (BATCH, 4, 32, 32, 3)
    assert (first["clip.real"][:, 0] == first["clip.imagined"][:, 0]).all()
    again = make_agent(open_run(judged))
    assert again.critic is not None  # type: ignore[attr-defined]
    assert make_agent(open_run(workspace / "tiny")).critic is None  # type: ignore[attr-defined]


def test_rejected_videos_are_counted_and_their_scores_kept(kinesight, judged: Path) -> None:
    outcome = kinesight("evaluate", "judged", "--seeds", 0, "--limit", 6, "--workers", 1, "--rows", "no goal")
    assert outcome.status == 0, outcome.err
    results = read_results(judged / "eval/shifted")
    (episode,) = results.episodes
    assert (episode.counts["videos"], episode.counts["rejected"], episode.counts["plans"]) == (2, 2, 1)
    kinds = [event.kind for event in episode.events]
    assert kinds[:6] == ["plan", "imagine", "reject", "imagine", "reject", "keep"]
    kept = episode.events[5]
    assert kept.values["score"] == max(e.values["score"] for e in episode.events[2:5:2])
    assert set(kept.values) <= {"score", "objects", "arm", "plan", "realism"}
    assert set(results.checkpoints) == {"imaginer", "policy", "realism"}
    assert set(read_results(judged / "eval/shifted/row-no-goal").checkpoints) == {"policy"}
    assert "keep" in (judged / "eval/shifted/report.html").read_text()


def test_a_judged_run_can_be_given_other_settings_without_training(
    kinesight, workspace: Path, judged
) -> None:
    outcome = kinesight("judge", "judged", "--out", "other", "--set", "agent.replanning.generation=false")
    assert outcome.status == 0, outcome.err
    assert open_run(workspace / "other").stage_folder("realism").samefile(judged / "realism")
    recipe = open_run(workspace / "other").recipe
    assert (recipe.agent.replanning.generation, recipe.agent.critic.threshold) == (False, 1.0)


def test_a_judge_of_a_run_that_was_limited_in_time_makes_all_its_steps(kinesight, workspace: Path) -> None:
    limited = ("--set", "training_minutes=0.001", "--out", "limited")
    outcome = kinesight("train", "spatial-policy-tiny", "--init", "imaginer=tiny,policy=tiny", *limited)
    assert outcome.status == 0, outcome.err
    more = ("stages.realism.training.steps=9", "stages.realism.training.warmup=1")
    outcome = kinesight("judge", "limited", "--out", "limited-judged", "--set", *SMALL[1:], *more)
    assert outcome.status == 0, outcome.err
    checkpoints = workspace / "limited-judged/realism/checkpoints"
    assert last_checkpoint(checkpoints) == checkpoint_path(checkpoints, 9)


WRONG = {
    "stage": (("--set", "stages.policy.model.horizon=5"), 2, "the stage policy of tiny is trained"),
    "field": (("--set", "agent.critic.treshold=0.5"), 2, "Did you mean 'threshold'?"),
    "weights": (("--set", "agent.critic.weights.arm=-1"), 2, "none negative"),
    "place": (("--out", "tiny"), 2, "needs a folder of its own"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_wrong_use_of_judge(kinesight, workspace: Path, kind: str) -> None:
    words, status, message = WRONG[kind]
    outcome = kinesight("judge", "tiny", *(() if "--out" in words else ("--out", "never")), *words)
    assert message in outcome.err
    assert outcome.status == status
    assert not (workspace / "never").exists()


def test_clips_of_other_weights_are_refused(kinesight, workspace: Path, judged: Path) -> None:
    info = json.loads((judged / "realism/clips/dataset.json").read_text())
    info["collector"]["imaginer"] = "0" * 12
    (workspace / "stale/realism/clips").mkdir(parents=True, exist_ok=True)
    (workspace / "stale/realism/clips/dataset.json").write_text(json.dumps(info))
    outcome = kinesight("judge", "tiny", "--out", "stale", "--set", *SMALL)
    assert outcome.status == 1
    assert "holds clips of other weights" in outcome.err


def test_calibrate(kinesight, workspace: Path) -> None:
    """On results in which the even seeds succeed and have the higher scores."""
    tiny = read_results(workspace / "tiny")
    episodes = []
    for seed in range(16):
        score = 0.2 + 0.04 * seed + 0.2 * (seed % 2 == 0)
        event = Event(0, "judge", "", values={"score": score, "plan": score, "arm": 0.5})
        case = replace(tiny.cases[0], seed=seed)
        episodes.append(replace(tiny.episodes[0], case=case, success=seed % 2 == 0, events=(event,)))
    folder = workspace / "scored"
    write_results(folder, replace(tiny, episodes=tuple(episodes)))
    outcome = kinesight("calibrate", "scored", "--fit-seeds", "0-5")
    assert outcome.status == 0, outcome.err
    assert "AUROC" in outcome.out
    assert "--set agent.critic.weights.plan=" in outcome.out
    made = json.loads((folder / "calibration.json").read_text())
    assert [len(each["episodes"]) for each in made["calibrations"]] == [10, 10]
    (note,) = made["notes"]
    assert note.startswith("10 episodes with 5 failures prove little")
    assert note.split(":")[0] in outcome.out
    assert (folder / "calibration.png").read_bytes()[1:4] == b"PNG"
    for words, status, message in (
        (("tiny",), 1, "no video was judged"),
        (("scored", "--fit-seeds", "0-99"), 2, "leave others to calibrate on"),
        ((), 2, "one folder with results.json at least"),
    ):
        outcome = kinesight("calibrate", *words)
        assert message in outcome.err
        assert outcome.status == status
