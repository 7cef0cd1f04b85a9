"""A recipe's `training_minutes`: fewer steps on a slow machine, decided once."""

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import model_samples
import pytest

from kinesight.data.episodes import EpisodeStore
from kinesight.experiments import catalogue, judged, training
from kinesight.experiments.pace import affordable_steps, seconds_a_step
from kinesight.experiments.quickstart import told_steps
from kinesight.experiments.recipe import Recipe, Stage, override
from kinesight.experiments.runs import create_run
from kinesight.experiments.training import train_run
from kinesight.interfaces.model import Windows
from kinesight.training.checkpoints import checkpoint_path, last_checkpoint
from kinesight.training.loop import Batches
from kinesight.types.errors import UsageError

QUICKSTART = catalogue.recipe("quickstart")
SMALLEST = catalogue.recipe("spatial-policy-tiny")
TINY = replace(
    SMALLEST,
    stages=tuple(
        replace(stage, model=model)
        for stage, model in zip(SMALLEST.stages, (model_samples.VIDEO, model_samples.POLICY), strict=True)
    ),
)
"""With models that fit the small pictures of the data set here."""
JUDGED = judged.judged(TINY, judged.TINY.stage("realism"))


def with_steps(minutes: float, **stages: tuple[int, int]) -> Recipe:
    """Stage -> steps and fewest steps."""
    changed = tuple(
        replace(
            stage,
            training=replace(
                stage.training, steps=stages[stage.name][0], fewest_steps=stages[stage.name][1], warmup=5
            ),
        )
        for stage in QUICKSTART.stages
    )
    return replace(QUICKSTART, stages=changed, training_minutes=minutes)


def test_a_fast_machine_makes_all_steps() -> None:
    recipe = with_steps(10.0, imaginer=(1000, 0), policy=(500, 0))
    assert affordable_steps(recipe, {"imaginer": 0.1, "policy": 0.1}) == {"imaginer": 1000, "policy": 500}


@pytest.mark.parametrize("seconds", [0.6, 1.0, 3.0])
def test_a_slow_one_fits_the_time_in_proportion(seconds: float) -> None:
    recipe = with_steps(10.0, imaginer=(1000, 10), policy=(500, 5))
    pace = {"imaginer": seconds, "policy": seconds}
    steps = affordable_steps(recipe, pace)
    total = sum(steps[name] * pace[name] for name in steps)
    assert 600 - 2 * seconds <= total <= 600
    assert steps["imaginer"] == pytest.approx(2 * steps["policy"], abs=2)


def test_the_fewest_steps_are_kept_and_the_others_pay() -> None:
    recipe = with_steps(10.0, imaginer=(1000, 100), policy=(500, 400))
    assert affordable_steps(recipe, {"imaginer": 1.0, "policy": 1.0}) == {"imaginer": 190, "policy": 410}
    assert affordable_steps(recipe, {"imaginer": 60.0, "policy": 60.0}) == {"imaginer": 100, "policy": 400}


def test_no_limit_is_promised_that_the_fewest_steps_do_not_keep(tmp_path: Path) -> None:
    run = create_run(tmp_path / "run", with_steps(10.0, imaginer=(1000, 100), policy=(500, 400)))
    run.note_steps({"imaginer": 100, "policy": 410})
    told = {stage.name: told_steps(run, stage) for stage in run.recipe.stages}
    assert told["imaginer"].startswith("100 of 1000 steps, the fewest that are of use, which may take longer")
    assert told["policy"].startswith("410 of 500 steps, to end in 10 min")


def test_it_is_decided_once_and_written_down(
    store: EpisodeStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = override(
        TINY,
        ("training_minutes=1", "stages.imaginer.training.steps=9", "stages.policy.training.steps=9"),
    )
    paces = iter([100.0, 10.0])
    monkeypatch.setattr(training, "seconds_a_step", lambda stage, trainer: next(paces))
    run = create_run(tmp_path / "run", recipe)
    train_run(run, store, ["policy"])
    # Warm-up alone, one step of each, takes longer than a minute.
    assert run.record().steps == {"imaginer": 1, "policy": 1}
    checkpoints = run.path / "policy" / "checkpoints"
    assert last_checkpoint(checkpoints) == checkpoint_path(checkpoints, 1)
    again = create_run(tmp_path / "run", recipe)
    train_run(again, store)
    assert again.stage("imaginer").training.steps == 1
    assert again.recipe.stage("imaginer").training.steps == 9


def test_a_step_of_several_streams_is_timed_as_one(tmp_path: Path) -> None:
    """Every step asks for a batch of each stream, and the second comes at once."""

    def trainer(stage: Stage, folder: Path, around: Callable[[Batches], Batches]) -> None:
        drawn = [(step,) for step in range(stage.training.steps)]
        windows = Windows({}, {}, ())
        streams = [around(lambda seeds, size: iter([windows for _ in seeds])) for _ in range(2)]
        for _ in zip(*(each(drawn, 1) for each in streams), strict=True):
            time.sleep(0.05)

    assert seconds_a_step(TINY.stages[0], trainer) == pytest.approx(0.05, rel=0.5)


def test_the_pace_is_measured_and_leaves_nothing_behind(store: EpisodeStore, tmp_path: Path) -> None:
    recipe = override(TINY, ("training_minutes=60",))
    run = create_run(tmp_path / "run", recipe)
    training.fit_steps(run, store)
    assert run.record().steps == {"imaginer": 4, "policy": 4}
    assert sorted(file.name for file in run.path.glob("[!.]*")) == ["recipe.json", "run.json"]


def test_stages_of_another_run_take_none_of_the_time(
    store: EpisodeStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = create_run(tmp_path / "first", TINY)
    train_run(first, store, ["imaginer"])
    paced = []

    def pace(stage: Stage, trainer: object) -> float:
        paced.append(stage.name)
        return 20.0

    monkeypatch.setattr(training, "seconds_a_step", pace)
    run = create_run(tmp_path / "run", override(TINY, ("training_minutes=1",)))
    run.take("imaginer", first.path)
    training.fit_steps(run, store)
    assert paced == ["policy"]
    assert run.record().steps == {"policy": 3}  # two stages of four steps would have had less


def test_a_judge_makes_all_steps_after_its_imaginer(
    store: EpisodeStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has nothing to learn from, so no pace, before the imaginer is trained."""
    monkeypatch.setattr(training, "affordable_steps", lambda recipe, pace: dict.fromkeys(pace, 2))
    run = create_run(tmp_path / "run", override(JUDGED, ("training_minutes=60",)))
    train_run(run, store)
    assert run.record().steps == {"imaginer": 2, "policy": 2}
    for stage, steps in {"imaginer": 2, "policy": 2, "realism": 4}.items():
        checkpoints = run.path / stage / "checkpoints"
        assert last_checkpoint(checkpoints) == checkpoint_path(checkpoints, steps)


def test_a_judge_needs_an_imaginer_before_it() -> None:
    _, policy, realism = JUDGED.stages
    with pytest.raises(UsageError, match="stage 'realism' needs 'imaginer', which is none of the stages"):
        replace(JUDGED, stages=(policy, realism))


def test_a_negative_time_is_refused() -> None:
    with pytest.raises(UsageError, match="training_minutes must be 0 or more, got -1"):
        replace(QUICKSTART, training_minutes=-1.0)
