"""Shapes, starting values and symmetries of the networks."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from kinesight.geometry.plan_frame import offsets_to_plan
from kinesight.nn.action_mlp import ActionMLP
from kinesight.nn.conditions import (
    PlacedPlanEncoder,
    PlanEncoder,
    TokenPool,
    WordEncoder,
    positions_and_offsets,
)
from kinesight.nn.encoders import ENCODERS, SpatialSoftmax, image_encoder
from kinesight.nn.layers import FiLM, GatedCrossAttention, TransformerBlock, group_norm, sinusoidal
from kinesight.nn.masking import GREY, covered
from kinesight.nn.unet1d import ActionUNet
from kinesight.nn.video_unet import SpaceTimeBlock, VideoUNet, coarsest_edge
from kinesight.types.camera import Camera
from kinesight.types.errors import UnknownName
from kinesight.types.plan import MAX_ROWS, NO_DIRECTION, PAD_VERB


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


# Image encoders


@pytest.mark.parametrize("name", ENCODERS)
def test_encoders(name: str) -> None:
    encoder = image_encoder(name, 6, 16)
    image = torch.randn(2, 6, 32, 40, requires_grad=True)
    features = encoder(image)
    assert features.shape == (2, 16)
    assert not [m for m in encoder.modules() if isinstance(m, _BatchNorm)]
    assert any(isinstance(m, nn.GroupNorm) for m in encoder.modules())
    features.square().sum().backward()
    assert image.grad is not None
    # Every channel and the picture's corners are looked at.
    assert bool((image.grad.abs().amax((0, 2, 3)) > 0).all())
    assert float(image.grad[:, :, -3:, -3:].abs().max()) > 0


def test_encoders_of_one_example_do_not_see_the_others() -> None:
    encoder, images = image_encoder("small-cnn", 3, 8), torch.randn(3, 3, 24, 24)
    torch.testing.assert_close(encoder(images)[1:2], encoder(images[1:2]), atol=1e-5, rtol=1e-4)


def test_unknown_encoder_is_answered_with_the_list() -> None:
    with pytest.raises(UnknownName, match=r"small-cnn"):
        image_encoder("small_cnn", 3, 8)


@pytest.mark.parametrize(("row", "column"), [(0, 0), (2, 5), (4, 8)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_spatial_softmax_finds_a_peak_in_single_precision(row: int, column: int, dtype: torch.dtype) -> None:
    x = torch.zeros(1, 1, 5, 9, dtype=dtype)
    x[0, 0, row, column] = 100
    with torch.autocast("cpu", torch.bfloat16, enabled=dtype == torch.bfloat16):
        position = SpatialSoftmax()(x)
    assert position.dtype == torch.float32
    torch.testing.assert_close(position.detach(), torch.tensor([[2 * column / 8 - 1, 2 * row / 4 - 1]]))


# Layers


def test_film_is_the_identity_at_the_start_and_scales_and_shifts_then() -> None:
    film, x = FiLM(5, 3), torch.randn(2, 3, 4, 6)
    condition = torch.randn(2, 5)
    assert torch.equal(film(x, condition), x)
    film.linear.bias.data = torch.tensor([1.0, 0, 0, 0, 0, 7])
    expected = x.clone()
    expected[:, 0] *= 2
    expected[:, 2] += 7
    torch.testing.assert_close(film(x, condition), expected)


def test_a_transformer_block_is_the_identity_at_the_start_and_knows_no_order() -> None:
    block, x, condition = TransformerBlock(8, 2, 6), torch.randn(2, 5, 8), torch.randn(2, 6)
    assert torch.equal(block(x, condition), x)
    for parameter in block.parameters():
        nn.init.normal_(parameter, std=0.3)
    order = torch.tensor([3, 0, 4, 1, 2])
    torch.testing.assert_close(
        block(x, condition)[:, order], block(x[:, order], condition), atol=1e-5, rtol=1e-5
    )
    assert float((block(x, condition) - block(x, -condition)).detach().abs().max()) > 1e-3


def test_levels_are_told_apart() -> None:
    features = sinusoidal(torch.linspace(0, 1, 101), 32)
    distances = torch.cdist(features, features) + 10 * torch.eye(101)
    assert float(distances.min()) > 0.1


@pytest.mark.parametrize("channels", [1, 3, 16, 24, 48, 64, 100, 256])
def test_groups_divide_the_channels(channels: int) -> None:
    assert channels % group_norm(channels).num_groups == 0


def opened(block: GatedCrossAttention) -> GatedCrossAttention:
    nn.init.constant_(block.gates, 0.7)
    return block


def test_a_closed_gate_is_the_identity_and_lets_a_gradient_to_itself() -> None:
    block, x, others = GatedCrossAttention(8, 2, 6), torch.randn(2, 5, 8), torch.randn(2, 3, 6)
    valid = torch.ones(2, 3, dtype=torch.bool)
    assert torch.equal(block(x, others, valid), x)
    block(x, others, valid).square().sum().backward()
    assert block.gates.grad is not None
    assert bool((block.gates.grad.abs() > 0).all()), "else it would never open"


def test_an_open_gate_sees_valid_tokens_in_any_order_and_no_others() -> None:
    block, x, others = opened(GatedCrossAttention(8, 2, 6)), torch.randn(1, 5, 8), torch.randn(1, 3, 6)
    valid = torch.tensor([[True, True, False]])
    plain = block(x, others, valid)
    torch.testing.assert_close(block(x, others[:, [1, 0, 2]], valid), plain)
    others[0, 2] = torch.randn(6)
    assert torch.equal(block(x, others, valid), plain)
    others[0, 1] = torch.randn(6)
    assert not torch.allclose(block(x, others, valid), plain, atol=1e-3)
    # Each token looks for itself.
    torch.testing.assert_close(block(x[:, :1], others, valid), block(x, others, valid)[:, :1])


def test_nothing_to_look_at_is_always_the_same_and_finite() -> None:
    block, x = opened(GatedCrossAttention(8, 2, 6)), torch.randn(1, 5, 8)
    none = torch.zeros(1, 3, dtype=torch.bool)
    first, second = (block(x, torch.randn(1, 3, 6), none) for _ in range(2))
    assert torch.equal(first, second)
    first.sum().backward()
    assert all(p.grad is not None and bool(p.grad.isfinite().all()) for p in block.parameters())


# Covered pictures


def test_pictures_are_covered_by_blocks_of_their_own() -> None:
    images = torch.randint(0, 100, (40, 2, 24, 16, 3), dtype=torch.uint8)
    hidden = covered(images, 0.3, torch.Generator().manual_seed(1))
    grey = (hidden == GREY).all(-1)
    assert torch.equal(hidden[~grey], images[~grey])
    blocks = grey.unflatten(2, (8, 3)).unflatten(4, (8, 2))
    assert torch.equal(blocks.amax((3, 5)), blocks.amin((3, 5))), "whole cells of an 8 x 8 grid"
    assert float(grey.float().mean()) == pytest.approx(0.3, abs=0.03)
    assert not torch.equal(grey[:, 0], grey[:, 1])
    assert torch.equal(covered(images, 0.3, torch.Generator().manual_seed(1)), hidden)
    assert covered(images, 0.0, torch.Generator()) is images
    assert bool((covered(images, 1.0, torch.Generator()) == GREY).all())


# Networks of the actions


@pytest.mark.parametrize("horizon", [1, 4])
def test_action_mlp_listens_to_all_it_is_given(horizon: int) -> None:
    mlp = ActionMLP(3, horizon, 5, (16, 8))
    noisy, levels, condition = torch.randn(2, horizon, 3), torch.rand(2), torch.randn(2, 5)
    plain = mlp(noisy, levels, condition)
    assert plain.shape == noisy.shape
    for changed in (
        mlp(-noisy, levels, condition),
        mlp(noisy, 1 - levels, condition),
        mlp(noisy, levels, -condition),
    ):
        assert not torch.allclose(changed, plain, atol=1e-4)
    torch.testing.assert_close(mlp(noisy[:1], levels[:1], condition[:1]), plain[:1])


@pytest.mark.parametrize("horizon", range(1, 18))
def test_action_unet_takes_any_horizon(horizon: int) -> None:
    unet = ActionUNet(4, 6, (8, 16, 16))
    noisy, levels, condition = torch.randn(2, horizon, 4), torch.rand(2), torch.randn(2, 6)
    assert unet(noisy, levels, condition).shape == noisy.shape


def test_action_unet_starts_without_condition_and_learns_one() -> None:
    unet = ActionUNet(2, 3, (8, 16))
    noisy = torch.randn(2, 4, 2)

    def outputs() -> Tensor:
        pairs = ((0.1, 0.0), (0.9, 0.0), (0.1, 5.0))
        every = [unet(noisy, torch.full((2,), s), torch.full((2, 3), c)) for s, c in pairs]
        return torch.stack(every).detach()

    first = outputs()
    assert torch.equal(first[0], first[1])
    assert torch.equal(first[0], first[2])
    for module in unet.modules():
        if isinstance(module, FiLM):
            nn.init.normal_(module.linear.weight)
    level, condition = (outputs()[0] - outputs()[1:]).abs().amax((1, 2, 3))
    assert float(level) > 1e-3
    assert float(condition) > 1e-3


# Video U-Net


def video_unet(patch: int, **changes: object) -> VideoUNet:
    sizes = {"base": 8, "multipliers": (1, 2), "blocks": 1, "frames": 5, "grid": (2, 2), "heads": 2}
    return VideoUNet(channels=3, outputs=3, context_channels=3, condition=8, patch=patch, **sizes | changes)


@pytest.mark.parametrize("patch", [1, 2, 4])
@pytest.mark.parametrize(("multipliers", "blocks"), [((1,), 1), ((1, 2), 2), ((1, 2, 3), 1)])
def test_video_unet_keeps_the_shape(patch: int, multipliers: tuple[int, ...], blocks: int) -> None:
    height, width = (patch * 2 ** (len(multipliers) - 1) * n for n in (2, 3))
    unet = video_unet(patch, multipliers=multipliers, blocks=blocks, grid=(2, 3))
    noisy = torch.randn(2, 5, 3, height, width)
    assert unet(noisy, noisy[:, 0], torch.randn(2, 8)).shape == noisy.shape
    assert unet(noisy[:, :3], noisy[:, 0], torch.randn(2, 8)).shape == noisy[:, :3].shape


def test_frames_are_mixed_and_examples_are_not() -> None:
    unet = video_unet(2)
    for parameter in unet.parameters():
        nn.init.normal_(parameter, std=0.2)
    noisy, condition = torch.randn(2, 5, 3, 8, 8), torch.randn(2, 8)
    changed = noisy.clone()
    changed[0, 2] += 1
    difference = (unet(noisy, noisy[:, 0], condition) - unet(changed, noisy[:, 0], condition)).abs()
    by_frame = difference.amax((2, 3, 4))
    assert bool((by_frame[0] > 2e-5).all()), "changing one frame changes all frames of its video"
    assert float(by_frame[1].detach().max()) < 1e-6, "and no other video"


def test_first_frame_and_condition_reach_every_frame() -> None:
    unet = video_unet(2)
    for parameter in unet.parameters():
        nn.init.normal_(parameter, std=0.2)
    noisy, condition = torch.randn(1, 5, 3, 8, 8), torch.randn(1, 8)
    plain = unet(noisy, noisy[:, 0], condition)
    for other in (unet(noisy, noisy[:, 1], condition), unet(noisy, noisy[:, 0], -condition)):
        assert bool(((plain - other).abs().amax((0, 2, 3, 4)) > 1e-4).all())


def test_a_network_with_closed_gates_is_the_one_without_tokens() -> None:
    torch.manual_seed(3)
    plain = video_unet(2, depth=2)
    torch.manual_seed(3)
    told = video_unet(2, depth=2, tokens=6)
    beginning = told.state_dict()
    assert all(torch.equal(beginning[name], value) for name, value in plain.state_dict().items())
    for name, parameter in plain.named_parameters():  # at the start no condition has an effect
        nn.init.normal_(parameter, std=0.2)
        told.get_parameter(name).data.copy_(parameter.data)
    noisy, condition = torch.randn(2, 5, 3, 8, 8), torch.randn(2, 8)
    valid = torch.tensor([[True, True, False, False]] * 2)

    def run(tokens: Tensor) -> Tensor:
        return told(noisy, noisy[:, 0], condition, tokens, valid).detach()

    tokens = torch.randn(2, 4, 6)
    without = plain(noisy, noisy[:, 0], condition).detach()
    assert torch.equal(run(tokens), without)
    for block in told.local:
        assert isinstance(block, GatedCrossAttention)
        opened(block)
    assert not torch.allclose(run(tokens), without, atol=1e-3)
    hidden = torch.where(valid[..., None], tokens, torch.randn(2, 4, 6))
    torch.testing.assert_close(run(hidden), run(tokens))
    assert not torch.allclose(run(tokens.flip(0)), run(tokens), atol=1e-3)


def test_time_is_not_mixed_at_the_start() -> None:
    block = SpaceTimeBlock(4, 4, 8)
    x = torch.randn(2 * 5, 4, 6, 7)
    assert torch.equal(block._mix_in_time(x, 5), x)
    assert torch.equal(block(x, torch.randn(10, 8), 5), x), "a block is the identity at the start"


def test_coarsest_edge() -> None:
    assert coarsest_edge(96, 4, (1, 2, 3)) == 6
    assert coarsest_edge(90, 4, (1, 2, 3)) == 0


# Conditions


def plan(
    rows: list[tuple[int, int, float]], distance_of_padding: float = 0.0
) -> tuple[Tensor, Tensor, Tensor]:
    rows = rows + [(PAD_VERB, NO_DIRECTION, distance_of_padding)] * (MAX_ROWS - len(rows))
    verbs, directions, distances = zip(*rows, strict=True)
    return torch.tensor([verbs]), torch.tensor([directions]), torch.tensor([distances])


def pooled_plan(*tables: tuple[Tensor, Tensor, Tensor]) -> list[Tensor]:
    torch.manual_seed(1)
    encoder, pool = PlanEncoder(16, 8), TokenPool(16, MAX_ROWS)
    nn.init.normal_(pool.place)
    return [pool(*encoder(*table)) for table in tables]


def test_padded_rows_do_not_count_and_the_order_of_rows_does() -> None:
    rows = [(0, 4, 0.2), (2, 13, 0.0)]
    plain, padded, turned, longer = pooled_plan(
        plan(rows), plan(rows, 9.0), plan(rows[::-1]), plan([*rows, rows[0]])
    )
    assert torch.equal(plain, padded)
    assert not torch.allclose(plain, turned, atol=1e-4)
    assert not torch.allclose(plain, longer, atol=1e-4)


def test_rows_that_are_looked_at_know_their_place() -> None:
    encoder = PlacedPlanEncoder(16)
    tokens, valid = encoder(*plan([(0, 4, 0.2), (0, 4, 0.2)]))
    assert valid.sum() == 2
    assert not torch.allclose(tokens[0, 0], tokens[0, 1], atol=1e-4)


def rigid(generator: np.random.Generator) -> np.ndarray:
    """A random rotation and translation [4 4]."""
    motion = np.eye(4)
    rotation, _ = np.linalg.qr(generator.normal(size=(3, 3)))
    motion[:3, :3] = rotation * np.sign(np.linalg.det(rotation))
    motion[:3, 3] = generator.normal(size=3)
    return motion


def test_coordinates_are_those_of_the_plan_frame_and_do_not_depend_on_the_worlds() -> None:
    generator = np.random.default_rng(0)
    points, pose, motion = generator.normal(size=(3, 3)), rigid(generator), rigid(generator)

    def coordinates(points: np.ndarray, pose: np.ndarray) -> Tensor:
        return positions_and_offsets(torch.from_numpy(points)[None], torch.from_numpy(pose)[None])[0]

    found = coordinates(points, pose)
    camera = Camera("any", np.eye(3), pose, 4, 4)
    expected = offsets_to_plan(np.stack([points[0] - pose[:3, 3], *np.diff(points, axis=0)]), camera)
    torch.testing.assert_close(found, torch.from_numpy(expected).flatten())
    moved = points @ motion[:3, :3].T + motion[:3, 3]
    torch.testing.assert_close(coordinates(moved, motion @ pose), found)
    assert not torch.allclose(coordinates(points, motion @ pose), found)


def test_an_empty_plan_has_a_finite_vector_and_gradient() -> None:
    encoder, pool = PlanEncoder(16, 8), TokenPool(16, MAX_ROWS)
    pooled = pool(*encoder(*plan([])))
    assert bool(pooled.isfinite().all())
    pooled.sum().backward()
    assert all(p.grad is None or bool(p.grad.isfinite().all()) for p in pool.parameters())


def test_padded_words_do_not_count_and_the_order_of_words_does() -> None:
    words, pool = WordEncoder(9, 16), TokenPool(16, 6)
    nn.init.normal_(pool.place)
    sentences = torch.tensor([[5, 3, 0, 0], [3, 5, 0, 0]])
    tokens, valid = words(sentences)
    assert valid.tolist() == [[True, True, False, False]] * 2
    plain, turned = pool(tokens, valid)
    assert not torch.allclose(plain, turned, atol=1e-4)
    words.embedding.weight.data[0] += 3
    torch.testing.assert_close(pool(*words(sentences))[0], plain)
    short = pool(*words(sentences[:, :2]))[0]
    torch.testing.assert_close(short, plain, atol=1e-5, rtol=1e-5)
