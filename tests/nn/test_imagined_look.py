"""A goal with the look of an imagined frame: soft and ghostly where things moved, untouched elsewhere."""

import pytest
import torch
from torch import Generator, Tensor

from kinesight.nn.imagined_look import imagined_look


def generator(seed: int = 0) -> Generator:
    return torch.Generator().manual_seed(seed)


def scene(count: int = 4) -> tuple[Tensor, Tensor]:
    """A checkered block that has moved to the right on a checkered ground: present and goal."""
    rows, columns = torch.meshgrid(torch.arange(48), torch.arange(48), indexing="ij")
    ground = (0.2 * ((rows + columns) % 2) - 0.8).expand(count, 3, 48, 48)
    block = (1.0 - 0.8 * ((rows + columns) % 2))[:12, :8].expand(count, 3, 12, 8)
    current, goal = ground.clone(), ground.clone()
    current[:, :, 10:22, 4:12] = block
    goal[:, :, 10:22, 26:34] = block
    return current, goal


def contrast(pictures: Tensor) -> float:
    """Between neighbours along a row."""
    return float((pictures[..., 1:] - pictures[..., :-1]).abs().mean())


def test_what_did_not_move_stays_to_the_bit() -> None:
    current, goal = scene()
    seen = imagined_look(goal, current, generator())
    assert torch.equal(seen[..., 30:, :], goal[..., 30:, :])
    assert torch.equal(seen[..., 10:22, 42:], goal[..., 10:22, 42:])
    assert torch.equal(imagined_look(current, current, generator()), current)


def test_what_moved_is_soft() -> None:
    current, goal = scene()
    seen = imagined_look(goal, current, generator())
    arrived = (..., slice(11, 21), slice(27, 33))
    assert contrast(seen[arrived]) < 0.5 * contrast(goal[arrived])
    assert float(seen[arrived].mean()) == pytest.approx(float(goal[arrived].mean()), abs=0.5)
    assert float(seen[arrived].mean()) > float(current[arrived].mean()) + 0.3


def test_the_present_shines_through_by_example_up_to_its_share() -> None:
    current, goal = scene(200)
    left = (..., slice(13, 19), slice(6, 10))
    ghosts = (imagined_look(goal, current, generator()) - goal)[left].mean((1, 2, 3))
    most = 0.3 * float((current - goal)[left].mean())
    assert float(ghosts.min()) < 0.2 * most
    assert 0.7 * most < float(ghosts.max()) < 1.1 * most


def test_it_is_drawn_by_the_generator() -> None:
    current, goal = scene()
    first = imagined_look(goal, current, generator(1))
    assert torch.equal(first, imagined_look(goal, current, generator(1)))
    assert not torch.equal(first, imagined_look(goal, current, generator(2)))
