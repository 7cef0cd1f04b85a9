"""Farsighted-LAM: what codes may know, what is trained on, what is refused; codes of episodes."""

from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import point_mass
import pytest
import torch
from model_samples import generator

from kinesight.collection.collect import collect
from kinesight.data.derived import derive
from kinesight.data.episodes import Episode, EpisodeStore
from kinesight.data.facts import data_facts
from kinesight.data.windows import open_windows
from kinesight.models import latent_actions
from kinesight.models.latent_actions import LatentActions, LatentActionsConfig, LatentBatch
from kinesight.models.latent_codes import PAST_THE_END, LatentCodes
from kinesight.models.latent_horizons import measure_horizons
from kinesight.models.masked_autoencoder import MaskedAutoencoderConfig
from kinesight.nn.layers import to_unit
from kinesight.nn.vit import VitConfig
from kinesight.training.config import TrainingConfig
from kinesight.training.state import make_optimizers
from kinesight.types.errors import DataError, UsageError
from kinesight.types.facts import DataFacts
from kinesight.types.windows import Take, WindowSpec

VIT = VitConfig(patch=4, features=16, blocks=1, heads=2)
CONFIG = LatentActionsConfig(
    batch_size=4,
    differences=True,
    frames=3,
    gap=2,
    tokens=2,
    codes=8,
    code_features=4,
    size=0,
    vit=VIT,
    features=16,
    heads=2,
    encoder_blocks=1,
    decoder_blocks=1,
    patch=4,
    shift=1,
)


def numbered(episode: Episode) -> Mapping[str, np.ndarray]:
    return {"number": np.array([(episode.index, t) for t in range(episode.length + 1)])}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> EpisodeStore:
    """The point mass with depth."""
    config = replace(point_mass.CONFIG, segmentation=False, episodes=2)
    path = tmp_path_factory.mktemp("latent") / "data"
    plain = collect(config, path, 1, "", point_mass.make_environment, point_mass.make_expert)
    return plain.with_derived(derive(plain, "number", numbered))


@pytest.fixture(scope="module")
def facts(store: EpisodeStore) -> DataFacts:
    return data_facts(store)


def build(facts: DataFacts, **settings: object) -> LatentActions:
    torch.manual_seed(0)
    return replace(CONFIG, **settings).build(facts)  # type: ignore[arg-type]


def gather(model: LatentActions, store: EpisodeStore, size: int = 4, seed: int = 0) -> LatentBatch:
    return model.collate("latent", open_windows(store, model.spec, ("front",)).batch((seed,), size))


def total(model: LatentActions, terms: Mapping[str, torch.Tensor]) -> torch.Tensor:
    return sum((model.loss_weights[name] * value.mean() for name, value in terms.items()), torch.zeros(()))


def test_codes_of_a_key_frame_know_nothing_of_later_ones(facts, store) -> None:
    model = build(facts).eval()
    seen = model.seen(gather(model, store).rgb).clone()
    changed = seen.clone()
    changed[:, 2:] += torch.randn(changed[:, 2:].shape, generator=generator())
    with torch.inference_mode():
        one, other = model._encode(seen), model._encode(changed)
    torch.testing.assert_close(one[:, 0], other[:, 0])
    assert bool(((one - other).abs().amax((2, 3))[:, 1:] > 1e-4).all())


def test_the_decoder_sees_the_present_frame_and_one_frames_codes_alone(facts, store) -> None:
    model = build(facts).eval()
    batch = gather(model, store)
    assert batch.depth_mm is not None
    codes = torch.randint(0, 8, (4, 3, 2), generator=generator())
    drawn = model.decode(batch.rgb[:, 0], batch.depth_mm[:, 0], codes).rgb.unflatten(0, (4, 3))
    codes[:, (0, 2)] = (codes[:, (0, 2)] + 1) % 8
    others = model.decode(batch.rgb[:, 0], batch.depth_mm[:, 0], codes).rgb.unflatten(0, (4, 3))
    torch.testing.assert_close(drawn[:, 1], others[:, 1])
    assert not torch.allclose(drawn[:, 0], others[:, 0])
    first = model.decode(batch.rgb[:, 0], batch.depth_mm[:, 0], codes[:, :1]).rgb
    torch.testing.assert_close(others[:, 0], first)
    with pytest.raises(UsageError, match="trained on RGB-D; decoding needs the present depth"):
        model.decode(batch.rgb[:, 0], None, codes)


