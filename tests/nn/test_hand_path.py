"""A path is drawn where the camera sees the hand, and learned from where the hand goes."""

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from kinesight.geometry.camera import project
from kinesight.nn.hand_path import HandPath, Hands, hand_states
from kinesight.types.camera import Camera

CAMERA = Camera(
    "front",
    np.array([[60.0, 0, 30], [0, 60.0, 20], [0, 0, 1]]),
    np.array([[1.0, 0, 0, 0], [0, 0, 1, -1], [0, -1, 0, 0.2], [0, 0, 0, 1]]),
    40,
    60,
)
"""A metre in front of the origin, looking along y."""
PROPRIO = torch.tensor(
    [
        [
            [-0.1, 0.0, 0.1, 0, 0, 0, 1, 1.0],
            [0.0, 0.1, 0.1, 0, 0, 0, 1, 0.5],
            [0.2, 0.1, 0.3, 0, 0, 0, 1, 0.25],
        ],
        [
            [0.1, 0.2, 0.0, 0, 0, 0, 1, 0.0],
            [0.1, 0.2, 0.0, 0, 0, 0, 1, 0.0],
            [0.1, 0.2, 0.0, 0, 0, 0, 1, 1.0],
        ],
    ]
)


def hands() -> Hands:
    count = len(PROPRIO)
    return Hands(
        states=hand_states(PROPRIO),
        points=torch.tensor([[[0.2, 0.1, 0.3]], [[0.0, 0.0, 0.0]]]),
        T_world_camera=torch.from_numpy(CAMERA.T_world_camera).float().expand(count, 4, 4),
        K=torch.from_numpy(CAMERA.K).float().expand(count, 3, 3),
    )


def module() -> HandPath:
    torch.manual_seed(0)
    return HandPath([-1.0] * 8, [1.0] * 8, condition=6, points=1, frames=2, hidden=16)


def pooled() -> Tensor:
    return torch.randn(2, 6, generator=torch.Generator().manual_seed(1))


def test_a_path_is_the_way_from_the_present_state_in_decimetres() -> None:
    expected = [
        [[1.0, 1.0, 0.0, -0.5], [3.0, 1.0, 2.0, -0.75]],
        [[0.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0]],
    ]
    torch.testing.assert_close(hands().path, torch.tensor(expected))


def test_marks_are_where_the_camera_sees_the_hand_and_as_bright_as_it_is_open() -> None:
    seen = (CAMERA.height, CAMERA.width)
    marks = module().drawn(hands().path, hands(), seen, seen)
    assert marks.shape == (2, 2, HandPath.MARKS, *seen)
    for b in range(2):
        for frame in (1, 2):
            x, y = project(PROPRIO[b, frame : frame + 1, :3].numpy(), CAMERA)[0]
            assert 0 < x < CAMERA.width
            assert 0 < y < CAMERA.height
            where, opening = marks[b, frame - 1]
            row, column = divmod(int(where.argmax()), CAMERA.width)
            # The middle of the brightest pixel is half a pixel from the hand at most.
            assert abs(column + 0.5 - x) <= 0.51
            assert abs(row + 0.5 - y) <= 0.51
            assert where.max() > 0.8
            torch.testing.assert_close(opening, where * PROPRIO[b, frame, 7])


def test_what_a_frame_is_told_depends_on_that_frame_alone() -> None:
    path = hands().path
    moved = path.clone()
    moved[:, 1] += 1
    told, other = (module().told(each, hands()) for each in (path, moved))
    assert torch.equal(told[:, 0], other[:, 0])
    assert not torch.equal(told[:, 1], other[:, 1])


def test_a_place_in_space_is_foretold_from_the_hands_state_and_the_points() -> None:
    model, here = module(), hands()
    path = model(pooled(), here)
    states = here.states.clone()
    states[:, 0, 0] += 1
    assert not torch.allclose(model(pooled(), replace(here, states=states)), path)
    assert not torch.allclose(model(pooled(), replace(here, points=here.points + 0.1)), path)
    states = here.states.clone()
    states[:, 1:] += 1
    assert torch.equal(model(pooled(), replace(here, states=states)), path), "the future is not looked at"


def test_the_loss_is_nothing_for_a_path_that_is_right_and_noise_is_on_the_present_state() -> None:
    model, here = module(), hands()
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        right = model(pooled(), here)
    states = torch.cat([here.states[:, :1], here.states[:, :1] + right], dim=1)
    known = replace(here, states=states)
    assert torch.allclose(model.loss(pooled(), known, 0.0, generator), torch.zeros(2), atol=1e-7)
    assert bool((model.loss(pooled(), known, 0.5, generator) > 1e-5).all())
