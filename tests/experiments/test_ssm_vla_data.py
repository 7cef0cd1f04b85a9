"""What stages of SSM-VLA refuse before anything is trained, and whose depth they learn from."""

import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import model_samples
import numpy as np
import point_mass
import pytest

from kinesight.agents.episode import run_episode
from kinesight.collection.collect import collect
from kinesight.data.episodes import Episode, EpisodeStore
from kinesight.experiments import ssm_vla_recipes
from kinesight.experiments.recipe import Recipe, Stage, override
from kinesight.experiments.runs import Run, create_run
from kinesight.experiments.ssm_vla import FEATURES, LAM, POLICY, make_agent, used_stages
from kinesight.experiments.taught import depth_cameras
from kinesight.experiments.training import check_settings, check_stages, train_run
from kinesight.models.latent_actions import LatentActions
from kinesight.training.checkpoints import last_checkpoint
from kinesight.training.config import TrainingConfig
from kinesight.types.errors import DataError, UsageError

TRAINING = TrainingConfig(steps=1, warmup=1, log_every=1)
STAGES = (
    Stage(FEATURES, model_samples.AUTOENCODER, TRAINING),
    Stage(LAM, replace(model_samples.LATENT, depth=True), TRAINING, teacher=FEATURES),
    Stage(POLICY, replace(model_samples.JOINT, depth=True), TRAINING, teacher=LAM),
)
RECIPE = replace(ssm_vla_recipes.TINY, name="joint", stages=STAGES)


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> EpisodeStore:
    """Two cameras with depth."""
    config = replace(point_mass.CONFIG, segmentation=False, episodes=2, scene=False)
    path = tmp_path_factory.mktemp("data") / "seen"
    return collect(config, path, 1, "", point_mass.make_environment, point_mass.make_expert)


def changed(store: EpisodeStore, path: Path, change: Callable[[Episode], Episode]) -> EpisodeStore:
    other = EpisodeStore.create(path, store.info)
    for episode in store:
        other.append(change(episode))
    return other


def with_model(name: str, **settings: Any) -> Recipe:
    stages = tuple(
        replace(stage, model=replace(stage.model, **settings)) if stage.name == name else stage  # type: ignore[arg-type]
        for stage in STAGES
    )
    return replace(RECIPE, stages=stages)


def trained_stages(run: Run) -> list[str]:
    names = [stage.name for stage in run.recipe.stages]
    return [name for name in names if last_checkpoint(run.path / name / "checkpoints")]


def static_depth(episode: Episode) -> Episode:
    """A depth camera in the room, a plain one at the wrist."""
    arrays = {key: array for key, array in episode.arrays.items() if key != "depth_mm.side"}
    return replace(episode, arrays=arrays)


@pytest.mark.parametrize(
    ("stage", "settings", "message"),
    [
        (POLICY, {"horizon": 900}, "policy: horizon spans 900 steps, the longest of the episodes has"),
        (POLICY, {"history": 99}, r"policy: \(history - 1\) x stride spans 196 steps"),
        (LAM, {"gap": 500}, "lam: frames x gap spans 1000 steps"),
        (LAM, {"perceptual": "none.pth"}, r"none\.pth: no such file; wanted are the weights of"),
        (POLICY, {"words": 1}, r"policy reads 1 words of an instruction, .*model\.words=\d"),
    ],
)
def test_what_a_late_stage_cannot_learn_from_is_refused_before_an_early_one_is_trained(
    seen: EpisodeStore, tmp_path: Path, stage: str, settings: dict[str, Any], message: str
) -> None:
    run = create_run(tmp_path / "run", with_model(stage, **settings))
    with pytest.raises(DataError, match=message):
        train_run(run, seen)
    assert not trained_stages(run)
    assert not run.record().data


@pytest.mark.parametrize(("name", "value"), [("blocks", 3), ("ahead", 3)])
def test_a_policy_set_otherwise_than_what_watches_for_it_is_refused_before_anything_is_trained(
    seen: EpisodeStore, tmp_path: Path, name: str, value: int
) -> None:
    """Whether the weights would not fit, or fit and have learned to foresee another moment."""
    base = override(RECIPE, ("stages.policy.training.steps=2",))
    watched = ssm_vla_recipes.with_labels(base, "watched", "few labels", 1, ssm_vla_recipes.ALL)
    recipe = override(watched, (f"stages.policy.model.{name}={value}",))
    mend = f"stages.pretraining.model.{name}={value}"
    run = create_run(tmp_path / "run", recipe)
    with pytest.raises(
        UsageError, match=rf"\({name} is 3, there 2\); add --set {re.escape(mend)}, or --set "
    ):
        train_run(run, seen)
    assert not trained_stages(run)
    mended = create_run(tmp_path / "mended", override(recipe, (mend,)))
    check_stages(mended, seen, [stage.name for stage in mended.recipe.stages])


