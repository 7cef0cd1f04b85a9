"""A run of SSM-VLA: every stage beside its frozen teacher, the agent made of them, and what is refused."""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import model_samples
import numpy as np
import point_mass
import pytest
import torch

from kinesight.agents.episode import run_episode
from kinesight.agents.ssm_vla import SsmVlaAgent, SsmVlaAgentConfig
from kinesight.collection.collect import collect
from kinesight.data.derived import derive
from kinesight.data.episodes import Episode, EpisodeStore
from kinesight.data.facts import data_facts
from kinesight.data.windows import open_windows
from kinesight.evaluation.foresight import foresight_of
from kinesight.experiments import (
    catalogue,
    fit,
    imagined,
    ssm_vla_ablations,
    ssm_vla_pictures,
    ssm_vla_recipes,
    taught,
    training,
)
from kinesight.experiments.devices import training_device
from kinesight.experiments.evaluation import with_agent
from kinesight.experiments.pictures import imagined_against_expert
from kinesight.experiments.recipe import Recipe, Stage
from kinesight.experiments.rows import rows_of, table_rows
from kinesight.experiments.runs import Run, create_run, load_stage, open_run, weights_digest
from kinesight.experiments.ssm_vla import FEATURES, LAM, POLICY, PRETRAINING, make_agent
from kinesight.experiments.systems import SYSTEMS, system_of
from kinesight.experiments.training import train_run
from kinesight.nn.checkpoint import load_tensors
from kinesight.training import loop
from kinesight.training.checkpoints import read_description
from kinesight.training.config import TrainingConfig
from kinesight.types.errors import DataError, UnknownName, UsageError
from kinesight.types.windows import Offsets, Take, WindowSpec

TRAINING = TrainingConfig(steps=2, warmup=1, log_every=1, save_every=1, keep_every=1)
STAGES = (
    Stage(FEATURES, model_samples.AUTOENCODER, TRAINING),
    Stage(LAM, replace(model_samples.LATENT, depth=True), TRAINING, teacher=FEATURES),
    Stage(POLICY, replace(model_samples.JOINT, depth=True), TRAINING, teacher=LAM),
)
RECIPE = replace(
    ssm_vla_recipes.TINY, name="joint", stages=STAGES, agent=SsmVlaAgentConfig(execute=2, compare_every=4)
)


def recorded(path: Path, depth: bool = True) -> EpisodeStore:
    config = replace(
        point_mass.CONFIG, depth=depth, segmentation=False, episodes=2, cameras=("front",), scene=False
    )
    return collect(config, path, 1, "", point_mass.make_environment, point_mass.make_expert)


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> EpisodeStore:
    return recorded(tmp_path_factory.mktemp("joint") / "data")


@pytest.fixture(scope="module")
def run(seen: EpisodeStore, tmp_path_factory: pytest.TempPathFactory) -> Run:
    made = create_run(tmp_path_factory.mktemp("runs") / "joint", RECIPE)
    train_run(made, seen)
    return made


def checkpoint(run: Run, stage: str, step: int = 2) -> Path:
    return run.stage_folder(stage) / "checkpoints" / f"{step:07d}"


def test_every_stage_says_beside_which_teacher_it_learned(run: Run) -> None:
    for stage, teacher in ((LAM, FEATURES), (POLICY, LAM)):
        origin = read_description(checkpoint(run, stage))["origin"]
        path = checkpoint(run, teacher)
        assert origin == {str(path): weights_digest(path)}


def test_the_frozen_features_are_the_averaged_ones_of_their_stage(run: Run) -> None:
    taught = load_tensors(checkpoint(run, FEATURES) / "ema.safetensors")
    frozen = load_tensors(checkpoint(run, LAM) / "model.safetensors")
    names = [name for name in frozen if name.startswith("vit.")]
    assert names
    assert all(torch.equal(frozen[name], taught[name]) for name in names)
    assert not any(name.startswith("vit.") for name in load_tensors(checkpoint(run, LAM) / "ema.safetensors"))


