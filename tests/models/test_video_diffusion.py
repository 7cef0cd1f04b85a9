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
from kinesight.nn.masking import GREY
from kinesight.types.errors import DataError, UnknownName, UsageError
from kinesight.types.facts import DataFacts
from kinesight.types.observation import Observation
from kinesight.types.plan import SpatialPlan
from kinesight.types.video import future_steps

POINTS = ("target", "goal", "target")
"""Of the point mass, which has no gripper."""


def make(facts: DataFacts, **changes: object) -> VideoDiffusion:
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


def test_without_a_condition_there_are_no_tokens_in_training_and_sampling_alike(
    facts, store, monkeypatch
) -> None:
    model = make(facts, condition="plan-local", depth=1, condition_dropout=1.0, guidance=0.0)
    listener = Listener(model, monkeypatch)
    batch = model.collate("imaginer", gather(model, store, 3))
    model.loss("imaginer", batch, generator())
    model.sample(batch, generator())
    nulls = [
        (vector, valid)
        for vector, valid in zip(listener.heard, listener.valid, strict=True)
        if torch.equal(vector, model.null.detach().expand(3, -1))
    ]
    assert len(nulls) == 1 + model.config.steps
    assert all(valid is not None and not bool(valid.any()) for _, valid in nulls)
    told = [valid for valid in listener.valid if valid is not None and bool(valid.any())]
    assert len(told) == model.config.steps, "the other of the two conditions holds the plan"


def listening(facts: DataFacts, **changes: object) -> VideoDiffusion:
    """A model on whose output every input has an effect."""
    torch.manual_seed(0)
    model = make(facts, **changes)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return model


@pytest.mark.parametrize(
    ("condition", "hears_plan", "hears_scene"),
    [
        ("text", False, False),
        ("distance", False, True),
        ("plan-global", True, False),
        ("plan-local", True, False),
        ("plan-path", True, True),
        ("plan-points", True, True),
    ],
)
def test_each_variant_hears_what_it_is_told_and_nothing_else(
    facts: DataFacts, store: EpisodeStore, condition: str, hears_plan: bool, hears_scene: bool
) -> None:
    model = listening(facts, condition=condition, points=POINTS, depth=1)
    observation = observe_again(store, model, torch.tensor([1, 2]), "front")
    assert (observation.scene is not None) == hears_scene, "no more is asked for than is read"
    plan, other = plan_at(1, 2, "front"), plan_at(0, 0, "front")
    assert plan != other

    def imagined(observation: Observation, plan: SpatialPlan) -> np.ndarray:
        return model.imagine(observation, plan, generator()).frames

    plain = imagined(observation, plan)
    assert np.array_equal(imagined(observation, plan), plain)
    assert np.array_equal(imagined(observation, other), plain) != hears_plan
    assert not np.array_equal(imagined(replace(observation, instruction="far far"), plan), plain)
    if hears_scene:
        here, there = (with_points(observation, x) for x in (-2.0, 2.0))
        assert not np.array_equal(imagined(here, plan), imagined(there, plan))
        with pytest.raises(DataError, match=r"key 'scene\."):
            imagined(replace(observation, scene=None), plan)


def with_points(observation: Observation, x: float) -> Observation:
    """All scene points at one place in the picture."""
    assert observation.scene is not None
    points = {name: np.array([x, 0.4, 1.0]) for name in observation.scene.points}
    return replace(observation, scene=replace(observation.scene, points=points))


def test_a_local_condition_needs_a_middle_to_tell_it_to(facts: DataFacts) -> None:
    with pytest.raises(UsageError, match="'plan-local' is told by the transformer blocks, and depth is 0"):
        make(facts, condition="plan-local", depth=0)


def test_variants_take_no_keys_that_they_do_not_need(facts: DataFacts) -> None:
    assert make(facts, condition="text").spec.takes.keys() == {"clip"}
    distance = make(facts, condition="distance").spec.takes
    assert [take.key for name, take in distance.items() if name != "clip"] == [
        "scene.gripper",
        "scene.target",
        "scene.goal",
        "T_world_camera.{camera}",
    ]
    path = make(facts, condition="plan-path").spec.takes
    assert path.keys() == {*make(facts).spec.takes, *distance, "K", "hand"} - {"point2"}
    assert {take.key for name, take in path.items() if name.startswith("point")} == {
        "scene.target",
        "scene.goal",
    }, "where the hand is, the proprioception tells"
    assert make(facts, condition="plan-local").spec.takes.keys() == make(facts).spec.takes.keys()
    with pytest.raises(
        UnknownName,
        match=r"conditioning 'plan'.*Available: distance, plan-global, plan-local, plan-path, plan-points",
    ):
        make(facts, condition="plan")


@pytest.mark.extra
def test_a_frozen_text_encoder_is_heard_and_not_stored(facts, store, tmp_path) -> None:
    from test_pretrained import make_clip

    folder = make_clip(tmp_path / "clip")
    model = listening(facts, text=str(folder), condition="text")
    assert list(model.frozen()) == [str(folder)]
    assert not [name for name in model.state_dict() if name.startswith("clip")]
    batch = model.collate("imaginer", gather(model, store, 4))
    assert batch.words.shape == (4, 12, 8)
    model.loss("imaginer", batch, generator())["video"].sum().backward()
    assert float(model.language.mlp[1].weight.grad.abs().sum()) > 0
    observation = observe_again(store, model, torch.tensor([1, 2]), "front")
    assert torch.equal(
        model.batch_from(observation, None).words,
        model._words((observation.instruction,), torch.device("cpu")),
    )
    near, far = (
        model.imagine(replace(observation, instruction=text), None, generator()).frames
        for text in ("go near", "go far")
    )
    assert not np.array_equal(near, far)