@pytest.mark.parametrize("bad", [1.01, -30.0, np.nan])
def test_actions_beyond_what_a_policy_can_do_are_refused_where_they_are_learned(
    seen: EpisodeStore, tmp_path: Path, bad: float
) -> None:
    def wild(episode: Episode) -> Episode:
        action = episode.arrays["action"].copy()
        action[-1, 0] = bad
        return replace(episode, arrays={**episode.arrays, "action": action})

    store = changed(seen, tmp_path / "wild", wild)
    run = create_run(tmp_path / "run", RECIPE)
    with pytest.raises(DataError, match=rf"actions of episode 0 reach {abs(bad):.4g}, they must lie in"):
        train_run(run, store)
    train_run(run, store, [FEATURES, LAM])
    assert trained_stages(run) == [FEATURES, LAM], "which read no action"


def test_proprioception_of_another_kind_is_refused_where_it_is_learned(
    seen: EpisodeStore, tmp_path: Path
) -> None:
    def jointed(episode: Episode) -> Episode:
        joints = np.zeros((episode.length + 1, 14), np.float32)
        return replace(episode, arrays={**episode.arrays, "proprio": joints})

    store = changed(seen, tmp_path / "joints", jointed)
    run = create_run(tmp_path / "run", RECIPE)
    with pytest.raises(DataError, match=r"proprio has 14 numbers a row, policy learns from 8: x, y, z, qx"):
        train_run(run, store)
    train_run(run, store, [FEATURES])


def test_a_stage_whose_teacher_is_neither_trained_nor_asked_for_is_refused(
    seen: EpisodeStore, tmp_path: Path
) -> None:
    run = create_run(tmp_path / "run", RECIPE)
    for names in ([FEATURES, POLICY], [FEATURES, POLICY, LAM]):
        with pytest.raises(
            DataError, match="policy needs lam, which is not trained; train it first: kinesight train "
        ):
            train_run(run, seen, names)
    with pytest.raises(DataError, match=f"--stage {FEATURES},{LAM},{POLICY} --out .* --init {LAM}=RUN"):
        check_settings(run, [POLICY])
    assert not trained_stages(run)


def test_what_does_not_fit_its_teacher_is_refused_before_data_are_there(tmp_path: Path) -> None:
    codes = model_samples.JOINT.codes
    run = create_run(tmp_path / "run", with_model(LAM, codes=2 * codes))
    with pytest.raises(
        UsageError,
        match=rf"codes is {codes}, there {2 * codes}\); add --set stages\.policy\.model\.codes={2 * codes}$",
    ):
        check_settings(run)
    check_settings(run, [FEATURES, LAM])
    deeper = create_run(tmp_path / "deeper", with_model(FEATURES, vit=replace(model_samples.VIT, blocks=2)))
    with pytest.raises(UsageError, match=r"add --set stages\.lam\.model\.vit\.blocks=2$"):
        check_settings(deeper)
    check_settings(create_run(tmp_path / "alone", with_model(POLICY, frames=0)))


