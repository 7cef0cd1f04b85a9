"""RGB-D frames: pasting, and the losses of Eq. 4 and 5 in closed form."""

import math

import numpy as np
import pytest
import torch

from kinesight.nn.pictures import _gathered_by, cut_out, draw_shifts, metres, shifted
from kinesight.nn.rgbd import FrameHead, Frames, depth_error, edge_weight, moving, moving_error, pasted
from kinesight.nn.vit import as_patches, from_patches, patch_grid
from kinesight.types.errors import UsageError


def flat(value: float, size: int = 4) -> torch.Tensor:
    return torch.full((1, 3, size, size), value)


def test_without_edges_the_depth_error_is_the_log_error_along_both_axes() -> None:
    wanted = torch.full((1, 1, 4, 4), 2.0)
    found = depth_error(wanted + 0.5, wanted, flat(0.3))
    assert float(found) == pytest.approx(2 * math.log(1.5))


def test_an_edge_weighs_the_pixels_beside_it_and_no_others() -> None:
    rgb = flat(0.0)
    rgb[..., 2:] = 1.0
    weight = edge_weight(rgb, -1)
    assert weight.shape == (1, 1, 4, 3)
    assert weight[0, 0, 0].tolist() == pytest.approx([1, math.exp(-1), 1])
    wanted = torch.ones(1, 1, 4, 4)
    wrong_at_edge, wrong_elsewhere = wanted.clone(), wanted.clone()
    wrong_at_edge[..., 1] += 1
    wrong_elsewhere[..., 0] += 1
    assert float(depth_error(wrong_at_edge, wanted, rgb)) < float(depth_error(wrong_elsewhere, wanted, rgb))


def test_invalid_depth_is_not_trained_on() -> None:
    wanted = torch.full((1, 1, 4, 4), 1.5)
    wanted[..., 0, :] = 0
    drawn = wanted + 0.25
    before = float(depth_error(drawn, wanted, flat(0.5)))
    drawn[..., 0, :] = 1000.0
    assert float(depth_error(drawn, wanted, flat(0.5))) == pytest.approx(before)
    assert float(depth_error(drawn, torch.zeros_like(wanted), flat(0.5))) == 0


def test_a_head_that_says_nothing_nearly_copies() -> None:
    torch.manual_seed(0)
    head = FrameHead(8, 2, (2, 2), depth=True)
    torch.nn.init.zeros_(head.out.weight)
    torch.nn.init.zeros_(head.out.bias)
    rgb, depth_m = torch.rand(2, 3, 4, 4), torch.full((2, 1, 4, 4), 1.2)
    depth_m[:, :, 0, 0] = 0
    drawn = head(torch.randn(2, 4, 8), rgb, depth_m)
    changed = torch.sigmoid(torch.tensor(-2.0))
    torch.testing.assert_close(drawn.rgb, torch.lerp(rgb, torch.full_like(rgb, 0.5), changed))
    assert drawn.depth_m is not None
    assert bool((drawn.depth_m[:, :, 0, 0] > 0.5).all()), "a hole is filled, not copied"
    torch.testing.assert_close(
        drawn.depth_m[:, :, 1, 1], torch.lerp(depth_m[:, :, 1, 1], torch.tensor(math.log(2)), changed)
    )


def test_what_was_not_drawn_stays_as_sharp_as_it_was() -> None:
    now = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    changed = torch.zeros(2, 1, 4, 4)
    changed[1, :, :2] = 1
    frames = Frames(torch.zeros(2, 3, 4, 4), changed, torch.ones(2, 3, 4, 4), None)
    still, half = pasted(now, frames)
    assert np.array_equal(still, now)
    assert np.array_equal(half[6:], now[6:])
    assert (half[:2] == 255).all()


def test_the_error_counts_where_something_moves() -> None:
    now, later = flat(0.5), flat(0.5)
    later[..., 0, 0] = 0.9
    region = moving(now, later)
    assert region.sum() == 1
    assert moving_error(now, later, region) == pytest.approx(0.4)
    assert math.isnan(moving_error(now, later, region & False))


def test_patches_are_put_back_where_they_were() -> None:
    pictures = torch.randn(2, 4, 6, 8)
    assert torch.equal(from_patches(as_patches(pictures, 2), 2, (3, 4)), pictures)
    with pytest.raises(UsageError, match="9 x 8 px cannot be cut into patches of 2 x 2"):
        patch_grid((9, 8), 2)


@pytest.mark.parametrize("shape", [(2, 3, 5, 6, 3), (2, 3, 5, 6)])
def test_every_frame_of_an_example_moves_alike(shape: tuple[int, ...]) -> None:
    pictures = torch.arange(math.prod(shape)).view(shape)
    moved = shifted(pictures, torch.tensor([[1, 0], [0, -2]]))
    assert torch.equal(moved[0, :, :-1], pictures[0, :, 1:])
    assert torch.equal(moved[0, :, -1], pictures[0, :, -1]), "the border is repeated"
    assert torch.equal(moved[1, :, :, 2:], pictures[1, :, :, :-2])
    drawn = draw_shifts(200, 3, torch.Generator().manual_seed(0), torch.device("cpu"))
    assert (int(drawn.min()), int(drawn.max())) == (-3, 3)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int32])
@pytest.mark.parametrize("shape", [(7, 3, 5, 6, 3), (7, 1, 9, 4)])
def test_no_move_is_looked_at_where_that_would_wait_for_a_gpu(
    shape: tuple[int, ...], dtype: torch.dtype
) -> None:
    """A device without values refuses every look at them; moved pictures are the same as on a CPU."""
    pictures = torch.randint(0, 200, shape, dtype=dtype)
    moves = torch.tensor([[0, 1, -2, 3, -8, 9, 4], [0, -3, 1, 2, 7, -9, 0]])  # some beyond the picture
    moved = _gathered_by(pictures, moves)
    assert moved.is_contiguous()
    assert torch.equal(moved, shifted(pictures, moves))
    elsewhere = shifted(pictures.to("meta"), moves.to("meta"))
    assert (elsewhere.shape, elsewhere.dtype) == (pictures.shape, dtype)


def test_depth_is_never_mixed_over_an_edge() -> None:
    depth_mm = torch.tensor([[0, 0, 800, 800], [0, 0, 800, 800], [3000] * 4, [3000] * 4])[None, None]
    small = metres(depth_mm.to(torch.uint16), (2, 2))
    assert small.shape == (1, 1, 1, 2, 2)
    assert small.flatten().tolist() == pytest.approx([0, 0.8, 3, 3])


def test_a_square_is_cut_out_about_its_centre_and_inside_the_picture() -> None:
    pictures = torch.arange(4 * 2 * 1 * 7 * 11, dtype=torch.float32).reshape(4, 2, 1, 7, 11)
    centres = torch.tensor([[5.0, 4.0], [0.0, 7.0], [11.0, 0.0], [-1e4, -1e4]])
    squares = cut_out(pictures, centres, 4)
    assert squares.shape == (4, 2, 1, 4, 4)
    for square, picture, (left, top) in zip(squares, pictures, [(3, 2), (0, 3), (7, 0), (0, 0)], strict=True):
        assert torch.equal(square, picture[..., top : top + 4, left : left + 4])