def test_a_covered_first_frame_is_what_the_network_sees(facts, store, monkeypatch) -> None:
    model = make(facts, mask_imagining=1.0, mask_training=1.0)
    seen = []

    def denoise(noisy: Tensor, levels: Tensor, first: Tensor, condition: Condition) -> Tensor:
        seen.append(first)
        return torch.zeros_like(noisy)

    monkeypatch.setattr(model, "_denoise", denoise)
    observation = observe_again(store, model, torch.tensor([1, 2]), "front")
    video = model.imagine(observation, None, generator())
    assert np.array_equal(video.first, observation.views["front"].rgb), "what was seen stays known"
    model.loss("imaginer", model.collate("imaginer", gather(model, store, 2)), generator())
    for first in seen:
        torch.testing.assert_close(first, torch.full_like(first, GREY / 127.5 - 1))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"condition_dropout": 0.0, "guidance": 2.0}, "condition_dropout=0 never saw"),
        ({"condition_dropout": 1.5}, r"condition_dropout must lie in \[0, 1\], got 1.5"),
        ({"mask_training": -0.1}, "mask_training must lie in"),
        ({"from_first": 1.1}, "from_first must lie in"),
    ],
)
def test_settings_that_cannot_work_are_refused(changes: dict[str, float], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        replace(VIDEO, **changes)


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


def test_training_frames_at_a_fixed_spacing_end_with_the_episode(
    facts: DataFacts, store: EpisodeStore
) -> None:
    model = make(facts, spacing=3)
    windows = gather(model, store, 16)
    for numbers in windows.values["number.clip"].numpy():
        episode, start = numbers[0]
        last = store.meta(int(episode)).length
        assert np.array_equal(numbers[1:, 1], future_steps(int(start), last, 3, spacing=3))
    with pytest.raises(UsageError, match=r"fixed spacing has no denser parts \(fine_rate=5\.0\)"):
        make(facts, spacing=3, fine_rate=5.0)


class Foretold:
    """Stands in for a model's `_denoise` and remembers what is known of every frame."""

    def __init__(self, model: VideoDiffusion, monkeypatch: pytest.MonkeyPatch) -> None:
        self.frames: list[Tensor] = []
        inner = model._denoise

        def denoise(noisy: Tensor, levels: Tensor, first: Tensor, condition: Condition) -> Tensor:
            assert condition.frames is not None
            assert condition.marks is not None
            self.frames.append(torch.cat([condition.frames.flatten(2), condition.marks.flatten(2)], dim=-1))
            return inner(noisy, levels, first, condition)

        monkeypatch.setattr(model, "_denoise", denoise)


def with_a_path(facts: DataFacts, **changes: object) -> VideoDiffusion:
    return make(facts, condition="plan-path", points=POINTS, **changes)


def test_training_draws_along_the_true_path_and_imagining_along_the_foretold_one(
    facts, store, monkeypatch
) -> None:
    model = with_a_path(facts, condition_dropout=0.0)
    batch = model.video_batch(gather(model, store, 3))
    assert batch.hands is not None
    true = model._condition(batch, batch.hands.path)
    foretold = model._condition(batch)
    watcher = Foretold(model, monkeypatch)
    model.loss("imaginer", batch, generator())
    model.sample(batch, generator())
    in_training, *sampled = watcher.frames
    assert true.frames is not None
    assert foretold.frames is not None
    d = model.config.features
    assert torch.equal(in_training[..., :d], true.frames)
    assert not torch.equal(true.frames, foretold.frames)
    assert all(torch.equal(frames[..., :d], foretold.frames) for frames in sampled)


def test_without_a_condition_nothing_is_known_of_any_frame(facts, store, monkeypatch) -> None:
    model = with_a_path(facts, condition_dropout=1.0)
    watcher = Foretold(model, monkeypatch)
    batch = model.video_batch(gather(model, store, 3))
    model.loss("imaginer", batch, generator())
    model.sample(batch, generator())
    trained, *sampled = watcher.frames
    assert not trained.any()
    assert all(frames.any() for frames in sampled)


def test_a_path_is_learned_from_examples_without_pictures(facts, store) -> None:
    model = with_a_path(facts)
    windows = gather(model, store, 16, stream="path")
    assert not [name for name in windows.values if name.startswith("clip")]
    told = model.collate("path", windows)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    errors = []
    for _ in range(150):
        error = model.loss("path", told, generator())["path"].mean()
        optimizer.zero_grad()
        error.backward()
        optimizer.step()
        errors.append(error.item())
    assert errors[-1] < 0.1 * errors[0]


def test_a_picture_that_does_not_divide_is_refused(facts: DataFacts) -> None:
    with pytest.raises(UsageError, match="12 px cannot be split into patches of 5"):
        make(facts, patch=5)
