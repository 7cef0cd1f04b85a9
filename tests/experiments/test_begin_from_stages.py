"""A stage that begins from another's weights, trained before it or in another run."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import model_samples
import pytest
import torch

from kinesight.cli.arguments import stage_runs
from kinesight.data.episodes import EpisodeStore
from kinesight.experiments import catalogue, training
from kinesight.experiments.recipe import ModelConfig, Recipe, Stage
from kinesight.experiments.runs import Run, check_needed, create_run, load_stage, open_run, weights_digest
from kinesight.experiments.training import train_run
from kinesight.nn.checkpoint import load_tensors
from kinesight.training.checkpoints import read_description
from kinesight.training.config import TrainingConfig
from kinesight.types.errors import DataError, UsageError
from kinesight.types.serial import from_json, to_json

TRAINING = TrainingConfig(steps=2, warmup=1, log_every=1, save_every=1, keep_every=1)
MODEL = replace(model_samples.VIDEO, base=8, features=8, depth=1)
BASE = Stage("base", MODEL, TRAINING)
TUNED = Stage("tuned", MODEL, replace(TRAINING, seed=5), needs="base")
POLICY = Stage("policy", replace(model_samples.POLICY, encoder="resnet18"), TRAINING)
RECIPE = replace(catalogue.recipe("spatial-policy-tiny"), name="tuned", stages=(BASE, TUNED))


def checkpoint(run: Run, stage: str, step: int) -> Path:
    return run.stage_folder(stage) / "checkpoints" / f"{step:07d}"


def trained(folder: Path, store: EpisodeStore, recipe: Recipe = RECIPE) -> Run:
    run = create_run(folder, recipe)
    train_run(run, store)
    return run


@pytest.fixture(scope="module")
def run(store: EpisodeStore, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return trained(tmp_path_factory.mktemp("runs") / "run", store)


def same(one: Path, other: Path, file: str = "model.safetensors") -> bool:
    first, second = load_tensors(one / file), load_tensors(other / file)
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def test_it_begins_with_the_averaged_weights_and_moves_on(run: Run) -> None:
    last, first = checkpoint(run, "base", 2), checkpoint(run, "tuned", 0)
    averaged = load_tensors(last / "ema.safetensors")
    for file in ("model.safetensors", "ema.safetensors"):
        begun = load_tensors(first / file)
        assert all(torch.equal(begun[name], value) for name, value in averaged.items())
    assert not same(last, first), "the averaged weights, not the last ones"
    assert not same(first, checkpoint(run, "tuned", 2))


def test_every_checkpoint_says_where_it_began(run: Run) -> None:
    base = checkpoint(run, "base", 2)
    for step in (0, 1, 2):
        origin = read_description(checkpoint(run, "tuned", step))["origin"]
        assert origin == {str(base): weights_digest(base)}
    assert read_description(base)["origin"] == {}


def test_taken_from_another_run_is_as_good_as_trained_here(
    run: Run, store: EpisodeStore, tmp_path: Path
) -> None:
    for name, source in (("run", run.path), ("stage", run.path / "base")):
        other = create_run(tmp_path / name, RECIPE)
        other.take("base", source)
        train_run(other, store)
        assert not (other.path / "base" / "checkpoints").exists()
        assert same(checkpoint(other, "tuned", 2), checkpoint(run, "tuned", 2))
        taken = open_run(other.path).record().taken["base"]
        assert (taken.path, taken.digest) == (
            str(run.path / "base"),
            weights_digest(checkpoint(run, "base", 2)),
        )
        assert load_stage(other, "base").digest == taken.digest
        other.take("base", source)  # the same command again


def test_a_resumed_stage_equals_an_uninterrupted_one_and_keeps_its_origin(
    run: Run, store: EpisodeStore, tmp_path: Path
) -> None:
    half = create_run(tmp_path / "half", RECIPE)
    train_run(half, store, ["base"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("kinesight.training.loop._update", _stop_after(1))
        with pytest.raises(InterruptedError):
            training.train_stage(half, TUNED, [store])
    origin = read_description(checkpoint(half, "tuned", 1))["origin"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            training, "load_stage", lambda *_: pytest.fail("a stage that goes on begins from itself")
        )
        train_run(half, store)
    assert same(checkpoint(half, "tuned", 2), checkpoint(run, "tuned", 2))
    assert read_description(checkpoint(half, "tuned", 2))["origin"] == origin


def _stop_after(steps: int) -> Callable[..., None]:
    from kinesight.training import loop

    update, done = loop._update, []

    def step(*arguments: object) -> None:
        if len(done) == steps:
            raise InterruptedError
        update(*arguments)
        done.append(None)

    return step


def test_what_cannot_be_taken_is_refused(run: Run, store: EpisodeStore, tmp_path: Path) -> None:
    other = create_run(tmp_path / "other", RECIPE)
    with pytest.raises(DataError, match=r"no trained stage here, and none in .*base"):
        other.take("base", tmp_path)
    with pytest.raises(DataError, match="base is trained already"):
        run.take("base", tmp_path)
    with pytest.raises(
        DataError,
        match="needs base, which is not trained; train it first: kinesight train tuned --stage base",
    ):
        train_run(other, store, ["tuned"])
    with pytest.raises(UsageError, match="Unknown stage 'bas'"):
        other.take("bas", run.path)
    other.take("base", run.path)
    with pytest.raises(DataError, match=r"base was taken as .*, not as "):
        other.take("base", run.path / "tuned")


def test_a_stage_that_has_changed_since_it_was_taken_is_refused(store: EpisodeStore, tmp_path: Path) -> None:
    source = trained(tmp_path / "source", store, replace(RECIPE, stages=(BASE,)))
    other = create_run(tmp_path / "other", RECIPE)
    other.take("base", source.path)
    weights = checkpoint(source, "base", 2) / "ema.safetensors"
    weights.write_bytes((checkpoint(source, "base", 1) / "ema.safetensors").read_bytes())
    with pytest.raises(DataError, match=r"ema.safetensors has changed since it was taken"):
        load_stage(other, "base")


def tuned_as(model: ModelConfig) -> Recipe:
    return replace(RECIPE, stages=(BASE, replace(TUNED, model=model)))


def test_a_stage_set_otherwise_than_the_one_it_begins_from_is_refused_before_both(
    store: EpisodeStore, tmp_path: Path
) -> None:
    for name, model, message in (
        (
            "wide",
            replace(MODEL, base=16, spacing=3),
            r"stage 'tuned' begins from 'base', which is set otherwise \(spacing is 3, there 0, base is 16, "
            r"there 8\); add --set stages\.base\.model\.spacing=3 stages\.base\.model\.base=16, or --set "
            r"stages\.tuned\.model\.spacing=0 stages\.tuned\.model\.base=8",
        ),
        ("other", POLICY.model, "'tuned' is a GoalPolicyConfig, 'base', .* a VideoDiffusionConfig"),
    ):
        other = create_run(tmp_path / name, tuned_as(model))
        with pytest.raises(UsageError, match=message):
            train_run(other, store)
        assert not (other.path / "base" / "checkpoints").exists()


def test_sampling_data_augmentation_and_loss_may_be_a_stages_own(store: EpisodeStore, tmp_path: Path) -> None:
    trained(tmp_path / "run", store, tuned_as(replace(MODEL, steps=1, batch_size=2, path_noise=0.0)))


def test_no_recipe_begins_a_stage_from_one_that_does_not_fit() -> None:
    tables = [
        catalogue.ablations(system, size) for system in catalogue.ABLATIONS for size in ("small", "paper")
    ]
    cells = [cell.recipe for each in tables for table in each for cell in table.cells]
    found = [(r, stage) for r in (*catalogue.RECIPES.values(), *cells) for stage in r.stages if stage.needs]
    assert {"ssm-vla-small-5-labels-pretrained", "spatial-policy-small-recovery"} <= {
        r.name for r, _ in found
    }
    for recipe, stage in found:
        check_needed(recipe, stage)


def test_another_shape_or_vocabulary_is_refused(run: Run, store: EpisodeStore, tmp_path: Path) -> None:
    facts = training.data_facts(store)
    wide = replace(TUNED, model=replace(MODEL, base=16))
    other = create_run(tmp_path / "wide", RECIPE)
    other.take("base", run.path)
    with pytest.raises(DataError, match="has shape"):
        training.begin_stage(other, wide, training.build_model(wide, store, facts), facts)
    same_shape = create_run(tmp_path / "words", RECIPE)
    same_shape.take("base", run.path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "data_facts", lambda _: replace(facts, words=("go", "left", "right")))
        with pytest.raises(DataError, match="knows the words far, go, near; tuned, which begins from it"):
            train_run(same_shape, store)


def test_a_stage_names_an_earlier_one() -> None:
    with pytest.raises(
        UsageError, match="stage 'tuned' needs 'base', which is none of the stages before it: none"
    ):
        replace(RECIPE, stages=(TUNED, BASE))
    with pytest.raises(UsageError, match="needs 'bass'"):
        replace(RECIPE, stages=(BASE, replace(TUNED, needs="bass")))
    assert from_json(Recipe, to_json(RECIPE)) == RECIPE


def test_a_stages_own_data_are_trained_on_beside_the_recipes(
    store: EpisodeStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    extended = replace(RECIPE, stages=(replace(BASE, extra_data=RECIPE.data),))
    opened: list[tuple[EpisodeStore, ...]] = []
    inner = training.open_windows
    monkeypatch.setattr(training, "prepare_data", lambda config, path, **_: store)
    monkeypatch.setattr(
        training,
        "open_windows",
        lambda stores, *rest, **more: opened.append(tuple(stores)) or inner(stores, *rest, **more),
    )
    run = trained(tmp_path / "extended", store, extended)
    assert opened == [(store, store)]
    (path,) = run.record().extra_data.values()
    assert Path(path).name.startswith("tuned-base-"), "a folder of its own"


def test_weights_of_a_file_are_the_beginning_and_are_not_needed_again(
    store: EpisodeStore, tmp_path: Path
) -> None:
    from torchvision import models

    file = tmp_path / "resnet18.pth"
    weights = models.resnet18(weights=None).state_dict()
    torch.save(weights, file)
    stage = replace(
        POLICY, model=replace(POLICY.model, encoder_weights=str(file)), training=replace(TRAINING, steps=1)
    )
    run = trained(tmp_path / "run", store, replace(RECIPE, stages=(stage,)))
    begun = load_tensors(checkpoint(run, "policy", 0) / "model.safetensors")
    assert torch.equal(begun["image.trunk.layer1.0.conv1.weight"], weights["layer1.0.conv1.weight"])
    ((path, digest),) = read_description(checkpoint(run, "policy", 1))["origin"].items()
    assert (path, len(digest)) == (str(file), 12)
    file.unlink()
    assert load_stage(run, "policy").facts.words == ("far", "go", "near")


def test_what_a_checkpoint_was_trained_beside_must_be_there(store: EpisodeStore, tmp_path: Path) -> None:
    frozen = {"text": "0123456789ab"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("kinesight.models.video_diffusion.VideoDiffusion.frozen", lambda _: frozen)
        run = trained(tmp_path / "run", store, replace(RECIPE, stages=(BASE,)))
        assert load_stage(run, "base").digest
        patch.setattr("kinesight.models.video_diffusion.VideoDiffusion.frozen", lambda _: {"text": "other"})
        with pytest.raises(DataError, match="trained beside text of hash 0123456789ab, which now has other"):
            load_stage(run, "base")


def test_how_stages_of_other_runs_are_written() -> None:
    assert stage_runs("base=runs/a,policy=b") == {"base": Path("runs/a"), "policy": Path("b")}
    for text in ("base", "=runs/a", "base="):
        with pytest.raises(UsageError, match="--init is written STAGE=RUN"):
            stage_runs(text)
