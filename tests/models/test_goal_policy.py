"""Invalid actions, augmentation, and normalisation of the goal policy."""

from dataclasses import replace

import pytest
import torch
from model_samples import POLICY, build, gather, generator
from torch import Tensor, nn

from kinesight.data.episodes import EpisodeStore
from kinesight.models.goal_policy import GoalPolicy, _degrade_goals, _random_shift
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
    shifted = _random_shift(images, 3, generator(1))
    padded = nn.functional.pad(images.flatten(0, 1).movedim(-1, 1).float(), (3, 3, 3, 3), mode="replicate")
    padded = padded.movedim(1, -1).unflatten(0, (12, 2)).to(torch.uint8)
    moves = set()
    for before, after in zip(padded, shifted, strict=True):
        found = [
            (y, x) for y in range(7) for x in range(7) if torch.equal(before[:, y : y + 9, x : x + 11], after)
        ]
        assert len(found) == 1
        moves.update(found)
    assert len(moves) > 4
    assert torch.equal(_random_shift(images, 0, generator()), images)


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
