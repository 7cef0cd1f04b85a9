"""Conditions and residuals of the video imaginer."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from model_samples import VIDEO, build, gather, generator, observe_again, plan_at
from torch import Tensor

from kinesight.data.episodes import EpisodeStore
from kinesight.models.video_conditions import Condition
from kinesight.models.video_diffusion import VideoDiffusion
from kinesight.types.errors import UsageError
from kinesight.types.facts import DataFacts


def make(facts: DataFacts, **changes: float) -> VideoDiffusion:
    return replace(VIDEO, **changes).build(facts)


class Listener:
    """Stands in for a model's `_denoise` and remembers the conditions' vectors and which tokens are valid."""

    def __init__(self, model: VideoDiffusion, monkeypatch: pytest.MonkeyPatch) -> None:
        self.heard: list[Tensor] = []
        self.valid: list[Tensor | None] = []
        inner = model._denoise

        def denoise(noisy: Tensor, levels: Tensor, first: Tensor, condition: Condition) -> Tensor:
            self.heard.append(condition.pooled.detach().clone())
            self.valid.append(condition.valid)
            return inner(noisy, levels, first, condition)

        monkeypatch.setattr(model, "_denoise", denoise)


def test_the_null_condition_is_one_vector_in_training_and_sampling(facts, store, monkeypatch) -> None:
    model = make(facts, condition_dropout=1.0, guidance=0.0)
    for parameter in model.unet.parameters():  # at the start no condition has an effect
        torch.nn.init.normal_(parameter, std=0.1)
    listener = Listener(model, monkeypatch)
    batch = model.collate("imaginer", gather(model, store, 3))
    model.loss("imaginer", batch, generator())["video"].sum().backward()
    model.sample(batch, generator())
    trained, *sampled = listener.heard
    assert torch.equal(trained, model.null.detach().expand(3, -1))
    null = [condition for condition in sampled if torch.equal(condition, trained)]
    assert len(null) == model.config.steps, "at every step one of the two conditions is the null vector"
    assert model.null.grad is not None
    assert float(model.null.grad.abs().sum()) > 0


def test_dropout_takes_the_condition_of_its_share(facts, store, monkeypatch) -> None:
    model = make(facts, condition_dropout=0.3)
    listener = Listener(model, monkeypatch)
    batch = model.collate("imaginer", gather(model, store, 200))
    with torch.no_grad():
        model.loss("imaginer", batch, generator())
    dropped = (listener.heard[0] == model.null).all(1)
    assert float(dropped.float().mean()) == pytest.approx(0.3, abs=0.1)
    assert torch.equal(listener.heard[0][~dropped], model._condition(batch).pooled.detach()[~dropped])


def test_without_guidance_the_null_vector_is_not_asked(facts, store, monkeypatch) -> None:
    model = make(facts)
    listener = Listener(model, monkeypatch)
    model.sample(model.collate("imaginer", gather(model, store, 1)), generator())
    assert len(listener.heard) == model.config.steps


def test_plan_and_words_reach_the_condition(facts: DataFacts, store: EpisodeStore) -> None:
    model = build(VIDEO, facts)
    assert isinstance(model, VideoDiffusion)
    observation = observe_again(store, model, torch.tensor([0, 0]), "front")
    conditions = [
        model._condition(model.batch_from(replace(observation, instruction=text), plan)).pooled
        for text in ("go near", "go far")
        for plan in (None, plan_at(0, 0, "front"), plan_at(1, 4, "front"))
    ]
    distances = torch.cdist(torch.cat(conditions), torch.cat(conditions)).detach() + torch.eye(6)
    assert float(distances.min()) > 1e-3


@pytest.mark.parametrize("predict_data", [True, False])
def test_a_network_that_knows_the_residual_gives_back_the_clip(
    facts, store, monkeypatch, predict_data
) -> None:
    """Scaling to the network's units and back loses nothing but the rounding to 8 bits."""
    model = make(facts, residual_gain=3.0, steps=4, predict_data=predict_data)
    batch = model.collate("imaginer", gather(model, store, 2))
    assert batch.future is not None
    unit = batch.future.float().movedim(-1, 2) / 127.5 - 1
    first = batch.first.float().movedim(-1, 1)[:, None] / 127.5 - 1
    residual = 3.0 * (unit - first)

    def exact(noisy: Tensor, levels: Tensor, first: Tensor, condition: Condition) -> Tensor:
        return residual if predict_data else (residual - noisy) / levels.view(-1, 1, 1, 1, 1)

    monkeypatch.setattr(model, "_denoise", exact)
    assert torch.equal(model.sample(batch, generator()), batch.future)
    loss = model.loss("imaginer", batch, generator())["video"]
    torch.testing.assert_close(loss, torch.zeros(2), atol=1e-6, rtol=0)


def test_a_smaller_working_size_keeps_what_does_not_move_sharp(facts, store, monkeypatch) -> None:
    model = make(facts, size=facts.image_size[0] // 2, patch=1)
    batch = model.collate("imaginer", gather(model, store, 2))

    def still(noisy: Tensor, levels: Tensor, first: Tensor, condition: Condition) -> Tensor:
        return torch.zeros_like(noisy)

    monkeypatch.setattr(model, "_denoise", still)
    frames = model.sample(batch, generator())
    assert frames.shape[-3:] == batch.first.shape[-3:], "the data's size, not the network's"
    assert torch.equal(frames, batch.first[:, None].expand_as(frames))

    def bright(noisy: Tensor, levels: Tensor, first: Tensor, condition: Condition) -> Tensor:
        return model.config.residual_gain * (1 - first)[:, None].expand_as(noisy)

    monkeypatch.setattr(model, "_denoise", bright)
    assert int(model.sample(batch, generator()).min()) > 250, "where all changes the first frame is gone"


def test_training_frames_are_spread_to_the_end(facts: DataFacts, store: EpisodeStore) -> None:
    model = make(facts)
    windows = gather(model, store, 16)
    for numbers in windows.values["number.clip"].numpy():
        episode, start = numbers[0]
        expected = np.rint(np.linspace(start, store.meta(int(episode)).length, 4))
        assert np.array_equal(numbers[:, 1], expected)


def test_a_picture_that_does_not_divide_is_refused(facts: DataFacts) -> None:
    with pytest.raises(UsageError, match="12 px cannot be split into patches of 5"):
        make(facts, patch=5)
