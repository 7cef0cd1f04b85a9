"""The action head: its velocity leads from noise to the action, in one step and in ten."""

import pytest
import torch
from torch import nn

from kinesight.nn.dit import ActionDiT
from kinesight.nn.flow_head import FlowHead
from kinesight.nn.transformer import SpaceTimeBlock


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


class Oracle(nn.Module):
    """Knows the action; its velocity is a - ε, or the one that is printed in Eq. 13."""

    def __init__(self, actions: torch.Tensor, sign: float = 1.0) -> None:
        super().__init__()
        self.actions, self.sign = actions, sign

    def forward(self, noisy: torch.Tensor, levels: torch.Tensor, context: torch.Tensor) -> torch.Tensor:
        noise = (noisy - (1 - levels)[:, None, None] * self.actions) / levels[:, None, None]
        return self.sign * (self.actions - noise)


@pytest.fixture
def actions() -> torch.Tensor:
    return 2 * torch.rand(3, 5, 4, generator=generator(7)) - 1


def head_with(network: nn.Module) -> FlowHead:
    head = FlowHead(4, 5, 6, 8, 1, 2)
    head.dit = network  # type: ignore[assignment]
    return head


@pytest.mark.parametrize("steps", [1, 10])
def test_the_true_velocity_reaches_the_action(actions: torch.Tensor, steps: int) -> None:
    found = head_with(Oracle(actions)).sample(torch.zeros(3, 6), steps, generator())
    torch.testing.assert_close(found, actions, atol=1e-5, rtol=0)


def test_the_velocity_as_printed_leads_away(actions: torch.Tensor) -> None:
    noise = torch.randn((3, 5, 4), generator=generator())
    found = head_with(Oracle(actions, sign=-1)).sample(torch.zeros(3, 6), 1, generator())
    torch.testing.assert_close(found, 2 * noise - actions, atol=1e-5, rtol=0)


def test_the_true_velocity_has_no_loss_and_actions_after_the_end_have_none_either(
    actions: torch.Tensor,
) -> None:
    valid = torch.ones(3, 5, dtype=torch.bool)
    repeated = actions.repeat_interleave(4, 0)
    none = head_with(Oracle(repeated)).loss(torch.zeros(3, 6), actions, valid, 4, generator())
    assert none.shape == (3,)
    torch.testing.assert_close(none, torch.zeros(3), atol=1e-8, rtol=0)

    wrong = repeated.clone()
    wrong[:, 3:] += 5
    late = head_with(Oracle(wrong))
    valid[:, 3:] = False
    torch.testing.assert_close(
        late.loss(torch.zeros(3, 6), actions, valid, 4, generator()), torch.zeros(3), atol=1e-8, rtol=0
    )
    valid[0, 3] = True
    some = late.loss(torch.zeros(3, 6), actions, valid, 4, generator())
    assert float(some[0]) > 1
    assert float(some[1:].abs().max()) < 1e-8
    valid[:] = False
    assert bool(late.loss(torch.zeros(3, 6), actions, valid, 4, generator()).isfinite().all())


def test_the_dit_says_nothing_at_first_and_learns_from_its_condition() -> None:
    torch.manual_seed(0)
    dit = ActionDiT(4, 5, 6, 16, 2, 2)
    noisy, levels = torch.randn(8, 5, 4), torch.rand(8)
    condition = torch.randn(8, 6)
    assert torch.equal(dit(noisy, levels, condition), torch.zeros(8, 5, 4))
    wanted = condition[:, :4, None].transpose(1, 2).expand(-1, 5, -1)
    optimizer = torch.optim.Adam(dit.parameters(), lr=1e-2)
    for _ in range(80):
        loss = (dit(noisy, levels, condition) - wanted).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert float(loss.detach()) < 0.05


def test_space_time_attention_never_looks_ahead() -> None:
    torch.manual_seed(0)
    block = SpaceTimeBlock(8, 2)
    x = torch.randn(2, 4, 3, 8, requires_grad=True)
    block(x)[:, 1].square().sum().backward()
    assert x.grad is not None
    seen = x.grad.abs().sum((0, 2, 3)) > 0
    assert seen.tolist() == [True, True, False, False]
    x.grad = None
    block(x)[:, 3, 0].square().sum().backward()
    assert bool((x.grad[:, 3].abs().sum((0, 2)) > 0).all()), "all tokens of its own frame"