def test_frames_after_the_end_are_not_trained_on(facts, store) -> None:
    model = build(facts, shift=0).eval()
    batch = gather(model, store)
    batch = replace(batch, valid=torch.tensor([[True, True, False, False]] * 4))
    garbage = batch.rgb.clone()
    garbage[:, 2:] = torch.randint(0, 256, garbage[:, 2:].shape, generator=generator()).to(torch.uint8)
    expected = model.loss("latent", batch, generator())
    found = model.loss("latent", replace(batch, rgb=garbage), generator())
    for name, value in expected.items():
        torch.testing.assert_close(value, found[name], msg=name)
    none = model.loss("latent", replace(batch, valid=batch.valid & False), generator())
    assert all(float(value.detach().abs().max()) == 0 for value in none.values())


def test_frames_after_the_end_move_neither_codebook_nor_statistics(facts, store) -> None:
    """They are read off the batch in training alone."""
    batch = gather(build(facts, shift=0), store)
    valid = torch.tensor([[True, True, False, False]] * 4)
    garbage = batch.rgb.clone()
    garbage[:, 2:] = torch.randint(0, 256, garbage[:, 2:].shape, generator=generator()).to(torch.uint8)
    models = [build(facts, shift=0).train() for _ in range(2)]
    for model, rgb in zip(models, (batch.rgb, garbage), strict=True):
        for step in range(3):
            model.loss("latent", replace(batch, rgb=rgb, valid=valid), generator(step))
    one, other = (dict(model.named_buffers()) for model in models)
    assert {"quantiser.codebook", "spread.mean"} <= one.keys()
    for name, buffer in one.items():
        torch.testing.assert_close(buffer, other[name], msg=name)
    before = dict(build(facts, shift=0).named_buffers())
    assert not torch.equal(before["spread.mean"][0], one["spread.mean"][0])
    assert torch.equal(before["spread.mean"][1:], one["spread.mean"][1:]), "no frame of theirs was inside"


def test_depth_moves_with_its_picture(facts: DataFacts, monkeypatch: pytest.MonkeyPatch) -> None:
    model = build(facts, shift=3)
    pixels = torch.arange(12 * 16, dtype=torch.uint8).view(12, 16).expand(4, 4, -1, -1)
    rgb, valid = pixels[..., None].expand(-1, -1, -1, -1, 3), torch.ones(4, 4, dtype=torch.bool)
    seen, pictures = [], model.pictures
    monkeypatch.setattr(model, "pictures", lambda *moved: seen.append(moved) or pictures(*moved))
    model.loss("latent", LatentBatch(rgb, valid, pixels.to(torch.uint16)), generator())
    ((moved, depth_mm),) = seen
    assert not torch.equal(moved, rgb)
    assert bool((moved == depth_mm[..., None].int()).all())


def test_losses_are_sums_over_later_frames(facts, store) -> None:
    """Eq. 6."""
    model = build(facts, shift=0).eval()
    batch = replace(gather(model, store), valid=torch.ones(4, 4, dtype=torch.bool))
    whole = model.loss("latent", batch, generator())
    parts = [
        model.loss("latent", replace(batch, valid=torch.arange(4).expand(4, 4) == k), generator())
        for k in (1, 2, 3)
    ]
    for name, value in whole.items():
        torch.testing.assert_close(value, sum(part[name] for part in parts))


def learn(model: LatentActions, batch: LatentBatch, steps: int) -> None:
    """The one batch."""
    optimizers, _ = make_optimizers(model, TrainingConfig(optimizer="muon", learning_rate=1e-3))
    draws = generator()
    for step in range(steps):
        total(model, model.loss("latent", batch, draws)).backward()
        for optimizer in optimizers:
            for group in optimizer.param_groups:  # it falls, so that the statistics catch up
                group["lr"] = group["peak"] * (1 - step / steps)
            optimizer.step()
            optimizer.zero_grad()


