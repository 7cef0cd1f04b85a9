"""The next frame's two losses: their unit, and frames past the end."""

from dataclasses import replace

import pytest
import torch

from kinesight.models import ssm_vla_losses
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


def test_the_unit_is_that_of_all_processes_together(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = replace(FRAMES, depth_m=None)
    alone = next_frame_errors(plain, NOW, WANTED, None, torch.ones(3, dtype=torch.bool))["rgb"]
    first, rest = slice(0, 1), slice(1, None)
    elsewhere = iter([(NOW - WANTED)[rest].square().mean((1, 2, 3)).sum(), torch.tensor(2)])
    monkeypatch.setattr(ssm_vla_losses, "summed", lambda own: own + next(elsewhere))
    drawn = Frames(DRAWN[first], FRAMES.changed[first], DRAWN[first], None)
    one = next_frame_errors(drawn, NOW[first], WANTED[first], None, torch.tensor([True]))["rgb"]
    torch.testing.assert_close(one, alone[first])
