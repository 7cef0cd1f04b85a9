"""The discriminator: the promises of every model, and that it learns to order clips on its scale."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from kinesight.data.episodes import DatasetInfo, Episode, EpisodeStore
from kinesight.data.windows import open_windows
from kinesight.interfaces.model import TrainableModel
from kinesight.models.realism import IMAGINED, REAL, Realism, RealismBatch, RealismConfig
from kinesight.nn.checkpoint import load_into, load_tensors, save_tensors
from kinesight.types.case import Case
from kinesight.types.errors import UsageError
from kinesight.types.facts import DataFacts
from kinesight.types.serial import from_json, to_json
from kinesight.types.video import ImaginedVideo

CONFIG = RealismConfig(batch_size=8, size=16, width=4)
SIZE = 24


def clips(count: int, real: bool, seed: int) -> np.ndarray:
    """A square that moves on, or (imagined) one that moves and leaves a pale copy behind. [b t y x 3]"""
    random = np.random.default_rng(seed)
    made = np.full((count, 4, SIZE, SIZE, 3), 100, np.uint8)
    for clip in made:
        y, x = random.integers(2, 8, 2)
        for t, frame in enumerate(clip):
            if not real and t:
                frame[y : y + 6, x : x + 6] = 150
            frame[y : y + 6, x + 3 * t : x + 3 * t + 6] = 230
    return made


def build(config: RealismConfig, facts: DataFacts) -> Realism:
    torch.manual_seed(0)
    return config.build(facts)


def batch(count: int = 8, seed: int = 0) -> RealismBatch:
    real, imagined = (torch.from_numpy(clips(count, kind, seed)) for kind in (True, False))
    return RealismBatch(real, imagined)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def trained(facts: DataFacts) -> Realism:
    model = build(CONFIG, facts).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for step in range(150):
        (term,) = model.loss("realism", batch(8, step), generator(step)).values()
        optimizer.zero_grad()
        term.mean().backward()
        optimizer.step()
    return model.eval()


def test_it_keeps_the_promises_of_a_model(facts: DataFacts) -> None:
    model = build(CONFIG, facts)
    assert isinstance(model, TrainableModel)
    terms = model.loss("realism", batch(3), generator())
    assert terms.keys() == model.loss_weights.keys()
    assert terms["realism"].shape == (3,)
    assert torch.equal(terms["realism"], model.loss("realism", batch(3), generator())["realism"])
    assert not torch.equal(terms["realism"], model.loss("realism", batch(3), generator(1))["realism"])
    terms["realism"].mean().backward()
    assert [name for name, p in model.named_parameters() if p.grad is None] == []
    grouped = [id(p) for group in model.parameter_groups() for p in group["params"]]
    assert sorted(grouped) == sorted(id(p) for p in model.parameters())
    assert from_json(RealismConfig, to_json(CONFIG)) == CONFIG


def test_what_is_told_apart_by_nothing_loses_nothing_less_than_a_coin(facts: DataFacts) -> None:
    """Equal clips with equal noise: the best answer is one half, at a cost of ln 2."""
    same = torch.from_numpy(clips(8, True, 0))
    model = build(replace(CONFIG, noise=0.0), facts)
    term = model.loss("realism", RealismBatch(same, same), generator())["realism"]
    assert bool((term >= np.log(2) - 1e-5).all())


def test_it_learns_what_is_imagined_and_its_scale_is_that_of_both_means(trained: Realism) -> None:
    unseen = batch(40, 999)
    real, imagined = trained.logits(unseen.real), trained.logits(unseen.imagined)
    assert float((real[:, None] > imagined).float().mean()) > 0.95
    scores = {
        kind: [trained.score(ImaginedVideo(c[0], c[1:], None, "")) for c in getattr(unseen, kind).numpy()]
        for kind in ("real", "imagined")
    }
    assert all(0 <= value <= 1 for values in scores.values() for value in values)
    assert np.mean(scores["real"]) > 0.7
    assert np.mean(scores["imagined"]) < 0.3
    assert np.std(scores["imagined"]) > 1e-3, "imagined clips are not all alike"


def test_before_training_it_says_nothing(facts: DataFacts) -> None:
    model = build(CONFIG, facts).eval()
    nn.init.zeros_(model.head[-1].weight)  # type: ignore[arg-type]
    nn.init.zeros_(model.head[-1].bias)  # type: ignore[arg-type]
    clip = clips(1, True, 0)[0]
    assert model.score(ImaginedVideo(clip[0], clip[1:], None, "")) == pytest.approx(0.5)


def test_the_means_move_in_training_only(facts: DataFacts) -> None:
    model = build(CONFIG, facts)
    model.eval().loss("realism", batch(), generator())
    assert float(model.mean_real) == float(model.mean_imagined) == 0
    model.train().loss("realism", batch(), generator())
    assert float(model.mean_real) != 0


def test_weights_bring_it_back_with_its_scale(trained: Realism, facts: DataFacts, tmp_path) -> None:
    path = tmp_path / "model.safetensors"
    save_tensors(trained.state_dict(), path)
    other = build(CONFIG, facts).eval()
    load_into(other, load_tensors(path), path)
    clip = clips(1, False, 5)[0]
    video = ImaginedVideo(clip[0], clip[1:], None, "")
    assert other.score(video) == trained.score(video)


def test_pairs_come_from_a_store_of_clips(facts: DataFacts, tmp_path) -> None:
    real, imagined = clips(6, True, 1), clips(6, False, 1)
    store = EpisodeStore.create(tmp_path, DatasetInfo(tasks=("push",), cameras=("front",), fps=10.0))
    store.append(Episode(0, Case("toy", "clips", 0, "mixed"), "", 6, arrays={REAL: real, IMAGINED: imagined}))
    model = build(CONFIG, facts)
    windows = open_windows(store, model.spec, facts.cameras).batch((0,), 5)
    pairs = model.collate("realism", windows)
    assert pairs.real.shape == pairs.imagined.shape == (5, 4, SIZE, SIZE, 3)
    assert torch.equal(pairs.real[:, 0], pairs.imagined[:, 0]), "a pair shares its first frame"
    for clip, other in zip(pairs.real.numpy(), pairs.imagined.numpy(), strict=True):
        assert any(
            np.array_equal(clip, r) and np.array_equal(other, i) for r, i in zip(real, imagined, strict=True)
        )


@pytest.mark.parametrize("change", [{"size": 8}, {"clips": 0}, {"width": 0}])
def test_impossible_sizes_are_refused(change: dict[str, int]) -> None:
    with pytest.raises(UsageError, match="realism needs"):
        RealismConfig(**change)