def test_a_stage_that_has_begun_goes_on_without_the_file_that_it_began_from(
    seen: EpisodeStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is wanted of a beginner is not asked of it again."""
    run = create_run(tmp_path / "run", with_model(POLICY, words=16))
    train_run(run, seen, [FEATURES, LAM])
    longer = replace(STAGES[1], training=replace(TRAINING, steps=2))
    again = create_run(tmp_path / "again", replace(RECIPE, stages=(STAGES[0], longer, STAGES[2])))
    again.take(FEATURES, run.path)
    shutil.copytree(run.path / LAM, again.path / LAM, symlinks=True)

    def gone(self: LatentActions) -> dict[str, str]:
        raise DataError("vgg16.pth: no such file")

    monkeypatch.setattr(LatentActions, "load_pretrained", gone)
    train_run(again, seen, [LAM])
    with pytest.raises(DataError, match="no such file"):
        train_run(create_run(tmp_path / "new", RECIPE), seen)


def test_a_teacher_that_nobody_would_ask_is_refused(seen: EpisodeStore, tmp_path: Path) -> None:
    plain = replace(STAGES[2], model=replace(model_samples.JOINT, frames=0))
    run = create_run(tmp_path / "run", replace(RECIPE, stages=(*STAGES[:2], plain)))
    with pytest.raises(UsageError, match=r"would not ask 'lam': --set stages\.policy\.teacher="):
        train_run(run, seen)
    assert not trained_stages(run)


def test_codes_are_learned_where_there_is_depth_and_frames_of_every_main_view(
    seen: EpisodeStore, tmp_path: Path
) -> None:
    store = changed(seen, tmp_path / "rig", static_depth)
    assert depth_cameras(store) == ("front",)
    run = create_run(tmp_path / "both", RECIPE)
    with pytest.raises(DataError, match="no depth is recorded of side, and policy learns to predict it"):
        train_run(run, store)
    wrist = create_run(tmp_path / "wrist", with_model(POLICY, second_view="side"))
    train_run(wrist, store)
    assert trained_stages(wrist) == [FEATURES, LAM, POLICY]
    (folder,) = (store.path / "derived").glob("codes-*")
    codes = [key for key in store.with_derived(folder)[0].arrays if key.startswith("codes.")]
    assert codes == ["codes.front"], "nobody learns those of the second view"


def test_depth_of_a_camera_that_nobody_calibrated_is_aligned(seen: EpisodeStore, tmp_path: Path) -> None:
    def filmed(episode: Episode) -> Episode:
        rgb = episode.arrays["rgb.front"]
        inverse = np.broadcast_to(np.linspace(0.5, 2.0, rgb.shape[2]), rgb.shape[:3])
        known = np.where(np.arange(rgb.shape[1])[:, None] % 3 == 0, np.rint(1000 / inverse), 0)
        arrays = {
            "rgb.front": rgb,
            "depth_mm.side": episode.arrays["depth_mm.side"],
            "rgb.side": episode.arrays["rgb.side"],
            "depth_estimate.front": (7 * inverse + 3).astype(np.float32),
            "sparse_depth_mm.front": known.astype(np.uint16),
        }
        return replace(episode, cameras={}, keyframes=(), text={}, arrays=arrays)

    store = changed(seen, tmp_path / "film", filmed)
    assert depth_cameras(store) == ("front", "side")
    run = create_run(tmp_path / "run", RECIPE)
    train_run(run, store, [FEATURES, LAM])
    assert trained_stages(run) == [FEATURES, LAM]
    (folder,) = (store.path / "derived").glob("depth-*")
    derived = store.with_derived(folder)[0].arrays["depth_mm.front"]
    np.testing.assert_allclose(derived[0, 0] / 1000, 1 / np.linspace(0.5, 2.0, derived.shape[2]), atol=2e-3)


@pytest.mark.parametrize("key", ["depth_mm.front", "depth_estimate.front", "sparse_depth_mm.front"])
def test_depth_of_another_size_than_its_picture_is_refused(
    seen: EpisodeStore, tmp_path: Path, key: str
) -> None:
    """Both are shifted by as many pixels in training."""

    def larger(episode: Episode) -> Episode:
        depth_mm = episode.arrays["depth_mm.front"]
        arrays = {name: array for name, array in episode.arrays.items() if not name.startswith("depth_mm")}
        if key == "depth_mm.front":
            depth = {key: depth_mm}
        else:
            depth = {
                "depth_estimate.front": 1 / depth_mm.astype(np.float32),
                "sparse_depth_mm.front": depth_mm,
            }
        depth[key] = depth[key].repeat(2, axis=1).repeat(2, axis=2)
        return replace(episode, arrays={**arrays, **depth})

    store = changed(seen, tmp_path / "larger", larger)
    run = create_run(tmp_path / "run", with_model(POLICY, second_view="side"))
    with pytest.raises(DataError, match=rf"{key} has 24 x 32 px, rgb\.front 12 x 16 px; "):
        train_run(run, store)
    assert not trained_stages(run)


def test_who_shows_no_comparison_acts_without_the_latent_actions(seen: EpisodeStore, tmp_path: Path) -> None:
    run = create_run(tmp_path / "run", RECIPE)
    train_run(run, seen)
    silent = replace(RECIPE, agent=replace(RECIPE.agent, compare_every=0))
    assert used_stages(RECIPE) == (POLICY, LAM)
    assert used_stages(silent) == (POLICY,)
    for file in (run.path / LAM).rglob("*.safetensors"):
        file.unlink()
    with pytest.raises(DataError):
        make_agent(run)
    agent = make_agent(Run(run.path, silent))
    result = run_episode(point_mass.make_environment(point_mass.case(seed=1), 12), agent)
    assert result.steps == 12
    assert not result.events
