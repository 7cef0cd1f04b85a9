"""Pictures and depth on their way into a network and out of it: shifts, squares, other sizes, metres."""

import torch
from jaxtyping import Float, Int, Integer, Shaped
from torch import Generator, Tensor
from torch.nn import functional as F


def draw_shifts(count: int, most: int, generator: Generator, device: torch.device) -> Int[Tensor, "2 b"]:
    """Rows and columns by which every example's pictures move, up to `most` pixels."""
    return torch.randint(-most, most + 1, (2, count), generator=generator, device=generator.device).to(device)


def shifted(
    pictures: Shaped[Tensor, "b t y x ..."], moves: Int[Tensor, "2 b"]
) -> Shaped[Tensor, "b t y x ..."]:
    """Every example's pictures moved alike; the border is repeated."""
    # Cutting windows out costs a fifth of gathering every pixel by its index, but asks for the moves.
    return _cut_by(pictures, moves) if pictures.device.type == "cpu" else _gathered_by(pictures, moves)


def _cut_by(pictures: Shaped[Tensor, "b t y x ..."], moves: Int[Tensor, "2 b"]) -> Tensor:
    height, width = pictures.shape[2:4]
    reach = int(moves.abs().max())
    rows = torch.arange(-reach, height + reach, device=pictures.device).clamp(0, height - 1)
    columns = torch.arange(-reach, width + reach, device=pictures.device).clamp(0, width - 1)
    padded = pictures.index_select(2, rows).index_select(3, columns)
    corners = (moves + reach).T.tolist()
    return torch.stack(
        [
            example.narrow(1, top, height).narrow(2, left, width)
            for example, (top, left) in zip(padded, corners, strict=True)
        ]
    )


def _gathered_by(pictures: Shaped[Tensor, "b t y x ..."], moves: Int[Tensor, "2 b"]) -> Tensor:
    """Without a look at the moves, so that nothing waits for a GPU."""
    example, frame, row, column = (torch.arange(n, device=pictures.device) for n in pictures.shape[:4])
    rows = (row + moves[0][:, None]).clamp(0, len(row) - 1)
    columns = (column + moves[1][:, None]).clamp(0, len(column) - 1)
    return pictures[
        example[:, None, None, None], frame[:, None, None], rows[:, None, :, None], columns[:, None, None]
    ]


def resized(frames: Float[Tensor, "b t c y x"], size: tuple[int, int]) -> Float[Tensor, "b t c h w"]:
    """Anti-aliased where it gets smaller, smooth where it gets larger."""
    if frames.shape[-2:] == size:
        return frames
    flat = F.interpolate(frames.flatten(0, 1), size, mode="bilinear", align_corners=False, antialias=True)
    return flat.unflatten(0, frames.shape[:2])


def cut_out(
    pictures: Float[Tensor, "b n c y x"], centres: Float[Tensor, "b 2"], edge: int
) -> Float[Tensor, "b n c e e"]:
    """A square out of every example's pictures, about a pixel (x, y; centres of pixels at +0.5) or, near the
    border, as close to it as the whole square lies inside."""
    corners = (centres - edge / 2).round()
    inside = torch.arange(edge, device=pictures.device)
    left, top = (
        corners[:, axis].clamp(0, pictures.shape[-1 - axis] - edge).long()[:, None] + inside
        for axis in (0, 1)
    )
    example = torch.arange(len(pictures), device=pictures.device)[:, None, None]
    return pictures[example, :, :, top[:, :, None], left[:, None, :]].permute(0, 3, 4, 1, 2)


def enlarged_over(
    sharp: Float[Tensor, "b 1 c y x"], small: Float[Tensor, "b 1 c h w"], change: Float[Tensor, "b t c h w"]
) -> Float[Tensor, "b t c y x"]:
    """Changed pictures, of which `small` is the present one, over the present one at its own size."""
    size = (sharp.shape[-2], sharp.shape[-1])
    if change.shape[-2:] == size:
        return sharp + change
    # Where something moved the small picture counts whole: its change alone, added to the sharp first
    # frame, would leave the outlines of what has gone.
    return torch.lerp(sharp, resized(small + change, size), resized(_moved(change), size))


def _moved(change: Float[Tensor, "b t c y x"]) -> Float[Tensor, "b t 1 y x"]:
    """How much a pixel or one beside it changes: 0 up to 5 %, 1 from 15 % of the full range on."""
    largest = F.max_pool2d(change.abs().amax(2), 3, stride=1, padding=1)[:, :, None]
    return ((largest - 0.1) / 0.2).clamp(0, 1)


def metres(depth_mm: Integer[Tensor, "b t y x"], size: tuple[int, int]) -> Float[Tensor, "b t 1 h w"]:
    """Stored depth in metres at another size, 0 where it is invalid.

    The nearest pixel is taken: a mean over an edge, or over a hole, is a depth that is nowhere.
    """
    depth_m = depth_mm.to(torch.float32) / 1000
    if depth_m.shape[-2:] != size:
        depth_m = F.interpolate(depth_m, size, mode="nearest-exact")
    return depth_m[:, :, None]
