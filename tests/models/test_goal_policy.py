"""Invalid actions, augmentation, and normalisation of the goal policy."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from model_samples import POLICY, build, gather, generator, observe_again
from torch import Tensor, nn

from kinesight.data.episodes import EpisodeStore
from kinesight.geometry.camera import project
from kinesight.models.goal_policy import CALIBRATION, NULL_GOAL, GoalPolicy, _degrade_goals, _drop_goals
from kinesight.nn.layers import to_unit
from kinesight.nn.pictures import draw_shifts, shifted
from kinesight.types.camera import Camera
from kinesight.types.errors import DataError, UsageError
from kinesight.types.facts import DataFacts


@pytest.fixture
def policy(facts: DataFacts) -> GoalPolicy:
    model = build(replace(POLICY, noise_draws=2, proprio_noise=0.0, goal_degradation=0.0), facts)
    assert isinstance(model, GoalPolicy)
    return model


class Disturbed(nn.Module):
    """A network whose predictions are wrong by far at chosen places; it remembers them."""

    def __init__(self, inner: nn.Module, disturbance: Tensor) -> None:
        super().__init__()
        self.inner, self.disturbance = inner, disturbance

    def forward(self, noisy: Tensor, levels: Tensor, condition: Tensor) -> Tensor:
        self.prediction = self.inner(noisy, levels, condition) + self.disturbance
        self.prediction.retain_grad()
        return self.prediction


def test_actions_past_the_end_count_for_nothing(policy: GoalPolicy, store: EpisodeStore) -> None:
    batch = policy.collate("policy", gather(policy, store, 4))
    valid = torch.tensor([[True] * 4, [True, True, False, False], [True, False, False, False], [False] * 4])
    batch = replace(batch, valid=valid)
    plain = policy.loss("policy", batch, generator())["action"]
    disturbance = 50.0 * (~valid).repeat_interleave(2, 0)[..., None]
    policy.unet = disturbed = Disturbed(policy.unet, disturbance)
    terms = policy.loss("policy", batch, generator())["action"]
    assert torch.equal(terms, plain)
    assert float(terms[3].detach()) == 0
    terms.sum().backward()
    assert disturbed.prediction.grad is not None
    touched = disturbed.prediction.grad.abs().sum(-1) > 0
    assert torch.equal(touched, valid.repeat_interleave(2, 0))


def test_the_mean_is_over_the_valid_actions(policy: GoalPolicy, store: EpisodeStore) -> None:
    class Zero(nn.Module):
        def forward(self, noisy: Tensor, levels: Tensor, condition: Tensor) -> Tensor:
            return torch.zeros_like(noisy)

    policy.unet = Zero()
    batch = policy.collate("policy", gather(policy, store, 200))
    few = replace(batch, valid=torch.zeros(200, 4, dtype=torch.bool).index_fill_(1, torch.tensor([0]), True))
    for each in (replace(batch, valid=torch.ones(200, 4, dtype=torch.bool)), few):
        # The target is noise of variance one, however many actions count.
        assert float(policy.loss("policy", each, generator())["action"].mean()) == pytest.approx(1, abs=0.1)


def test_the_store_marks_actions_past_the_end(policy: GoalPolicy, store: EpisodeStore) -> None:
    windows = gather(policy, store, 64)
    batch = policy.collate("policy", windows)
    for b in range(64):
        episode, start = windows.values["number.current"][b, 0].tolist()
        length = store.meta(episode).length
        assert batch.valid[b].tolist() == [start + i < length for i in range(4)]
        expected = torch.from_numpy(store[episode].arrays["action"][start : start + 4])
        assert torch.equal(batch.actions[b, : len(expected)], expected)


def test_shift_moves_both_images_alike_and_repeats_the_border() -> None:
    images = torch.randint(0, 256, (12, 2, 9, 11, 3), generator=generator(), dtype=torch.uint8)
    moved = shifted(images, draw_shifts(12, 3, generator(1), images.device))
    padded = nn.functional.pad(images.flatten(0, 1).movedim(-1, 1).float(), (3, 3, 3, 3), mode="replicate")
    padded = padded.movedim(1, -1).unflatten(0, (12, 2)).to(torch.uint8)
    moves = set()
    for before, after in zip(padded, moved, strict=True):
        found = [
            (y, x) for y in range(7) for x in range(7) if torch.equal(before[:, y : y + 9, x : x + 11], after)
        ]
        assert len(found) == 1
        moves.update(found)
    assert len(moves) > 4
    assert torch.equal(shifted(images, draw_shifts(12, 0, generator(), images.device)), images)


def test_only_a_share_of_the_goals_is_degraded() -> None:
    images = torch.rand(400, 2, 3, 8, 8, generator=generator())
    degraded = _degrade_goals(images, 0.3, generator(1))
    assert torch.equal(degraded[:, 0], images[:, 0])
    changed = (degraded[:, 1] != images[:, 1]).flatten(1).any(1)
    assert float(changed.float().mean()) == pytest.approx(0.3, abs=0.08)
    assert float((degraded - images)[changed].mean()) == pytest.approx(0, abs=0.01)
    assert torch.equal(_degrade_goals(images, 0.0, generator()), images)


def test_coordinates_are_normalised_and_constant_ones_are_ignored(
    policy: GoalPolicy, facts: DataFacts
) -> None:
    low, high = torch.tensor(facts.proprio_low), torch.tensor(facts.proprio_high)
    varies = high - low > 2e-3
    assert 3 <= int(varies.sum()) < 8
    for edge, value in ((low, -1.0), (high, 1.0)):
        scaled = (edge - policy.proprio_centre) * policy.proprio_gain
        torch.testing.assert_close(scaled, torch.where(varies, value, 0.0))


def test_the_null_goal_is_one_picture_in_training_and_acting(facts: DataFacts, store: EpisodeStore) -> None:
    """No blur, noise or shift touches it, and no goal, guidance and dropout mean the same."""
    config = replace(POLICY, goal_dropout=1.0, guidance=2.0, goal_degradation=1.0, shift=2)
    policy = build(config, facts)
    assert isinstance(policy, GoalPolicy)
    seen: list[Tensor] = []
    policy.image = Remembers(policy.image, seen)
    policy.loss("policy", policy.collate("policy", gather(policy, store, 3)), generator())
    observation = observe_again(store, policy, torch.tensor([1, 2]), "front")
    goal = observation.views["front"].rgb
    policy.act(observation, goal, generator())
    policy.act(observation, None, generator())
    training, given, free, none, free_again = (images[:, 3:] for images in seen)
    null = torch.full_like(free, NULL_GOAL)
    assert torch.equal(training, null.expand_as(training))
    for images in (free, none, free_again):
        assert torch.equal(images, null)
    assert not torch.equal(given, null)
    current = to_unit(torch.from_numpy(goal)[None, None])[:, 0]
    for images in seen[1:]:
        assert torch.equal(images[:, :3], current), "the present picture stays"


class Remembers(nn.Module):
    """An image encoder that keeps what it was shown."""

    def __init__(self, inner: nn.Module, seen: list[Tensor]) -> None:
        super().__init__()
        self.inner, self.seen = inner, seen

    def forward(self, images: Tensor) -> Tensor:
        self.seen.append(images.detach().clone())
        return self.inner(images)


def test_goals_are_dropped_in_their_share() -> None:
    images = torch.rand(400, 2, 3, 4, 4, generator=generator())
    dropped = _drop_goals(images, 0.3, generator(1))
    assert torch.equal(dropped[:, 0], images[:, 0])
    gone = (dropped[:, 1] == NULL_GOAL).flatten(1).all(1)
    assert float(gone.float().mean()) == pytest.approx(0.3, abs=0.07)
    assert torch.equal(dropped[~gone], images[~gone])
    assert _drop_goals(images, 0.0, generator()) is images


def test_guidance_leads_away_from_the_null_goal(facts: DataFacts, store: EpisodeStore) -> None:
    """Scale 0 acts as without a goal; the plain scale as the same weights without guidance."""
    guided = replace(POLICY, goal_dropout=0.5, objective="flow")
    chunks = {}
    for scale in (0.0, 1.0, 3.0):
        policy = build(replace(guided, guidance=scale), facts)
        torch.manual_seed(1)
        for parameter in policy.parameters():
            nn.init.normal_(parameter, std=0.2)
        observation = observe_again(store, policy, torch.tensor([1, 2]), "front")
        goal = observe_again(store, policy, torch.tensor([1, 5]), "front").views["front"].rgb
        chunks[scale] = [policy.act(observation, each, generator()).actions for each in (goal, None)]
    np.testing.assert_allclose(chunks[0.0][0], chunks[1.0][1], atol=1e-6)
    for scale in (0.0, 3.0):
        np.testing.assert_allclose(chunks[scale][1], chunks[1.0][1], atol=1e-5)
    assert not np.allclose(chunks[1.0][0], chunks[1.0][1], atol=1e-3)
    assert not np.allclose(chunks[3.0][0], chunks[1.0][0], atol=1e-3)


def test_points_are_read_from_the_scene_in_the_hands_unit(facts: DataFacts, store: EpisodeStore) -> None:
    policy = build(replace(POLICY, points=("target", "goal"), proprio_noise=0.0), facts)
    assert isinstance(policy, GoalPolicy)
    observation = observe_again(store, policy, torch.tensor([1, 2]), "front")
    assert observation.scene is not None
    proprio = policy.batch_from(observation, None).proprio[0]
    points = [torch.from_numpy(observation.scene.points[name]).float() for name in ("target", "goal")]
    torch.testing.assert_close(proprio, torch.cat([torch.from_numpy(observation.proprio), *points]))
    for name in ("proprio_centre", "proprio_gain"):
        bounds = getattr(policy, name)
        assert bounds.shape == (14,)
        for place in (8, 11):
            assert torch.equal(bounds[place : place + 3], bounds[:3])
    with pytest.raises(DataError, match=r"key 'scene\.target'"):
        policy.batch_from(replace(observation, scene=None), None)


def test_imagenet_weights_are_read_when_training_begins(facts: DataFacts, tmp_path) -> None:
    from torchvision import models

    file = tmp_path / "resnet18.pth"
    torch.save(models.resnet18(weights=None).state_dict(), file)
    policy = build(replace(POLICY, encoder="resnet18", encoder_weights=str(file)), facts)
    assert isinstance(policy, GoalPolicy)
    weight = policy.image.trunk.layer1[0].conv1.weight
    before = weight.detach().clone()
    assert list(policy.load_pretrained()) == [str(file)]
    assert not torch.equal(weight, before)
    assert policy.frozen() == {}
    close = build(replace(POLICY, encoder="resnet18", encoder_weights=str(file), close_up=8), facts)
    assert isinstance(close, GoalPolicy)
    close.load_pretrained()
    for encoder in (close.image, close.close):
        assert torch.equal(encoder.trunk.layer1[0].conv1.weight, weight), "the close-up's encoder too"
    assert build(POLICY, facts).load_pretrained() == {}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"guidance": 2.0}, "goal_dropout=0 never saw"),
        ({"goal_dropout": 2.0}, r"goal_dropout must lie in \[0, 1\], got 2.0"),
        ({"encoder_weights": "resnet50.pth"}, "encoder_weights are a ResNet's, the encoder is 'small-cnn'"),
        ({"head": "transformer"}, "action head 'transformer'.*Available: mlp, unet"),
        ({"size": -1}, "size must not be negative, got -1"),
        ({"close_up": -6}, "close_up must not be negative, got -6"),
        ({"goal_nearest": 17, "goal_farthest": 4}, "0 <= nearest <= farthest"),
    ],
)
def test_settings_that_cannot_work_are_refused(
    facts: DataFacts, changes: dict[str, object], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        replace(POLICY, **changes).build(facts)


def test_the_close_up_is_the_pictures_square_about_the_hand(facts: DataFacts, store: EpisodeStore) -> None:
    model = build(replace(POLICY, close_up=6, shift=0, proprio_noise=0.0, goal_degradation=0.0), facts)
    assert isinstance(model, GoalPolicy)
    windows = gather(model, store, 5)
    batch = model.collate("policy", windows)
    assert batch.hands is not None
    seen: list[Tensor] = []
    assert model.close is not None
    model.close.register_forward_hook(lambda module, inputs, output: seen.append(inputs[0]))
    model.loss("policy", batch, generator())
    (squares,) = seen
    height, width = facts.image_size
    inner = torch.tensor([width, height]) - 3
    assert ((batch.hands > 3) & (batch.hands < inner)).all(1).any(), "some squares are not at the border"
    for b in range(5):
        T_world_camera, K = (windows.values[name][b, 0].numpy() for name in CALIBRATION)
        hand = project(
            windows.values["proprio"][b, :, :3].numpy(), Camera("", K, T_world_camera, height, width)
        )[0]
        np.testing.assert_allclose(batch.hands[b], hand, atol=1e-2)
        left, top = (
            int(np.clip(round(float(at) - 3), 0, most - 6))
            for at, most in zip(batch.hands[b], (width, height), strict=True)
        )
        whole = to_unit(batch.images[b : b + 1])[0].flatten(0, 1)
        torch.testing.assert_close(squares[b], whole[:, top : top + 6, left : left + 6])


def test_a_close_up_larger_than_the_picture_is_refused(facts: DataFacts) -> None:
    with pytest.raises(UsageError, match="close_up=99"):
        build(replace(POLICY, close_up=99), facts)