@pytest.mark.slow
def test_codes_say_what_happens_and_not_in_which_scene(facts, store) -> None:
    """Where scenes differ too, an encoder of features, not of their differences, says little else."""
    model = build(facts, shift=0, features=32, codes=16)
    batch = gather(model, store, 64, seed=3)
    learn(model, batch, 120)
    for horizon in measure_horizons(model.eval(), batch):
        assert horizon.error < 0.7 * horizon.still_error, horizon
        assert horizon.error < 0.85 * horizon.other_error, horizon


def test_codes_say_what_happens_where_the_present_frame_does_not(facts, store) -> None:
    """One present frame, several futures: nothing but the codes can tell which of them it is."""
    model = build(facts, shift=0, features=32, codes=16)
    many = gather(model, store, 64, seed=3)
    inside = [b for b in range(64) if many.valid[b].all()]
    chosen = list({many.rgb[b, 1:].numpy().tobytes(): b for b in inside}.values())
    assert len(chosen) >= 4, "different futures that lie inside their episodes"
    assert many.depth_mm is not None
    rgb, depth_mm = many.rgb[chosen], many.depth_mm[chosen]
    rgb[:, 0], depth_mm[:, 0] = rgb[0, 0].clone(), depth_mm[0, 0].clone()
    batch = LatentBatch(rgb, many.valid[chosen], depth_mm)
    learn(model, batch, 300)
    horizons = measure_horizons(model.eval(), batch)
    assert [horizon.steps for horizon in horizons] == [2, 4, 6]
    for horizon in horizons:
        assert horizon.error < 0.7 * horizon.copy_error, horizon
        assert horizon.error < 0.85 * horizon.other_error, horizon
        assert horizon.error < 0.85 * horizon.still_error, horizon
        assert horizon.still_share < 0.5, horizon
        assert 1 <= horizon.perplexity <= horizon.used <= 16
    assert max(horizon.used for horizon in horizons) >= 4


@pytest.mark.parametrize("differences", [True, False])
def test_where_nothing_happens_codes_do_not_name_the_scene(facts, store, differences: bool) -> None:
    model = build(facts, differences=differences).eval()
    seen = model.seen(gather(model, store, 16, seed=3).rgb).clone()
    still = model._encode(seen[:, :1].expand_as(seen))
    assert torch.equal(still, still[:1].expand_as(still)) == differences
    assert not torch.equal(model._encode(seen), still)


def test_a_still_clip_has_the_codes_of_its_present_frame_repeated(facts, store) -> None:
    model = build(facts, shift=0)
    batch = gather(model, store, 16, seed=3)
    model.loss("latent", batch, generator())  # so that there is more than one code
    model.eval()
    still = replace(batch, rgb=batch.rgb[:, :1].expand_as(batch.rgb))
    assert {horizon.still_share for horizon in measure_horizons(model, still)} == {1}
    for horizon in measure_horizons(model, batch):
        assert horizon.still_share < 1
        assert horizon.still_error != horizon.error


def test_a_key_frame_past_the_end_is_not_measured(facts: DataFacts) -> None:
    model = build(facts, depth=False, codes=16, shift=0)
    rgb, other = torch.randint(0, 256, (2, 8, 4, 12, 16, 3), generator=generator()).to(torch.uint8)
    valid = torch.arange(4) <= torch.tensor([[1], [2], [3], [3]] * 2)
    other[valid] = rgb[valid]
    model.loss("latent", LatentBatch(rgb, valid), generator())  # so that there is more than one code
    model.eval()
    both = (measure_horizons(model, LatentBatch(frames, valid)) for frames in (rgb, other))
    for expected, found in zip(*both, strict=True):
        assert asdict(found) == pytest.approx(asdict(expected))


def test_what_is_looked_up_is_spread_out_however_alike_the_encodings_are(facts, store) -> None:
    """An encoder that says nearly the same of everything has to get more than one code."""
    model = build(facts, shift=0, codes=16)
    last = model.down[-1]
    assert isinstance(last, torch.nn.Linear)
    with torch.no_grad():
        last.bias += 5.0
        last.weight *= 0.1
    batch = gather(model, store, 16)
    model.loss("latent", batch, generator())
    assert max(horizon.used for horizon in measure_horizons(model.eval(), batch)) >= 4


