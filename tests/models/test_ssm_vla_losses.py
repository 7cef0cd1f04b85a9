"""The next frame's two losses: their unit, and frames past the end."""

import torch

from kinesight.models.ssm_vla_losses import next_frame_errors
from kinesight.nn.rgbd import Frames, depth_error

NOW, WANTED, DRAWN = torch.rand(3, 3, 3, 6, 8, generator=torch.Generator().manual_seed(0))
DEPTH_M = torch.rand(3, 1, 6, 8, generator=torch.Generator().manual_seed(1)) + 0.5
FRAMES = Frames(DRAWN, torch.ones(3, 1, 6, 8), DRAWN, DEPTH_M + 0.2)
INSIDE = torch.tensor([True, False, True])


def test_both_have_the_colour_error_of_copying_for_a_unit() -> None:
    copied = (NOW - WANTED).square().mean((1, 2, 3))[INSIDE].mean()
    found = next_frame_errors(FRAMES, NOW, WANTED, DEPTH_M, INSIDE)
    torch.testing.assert_close(found["rgb"][0], (DRAWN - WANTED).square().mean((1, 2, 3))[0] / copied)
    torch.testing.assert_close(found["depth"][2], depth_error(DEPTH_M + 0.2, DEPTH_M, WANTED)[2] / copied)


def test_a_frame_past_the_end_counts_nothing() -> None:
    found = next_frame_errors(FRAMES, NOW, WANTED, DEPTH_M, INSIDE)
    assert {name: (value > 0).tolist() for name, value in found.items()} == {
        "rgb": [True, False, True],
        "depth": [True, False, True],
    }
