"""Standardising before a codebook: which statistics, of what, and when."""

import torch

from kinesight.nn.standardise import Standardise


def vectors(seed: int, rows: int = 64, frames: int = 2) -> torch.Tensor:
    """Two places of three features for each frame, far from zero and nearly all alike."""
    generator = torch.Generator().manual_seed(seed)
    offsets = torch.arange(frames * 6.0).view(frames, 2, 3)
    return 5.0 + offsets + 0.1 * torch.randn((rows, frames, 2, 3), generator=generator)


def test_in_training_a_batch_gets_mean_zero_and_variance_one_by_frame_place_and_feature() -> None:
    found = Standardise(2, 2, 3)(vectors(0))
    torch.testing.assert_close(found.mean(0), torch.zeros(2, 2, 3), atol=1e-4, rtol=0)
    torch.testing.assert_close(found.var(0, unbiased=False), torch.ones(2, 2, 3), atol=2e-3, rtol=0)


def test_the_first_batch_begins_the_statistics_and_later_ones_move_them() -> None:
    layer, first, second = Standardise(2, 2, 3, decay=0.75), vectors(0), vectors(1) + 4
    layer(first)
    torch.testing.assert_close(layer.mean, first.mean(0))
    torch.testing.assert_close(layer.variance, first.var(0, unbiased=False))
    layer(second)
    torch.testing.assert_close(layer.mean, 0.75 * first.mean(0) + 0.25 * second.mean(0))


def test_a_frame_that_is_met_later_begins_its_own_statistics() -> None:
    layer, first = Standardise(2, 2, 3), vectors(0)
    counted = torch.ones(64, 2, dtype=torch.bool)
    counted[:, 1] = False
    layer(first, counted)
    torch.testing.assert_close(layer.mean[0], first[:, 0].mean(0))
    assert not layer.mean[1].any()
    second = vectors(1)
    layer(second)
    torch.testing.assert_close(layer.mean[1], second[:, 1].mean(0))


def test_outside_of_training_every_vector_is_treated_alike_and_nothing_changes() -> None:
    layer = Standardise(2, 2, 3)
    layer(vectors(0))
    state = {name: value.clone() for name, value in layer.state_dict().items()}
    layer.eval()
    probe = vectors(1) + 3
    torch.testing.assert_close(layer(probe)[:1], layer(probe[:1]))
    torch.testing.assert_close(layer(probe).mean(), torch.tensor(30.0), atol=3, rtol=0)
    assert all(torch.equal(state[name], value) for name, value in layer.state_dict().items())
    torch.testing.assert_close(layer(probe[:, :1]), layer(probe)[:, :1])


def test_vectors_that_do_not_count_change_no_other() -> None:
    counted = (torch.arange(64) < 40)[:, None].expand(64, 2)
    one, other = vectors(0), vectors(0)
    other[40:] = 1e3
    layers = Standardise(2, 2, 3), Standardise(2, 2, 3)
    found = [layer(batch, counted)[:40] for layer, batch in zip(layers, (one, other), strict=True)]
    torch.testing.assert_close(found[0], found[1])
    torch.testing.assert_close(layers[0].mean, layers[1].mean)


def test_of_a_single_vector_there_are_no_statistics() -> None:
    layer = Standardise(2, 2, 3)
    layer(vectors(0))
    mean = layer.mean.clone()
    found = layer(vectors(1, rows=1))
    assert bool(found.isfinite().all())
    assert float(found.abs().max()) > 0
    assert torch.equal(layer.mean, mean)


def test_gradients_flow_through_the_batchs_own_statistics() -> None:
    batch = vectors(0).requires_grad_()
    Standardise(2, 2, 3)(batch).sum().backward()
    assert batch.grad is not None
    torch.testing.assert_close(batch.grad, torch.zeros_like(batch), atol=1e-3, rtol=0)