def test_features_stay_as_they_were_taught(facts, store) -> None:
    torch.manual_seed(1)
    teacher = MaskedAutoencoderConfig(size=0, vit=VIT, features=8, heads=2).build(facts)
    model = build(facts)
    assert model.wants_teacher
    model.adopt(teacher)
    assert model.vit is not None
    before = {name: value.clone() for name, value in model.vit.state_dict().items()}
    assert all(torch.equal(before[name], value) for name, value in teacher.vit.state_dict().items())
    trained = [p for group in model.parameter_groups() for p in group["params"]]
    optimizer = torch.optim.AdamW(trained, lr=1e-2, weight_decay=1.0)
    total(model, model.loss("latent", gather(model, store), generator())).backward()
    optimizer.step()
    assert all(torch.equal(before[name], value) for name, value in model.vit.state_dict().items())


def test_another_teacher_is_refused_with_the_numbers(facts) -> None:
    model = build(facts)
    other = MaskedAutoencoderConfig(size=0, vit=replace(VIT, blocks=2), features=8, heads=2).build(facts)
    with pytest.raises(DataError, match=r"blocks=2.* on 12 x 16 px, the latent actions expect .*blocks=1"):
        model.adopt(other)
    with pytest.raises(UsageError, match="come from a MaskedAutoencoder, got a Linear"):
        model.adopt(torch.nn.Linear(1, 1))


def test_codes_of_an_episode_are_those_of_its_clips_and_none_past_the_end(facts, store) -> None:
    model = build(facts).eval()
    found = store.with_derived(derive(store, "codes", LatentCodes(model), parameters="test"))
    episode = found[1]
    codes = episode.arrays["codes.side"]
    assert codes.dtype == np.int16
    assert codes.shape == (episode.length + 1, 3, 2)
    rgb, last = episode.arrays["rgb.side"], episode.length
    for t in (0, 1, last - 5, last - 1, last):
        inside = [k for k in (1, 2, 3) if t + 2 * k <= last]
        assert (codes[t, len(inside) :] == PAST_THE_END).all()
        if inside:
            clip = rgb[[t, *(t + 2 * k for k in inside)]]
            assert np.array_equal(codes[t, : len(inside)], model.codes_of(clip))


def test_a_batch_from_observations_is_the_one_from_the_store(facts, store) -> None:
    model = build(facts)
    spec = WindowSpec({**model.spec.takes, "number": Take("number", model.spec.takes["rgb"].rule)})
    windows = open_windows(store, spec, ("front",)).batch((1,), 3)
    stored = model.collate("latent", windows)
    for b in range(3):
        seen = []
        for index, frame in windows.values["number"][b].tolist():
            episode = store[index]
            environment = point_mass.make_environment(episode.case, 100)
            environment.reset()
            for action in episode.arrays["executed"][:frame]:
                environment.step(action)
            seen.append(environment.observe(replace(model.request, cameras=("front",))))
        mine = model.batch_from(seen, stored.valid[b].tolist())
        assert torch.equal(mine.rgb, stored.rgb[b : b + 1])
        assert torch.equal(mine.valid, stored.valid[b : b + 1])
        assert mine.depth_mm is not None
        assert stored.depth_mm is not None
        difference = mine.depth_mm.int() - stored.depth_mm[b : b + 1].int()
        assert int(difference.abs().max()) <= 1


def test_the_perceptual_term_is_wanted_in_training_and_nowhere_else(facts, store, tmp_path: Path) -> None:
    from torchvision.models.vgg import cfgs, make_layers

    file, vgg = tmp_path / "vgg16.pth", make_layers(cfgs["D"]).state_dict()
    torch.save({f"features.{name}": value for name, value in vgg.items()}, file)
    model = build(facts, size=32, vit=replace(VIT, patch=8), patch=8, perceptual=str(file))
    assert list(model.load_pretrained()) == [str(file)]
    assert not model.frozen()
    term = model.loss("latent", gather(model, store, 1), generator())["perceptual"]
    assert model.loss_weights["perceptual"] == 1
    term.sum().backward()
    drawing = model.head.out.weight.grad
    assert drawing is not None
    assert float(drawing.abs().sum()) > 0
    file.unlink()
    acting = build(facts, size=32, vit=replace(VIT, patch=8), patch=8, perceptual=str(file)).eval()
    acting.codes_of(store[0].arrays["rgb.front"][:4])
    with pytest.raises(DataError, match=r"vgg16\.pth: no such file; wanted are the weights of"):
        acting.load_pretrained()