def test_a_codebook_goes_on_as_if_nothing_had_happened(run: Run, seen: EpisodeStore, tmp_path: Path) -> None:
    half = create_run(tmp_path / "half", RECIPE)
    half.take(FEATURES, run.path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("kinesight.training.loop._update", _stop_after(1))
        with pytest.raises(InterruptedError):
            train_run(half, seen, [LAM])
    train_run(half, seen, [LAM])
    for file in ("model.safetensors", "ema.safetensors"):
        one, other = (load_tensors(checkpoint(r, LAM) / file) for r in (run, half))
        assert one.keys() == other.keys()
        assert all(torch.equal(one[name], other[name]) for name in one)


def _stop_after(steps: int) -> Callable[..., None]:
    from kinesight.training import loop

    update, done = loop._update, []

    def step(*arguments: object) -> None:
        if len(done) == steps:
            raise InterruptedError
        update(*arguments)
        done.append(None)

    return step


def test_the_agent_acts_and_shows_what_it_foresaw(run: Run) -> None:
    agent = make_agent(run)
    assert isinstance(agent, SsmVlaAgent)
    environment = point_mass.make_environment(point_mass.case(seed=1), 12)
    result = run_episode(environment, agent)
    assert result.counts["foresight"] >= 2
    assert {"imagined/2", "depth_m/2", "true codes/4"} <= foresight_of([result]).keys()
    shown = next(event.comparison for event in result.events if event.comparison is not None)
    drawn = ["real", "imagined", "real depth", "imagined depth"]
    assert list(shown.rows) == [*drawn, "true codes", "predicted codes", "difference"]
    assert {row.shape[1:] for row in shown.rows.values()} == {(12, 16, 3)}
    again = run_episode(point_mass.make_environment(point_mass.case(seed=1), 12), make_agent(run))
    assert again.metrics == result.metrics
    with pytest.raises(UsageError, match="follows no goals, so there are no 'oracle' ones"):
        make_agent(run, "oracle")


def test_the_next_frame_is_imagined_at_moments_of_the_experts_episode(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (fit.envs, imagined.envs):
        monkeypatch.setattr(
            module, "make_case", lambda case, limit=60: point_mass.make_environment(case, limit)
        )
    monkeypatch.setattr(imagined.envs, "expert", lambda *_: point_mass.Expert(0.0))
    fit._surroundings.cache_clear()
    shown = imagined_against_expert(run, point_mass.case(seed=1))
    assert shown.plan is None
    assert 0 < shown.copy_error < 1
    assert 0 < shown.error < 1
    height, width = imagined.STRIP_HEIGHT, imagined.STRIP_HEIGHT * ssm_vla_pictures.MOMENTS
    assert shown.picture.shape == (4 * height + 3 * 4, width, 3), "frames and depth, imagined and real"
    fit._surroundings.cache_clear()


def test_one_that_imagines_no_frame_has_none_to_show(seen: EpisodeStore, tmp_path: Path) -> None:
    plain = ssm_vla_recipes.with_policy(RECIPE, "plain", "draws nothing", frames=0, imagine=False)
    made = create_run(tmp_path / "plain", plain)
    train_run(made, seen)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ssm_vla_pictures, "check_fit", lambda *_: None)
        with pytest.raises(UsageError, match=r"plain imagines no frame: stages\.policy\.model\.imagine is"):
            imagined_against_expert(made, point_mass.case())


def test_a_policy_that_learned_from_video_alone_does_not_act(
    run: Run, seen: EpisodeStore, tmp_path: Path
) -> None:
    """Its action head is as chance made it."""
    watching = ssm_vla_recipes.with_policy(RECIPE, "watching", "reads no action", actions=False)
    made = create_run(tmp_path / "watching", watching)
    for stage in (FEATURES, LAM):
        made.take(stage, run.path)
    train_run(made, seen)
    with pytest.raises(
        UsageError, match=r"video alone \(stages\.policy\.model\.actions is false\) and cannot"
    ):
        make_agent(made)


def test_another_lam_is_refused_when_training_goes_on_and_when_acting(
    run: Run, seen: EpisodeStore, tmp_path: Path
) -> None:
    swapped = create_run(tmp_path / "swapped", RECIPE)
    for stage in (FEATURES, POLICY):
        swapped.take(stage, run.path)
    longer = replace(RECIPE.stage(LAM), training=replace(TRAINING, seed=9))
    other = create_run(tmp_path / "other", replace(RECIPE, stages=(STAGES[0], longer)))
    train_run(other, seen)
    swapped.take(LAM, other.path)
    with pytest.raises(DataError, match="learned the codes of latent actions of hash"):
        make_agent(swapped)
    with pytest.raises(DataError, match=r"began beside lam of hash .*, which now has"):
        training.train_stage(swapped, RECIPE.stage(POLICY), [seen])


def test_a_lam_of_another_codebook_is_refused_with_what_to_set(
    run: Run, seen: EpisodeStore, tmp_path: Path
) -> None:
    policy = RECIPE.stage(POLICY)
    larger = replace(policy, model=replace(policy.model, codes=64))
    other = create_run(tmp_path / "larger", replace(RECIPE, stages=(*STAGES[:2], larger)))
    other.take(FEATURES, run.path)
    other.take(LAM, run.path)
    with pytest.raises(
        UsageError, match=r"codes is 64, there 8\); add --set stages\.policy\.model\.codes=8$"
    ):
        train_run(other, seen)


def test_a_student_without_a_teacher_is_refused(seen: EpisodeStore, tmp_path: Path) -> None:
    alone = create_run(tmp_path / "alone", replace(RECIPE, stages=(replace(STAGES[1], teacher=""),)))
    with pytest.raises(UsageError, match="'lam' learns from an earlier stage: name it as its teacher"):
        train_run(alone, seen)
    with pytest.raises(UsageError, match="needs 'features', which is none of the stages before it: none"):
        replace(RECIPE, stages=STAGES[1:])


def test_data_without_depth_are_refused_with_what_to_do(run: Run, tmp_path: Path) -> None:
    flat = recorded(tmp_path / "flat", depth=False)
    other = create_run(tmp_path / "run", RECIPE)
    other.take(FEATURES, run.path)
    expected = (
        r"no depth is recorded of front, and lam learns to predict it. .* --set stages.lam.model.depth=false "
        r"stages.policy.model.depth=false"
    )
    with pytest.raises(DataError, match=expected):
        train_run(other, flat)
    colour = create_run(tmp_path / "colour", ssm_vla_recipes.without_depth(RECIPE, "colour", "colour alone"))
    colour.take(FEATURES, run.path)
    train_run(colour, flat)
    assert isinstance(make_agent(colour), SsmVlaAgent)
    plain = ssm_vla_recipes.with_policy(RECIPE, "plain", "draws nothing", frames=0, imagine=False)
    assert plain.stage(POLICY).model.depth  # type: ignore[union-attr]
    train_run(create_run(tmp_path / "plain", plain), flat)


def estimated(episode: Episode) -> Mapping[str, np.ndarray]:
    """What a single-picture network might say, and the few points that are known."""
    shape = episode.arrays["rgb.front"].shape[:3]
    inverse = np.broadcast_to(np.linspace(0.5, 2.0, shape[2]), shape)
    known = np.where(np.arange(shape[1])[:, None] % 3 == 0, np.rint(1000 / inverse), 0)
    return {
        "depth_estimate.front": (7 * inverse + 3).astype(np.float32),
        "sparse_depth_mm.front": known.astype(np.uint16),
    }


def test_estimated_depth_is_aligned_and_takes_the_place_of_a_sensors(run: Run, tmp_path: Path) -> None:
    flat = recorded(tmp_path / "flat", depth=False)
    flat = flat.with_derived(derive(flat, "estimated", estimated))
    (store,) = taught.with_taught_keys(run, RECIPE.stage(LAM), [flat])
    depth_m = store[0].arrays["depth_mm.front"] / 1000
    np.testing.assert_allclose(
        depth_m[:, 0], np.broadcast_to(1 / np.linspace(0.5, 2.0, 16), depth_m[:, 0].shape), atol=2e-3
    )


def test_watching_first_then_learning_from_a_few_actions(
    run: Run, seen: EpisodeStore, tmp_path: Path
) -> None:
    recipe = ssm_vla_recipes.with_labels(RECIPE, "few", "few labels", 1, ssm_vla_recipes.ALL)
    assert [stage.name for stage in recipe.stages] == [FEATURES, LAM, PRETRAINING, POLICY]
    watched = create_run(tmp_path / "watched", recipe)
    for stage in (FEATURES, LAM):
        watched.take(stage, run.path)
    train_run(watched, seen)
    before = load_stage(watched, PRETRAINING).model.state_dict()
    begun = load_tensors(checkpoint(watched, POLICY, 0) / "model.safetensors")
    assert all(torch.equal(before[name], value) for name, value in begun.items())
    first = load_tensors(checkpoint(watched, PRETRAINING, 0) / "model.safetensors")
    for name, value in before.items():
        if name.startswith("action_head."):
            assert torch.equal(first[name], value), "no action was read"


def test_a_process_puts_data_and_teacher_on_its_own_gpu(
    run: Run, seen: EpisodeStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """torch's "meta" stands in for the GPU that a launched process was given."""
    assert training_device() == torch.device("cpu")
    given: list[torch.device | str] = []

    def note(device: torch.device | str) -> None:
        given.append(device)
        raise InterruptedError

    monkeypatch.setattr(loop, "make_accelerator", lambda: SimpleNamespace(device=torch.device("meta")))
    monkeypatch.setattr(taught, "load_stage", lambda _run, _stage, device="": note(device))
    monkeypatch.setattr(training, "open_windows", lambda _stores, _spec, _cameras, device, **_: note(device))
    alone = create_run(tmp_path / "alone", RECIPE)
    for stage in (FEATURES, POLICY):
        with pytest.raises(InterruptedError):
            training.train_stage(run if stage == POLICY else alone, RECIPE.stage(stage), [seen])
    assert given == [torch.device("meta")] * 2


def test_only_the_first_episodes_of_each_task_are_drawn_from(seen: EpisodeStore) -> None:
    spec = WindowSpec({"proprio": Take("proprio", Offsets((0,)))})
    tasks = [seen.meta(index).case.task for index in range(len(seen))]
    assert sorted(tasks) == ["far", "far", "near", "near"]
    table = open_windows(seen, spec, episodes=1).table
    drawn, starts, _ = table.draw(np.random.default_rng(0), 500)
    assert set(drawn) == {tasks.index("near"), tasks.index("far")}
    assert (starts < table.lengths[drawn]).all()
    with pytest.raises(DataError, match="3 episodes of each task are wanted, there are"):
        open_windows(seen, spec, episodes=3)


def test_a_system_has_its_own_rows_and_no_planner(run: Run) -> None:
    assert system_of(RECIPE).name == "SSM-VLA"
    assert rows_of(RECIPE) == ("agent", "expert", "blind replay", "no instruction")
    assert table_rows(["all"], RECIPE) == rows_of(RECIPE)
    with pytest.raises(UnknownName, match="row of joint 'no goal'"):
        table_rows(["no goal"], RECIPE)
    other = catalogue.recipe("spatial-policy-tiny")
    assert "no goal" in rows_of(other)
    assert "guessing expert" not in rows_of(other)
    with pytest.raises(UsageError, match="joint is no recipe of Spatial Policy"):
        with_agent(run, planner="geometric")
    assert with_agent(run, ("agent.execute=1",)).recipe.agent == replace(RECIPE.agent, execute=1)
    assert {type(recipe.agent) for recipe in catalogue.RECIPES.values()} == set(SYSTEMS)


def test_a_trained_run_is_sampled_otherwise_but_keeps_what_it_learned_with(run: Run) -> None:
    other = with_agent(run, ("stages.policy.model.steps=2",))
    assert load_stage(other, POLICY).model.config == replace(STAGES[2].model, steps=2)
    assert load_stage(run, POLICY).model.config == STAGES[2].model
    for assignment in ("stages.policy.model.blocks=1", "stages.policy.training.steps=9", "data.episodes=9"):
        with pytest.raises(UsageError, match=r"agent\.… and stages\.policy\.model\.steps; .* is fixed: "):
            with_agent(run, (assignment,))


def test_more_actions_than_are_predicted_cannot_be_executed() -> None:
    with pytest.raises(UsageError, match=r"agent\.execute is 9, but policy predicts 4 actions at once"):
        replace(RECIPE, agent=SsmVlaAgentConfig(execute=9))


def test_recipes_of_before_there_were_systems_are_read(tmp_path: Path) -> None:
    made = create_run(tmp_path / "old", catalogue.recipe("spatial-policy-tiny"))
    file = made.path / "recipe.json"
    text = file.read_text().replace('"type": "SpatialPolicyConfig",', "", 1)
    for newer in ('"teacher": "",', '"episodes": 0'):
        assert newer in text
    text = re.sub(r',\s*"teacher": "",\s*"episodes": 0', "", text)
    assert "teacher" not in text
    assert "SpatialPolicyConfig" not in text
    file.write_text(text)
    assert open_run(made.path).recipe == made.recipe


def test_variants_of_the_small_recipe_differ_in_one_thing_and_share_its_data() -> None:
    base = catalogue.recipe("ssm-vla-small")
    variants = [recipe for recipe in ssm_vla_recipes.RECIPES if recipe.name.startswith(f"{base.name}-")]
    assert len(variants) == 11
    (elsewhere,) = (recipe for recipe in variants if recipe.name.endswith("-abc"))
    assert (elsewhere.data.split, elsewhere.evaluation.split) == ("ABC", "D")
    variants.remove(elsewhere)
    for recipe in variants:
        assert (recipe.data, recipe.agent, recipe.evaluation) == (base.data, base.agent, base.evaluation)
        assert training.default_data(recipe) == training.default_data(base)
    shared = {
        recipe.name.removeprefix(f"{base.name}-"): [
            stage.name for stage in recipe.stages if stage in base.stages
        ]
        for recipe in variants
    }
    assert shared["causal"] == [FEATURES, LAM]
    assert shared["one-frame"] == [FEATURES]
    assert shared["scene-codes"] == [FEATURES, POLICY]
    assert shared["plain"] == []
    assert shared["5-labels-pretrained"] == [FEATURES, LAM]


@pytest.mark.parametrize("budget", ["tiny", "small", "paper"])
def test_every_table_compares_cells_that_differ(budget: str) -> None:
    tables = catalogue.ablations("ssm-vla", budget)
    few, many = ssm_vla_ablations.LABELS[budget]
    names = ["structure", "longer", "chains", f"pretraining-{few}", f"pretraining-{many}"]
    assert [table.name for table in tables] == names
    for table in tables:
        assert len({cell.folder.rpartition("-")[2] for cell in table.cells}) == len(table.cells)


def test_the_papers_size_is_the_same_recipe_at_another_size(seen: EpisodeStore) -> None:
    small, full = catalogue.recipe("ssm-vla-small"), catalogue.recipe("ssm-vla")
    assert [s.name for s in full.stages] == [s.name for s in small.stages]
    lam, policy = full.stage(LAM), full.stage(POLICY)
    assert (lam.model.codes, lam.model.tokens, lam.model.frames) == (32, 4, 3)
    assert (lam.training.learning_rate, lam.training.weight_decay) == (1e-4, 1e-5)
    assert (policy.model.steps, policy.model.vision_weight, policy.model.latent_weight) == (10, 0.1, 0.01)
    assert (policy.training.learning_rate, policy.training.weight_decay) == (1e-3, 1e-4)
    for stage in full.stages:
        assert stage.training.warmup == pytest.approx(0.05 * stage.training.steps)
    facts = data_facts(seen)
    with torch.device("meta"):
        models = {stage.name: stage.model.build(facts) for stage in full.stages}
    trained = {
        name: sum(p.numel() for p in model.parameters() if p.requires_grad) / 1e6
        for name, model in models.items()
    }
    assert trained == pytest.approx({FEATURES: 23.5, LAM: 202.6, POLICY: 160.6}, abs=0.5)


@pytest.mark.parametrize("count", [5, 25])
def test_rows_with_few_labels_read_the_same_actions_for_as_many_steps(count: int) -> None:
    table = next(t for t in catalogue.ablations("ssm-vla", "small") if t.name == f"pretraining-{count}")
    all_watched, longer, alone, own_watched = (cell.recipe for cell in table.cells)
    for recipe in (all_watched, longer, alone, own_watched):
        assert recipe.stage(POLICY).episodes == count
    steps = [recipe.stage(POLICY).training.steps for recipe in (all_watched, alone, own_watched)]
    assert len(set(steps)) == 1
    assert longer.stage(POLICY).training.steps == ssm_vla_ablations.LONGER * steps[0]
    for name in (FEATURES, LAM, PRETRAINING):
        everything, labelled = all_watched.stage(name), own_watched.stage(name)
        assert (everything.episodes, labelled.episodes) == (0, count)
        assert replace(labelled, episodes=0) == everything, "they differ in what is watched alone"


def test_labels_keep_every_other_setting() -> None:
    base: Recipe = catalogue.recipe("ssm-vla-small")
    for episodes in (5, 25):
        plain = catalogue.recipe(f"ssm-vla-small-{episodes}-labels")
        watched = catalogue.recipe(f"ssm-vla-small-{episodes}-labels-pretrained")
        assert [stage.name for stage in plain.stages] == [POLICY]
        for recipe in (plain, watched):
            stage = recipe.stage(POLICY)
            assert stage.episodes == episodes
            assert stage.training == base.stage(POLICY).training
        assert watched.stage(POLICY).model == base.stage(POLICY).model
        assert not watched.stage(PRETRAINING).model.actions  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("place", "settings", "message"),
    [
        (1, {"gap": 40}, r"lam: frames x gap spans 80 steps, the longest of the episodes has \d+"),
        (2, {"history": 3, "stride": 50}, r"policy: \(history - 1\) x stride spans 100 steps"),
        (2, {"horizon": 90}, r"policy: horizon spans 90 steps, the longest of the episodes has \d+"),
    ],
)
def test_what_no_episode_is_long_enough_for_is_refused(
    seen: EpisodeStore, tmp_path: Path, place: int, settings: dict[str, int], message: str
) -> None:
    stage = STAGES[place]
    longer = replace(stage, model=replace(stage.model, **settings))
    with pytest.raises(DataError, match=message):
        taught.with_taught_keys(create_run(tmp_path, RECIPE), longer, [seen])