def test_dinov2_looks_at_frames_as_they_were_recorded(facts, store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not at those that were made small for what draws them: it makes them large again."""

    class Dino:
        features, tokens = 3, 1

        def __init__(self, folder: str) -> None:
            self.seen: list[torch.Tensor] = []

        def __call__(self, pictures: torch.Tensor) -> torch.Tensor:
            self.seen.append(pictures)
            return pictures.mean((2, 3))[:, None]

    monkeypatch.setattr(latent_actions, "DinoV2", Dino)
    model = build(facts, dinov2="dino", size=8, shift=0)
    batch = gather(model, store)
    model.loss("latent", batch, generator())
    model.seen(batch.rgb)
    dino: Any = model.dino
    for pictures in dino.seen:
        assert torch.equal(pictures.unflatten(0, (4, 4)), to_unit(batch.rgb))


@pytest.mark.extra
def test_frozen_features_may_be_dinov2s(facts, store, tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "patch_size": 56}
    transformers.Dinov2Model(transformers.Dinov2Config(**sizes, image_size=224)).save_pretrained(tmp_path)
    model = build(facts, dinov2=str(tmp_path))
    assert not model.wants_teacher
    assert list(model.frozen()) == [str(tmp_path)]
    total(model, model.loss("latent", gather(model, store), generator())).backward()
    assert model.codes_of(store[0].arrays["rgb.front"][:4]).shape == (3, 2)
    assert not [name for name in model.state_dict() if "dino" in name]


def test_without_depth_nothing_of_it_is_asked_for(facts, store) -> None:
    model = build(facts, depth=False).eval()
    assert set(model.spec.takes) == {"rgb"}
    assert set(model.loss_weights) == {"rgb"}
    assert not model.request.depth
    rgb = store[0].arrays["rgb.front"]
    drawn = model.draw(rgb[0], None, np.zeros((3, 2), np.int64))
    assert drawn.shape == (3, *rgb[0].shape)
    assert drawn.dtype == np.uint8


@pytest.mark.parametrize(
    ("shape", "code", "message"),
    [
        ((4, 2), 0, "up to 3 key frames of 2 codes, got 4 of 2"),
        ((3, 5), 0, "up to 3 key frames of 2 codes, got 3 of 5"),
        (
            (3, 2),
            PAST_THE_END,
            r"0 … 7, got -1 … -1; recorded ones below 0 stand for key frames after the end",
        ),
        ((3, 2), 8, "0 … 7, got 8 … 8"),
    ],
)
def test_codes_that_are_none_of_the_codebook_are_not_drawn(
    facts, store, shape: tuple[int, int], code: int, message: str
) -> None:
    model = build(facts, depth=False)
    with pytest.raises(UsageError, match=message):
        model.draw(store[0].arrays["rgb.front"][0], None, np.full(shape, code))


def test_more_frames_than_there_are_codes_for_are_refused(facts, store) -> None:
    model, rgb = build(facts).eval(), np.tile(store[0].arrays["rgb.front"][:1], (5, 1, 1, 1))
    assert model.codes_of(rgb[:4]).shape == (3, 2)
    for count in (0, 5):
        with pytest.raises(UsageError, match=f"and at most 3 later ones, got {count} frames"):
            model.codes_of(rgb[:count])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"frames": 0}, "frames must be at least 1, got 0"),
        ({"batch_size": 0}, "batch_size must be at least 1, got 0"),
        ({"codes": 1}, "at least 2 codes, got 1"),
    ],
)
def test_sizes_that_make_no_sense_are_refused(settings: dict[str, int], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        replace(CONFIG, **settings)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"heads": 5}, "features must be a multiple of heads, got 64 and 5"),
        ({"heads": 0}, "heads must be at least 1, got 0"),
        ({"shift": -1}, "shift must be at least 0, got -1"),
        ({"size": -8}, "size must be at least 0, got -8"),
        ({"batch_size": 0}, "batch_size must be at least 1, got 0"),
        ({"blocks": 0}, "blocks must be at least 1, got 0"),
        ({"mask": 1.0}, "mask must lie between 0 and 1, got 1"),
    ],
)
def test_an_autoencoder_of_such_sizes_is_refused_too(settings: dict[str, float], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        MaskedAutoencoderConfig(**settings)  # type: ignore[arg-type]
