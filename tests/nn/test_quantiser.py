"""The codebook: nearest codes, straight-through gradients, restarts, and what may change it."""

import math

import pytest
import torch
from torch.nn import functional as F

from kinesight.nn.quantiser import Quantiser, perplexity


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def trained(batches: list[torch.Tensor], codes: int, seed: int = 0, **settings: float) -> Quantiser:
    torch.manual_seed(5)
    quantiser = Quantiser(codes, batches[0].shape[-1], **settings)
    draws = generator(seed)
    for batch in batches:
        quantiser(batch, generator=draws)
    return quantiser


def clusters(count: int, features: int = 6) -> torch.Tensor:
    """Directions that lie well apart."""
    basis = torch.eye(features)
    return torch.cat([basis, -basis])[:count]


def around(centres: torch.Tensor, each: int, seed: int) -> torch.Tensor:
    noise = 0.05 * torch.randn((each, *centres.shape), generator=generator(seed))
    return (centres + noise).flatten(0, 1)[None]


def test_a_vector_gets_its_nearest_code_by_brute_force() -> None:
    quantiser = trained([torch.randn(4, 32, 5, generator=generator(1))], 8).eval()
    vectors = 3 * torch.randn(3, 7, 5, generator=generator(2))
    found = quantiser(vectors)
    unit = F.normalize(vectors, dim=-1)
    distances = (unit[:, :, None] - quantiser.codebook).square().sum(-1)
    assert torch.equal(found.codes, distances.argmin(-1))
    torch.testing.assert_close(found.commitment, distances.amin(-1), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(found.vectors, quantiser.embed(found.codes), atol=1e-6, rtol=0)
    torch.testing.assert_close(quantiser.codebook.norm(dim=-1), torch.ones(8), atol=1e-5, rtol=0)


def test_gradients_pass_to_the_vector_as_if_it_had_not_been_replaced() -> None:
    quantiser = trained([torch.randn(4, 32, 5, generator=generator(1))], 8).eval()
    vectors = torch.randn(2, 3, 5, generator=generator(3), requires_grad=True)
    weight = torch.randn(2, 3, 5, generator=generator(4))
    (quantiser(vectors).vectors * weight).sum().backward()
    plain = vectors.detach().clone().requires_grad_()
    (F.normalize(plain, dim=-1) * weight).sum().backward()
    torch.testing.assert_close(vectors.grad, plain.grad)


def test_the_commitment_draws_a_vector_to_its_code() -> None:
    quantiser = trained([torch.randn(4, 32, 5, generator=generator(1))], 8).eval()
    vectors = torch.randn(2, 3, 5, generator=generator(3), requires_grad=True)
    before = quantiser(vectors).commitment
    (pull,) = torch.autograd.grad(before.sum(), vectors)
    assert bool((quantiser(vectors - 0.01 * pull).commitment < before).all())


def test_no_code_is_wasted_and_clusters_get_their_own() -> None:
    centres = clusters(10)
    quantiser = trained([around(centres, 8, seed) for seed in range(60)], 16).eval()
    found = quantiser(around(centres, 20, 99))
    assert len(found.codes.unique()) >= 15
    assert perplexity(found.codes, 16) > 11
    assert int(((quantiser.codebook @ centres.T).amax(0) > 0.97).sum()) >= 7


def test_a_dead_code_is_put_on_a_vector_of_the_batch_and_a_used_one_is_not() -> None:
    old, new = clusters(2), clusters(12)[8:9]
    quantiser = trained([around(old, 16, seed) for seed in range(5)], 3)
    kept = quantiser.codebook.clone()
    quantiser.uses[:] = torch.tensor([0.5, 0.5, 0.0])
    quantiser(around(new, 16, 1), generator=generator())
    assert float(quantiser.codebook[2] @ new[0]) > 0.95
    torch.testing.assert_close(quantiser.codebook[:2], kept[:2])


def test_without_restarts_codes_stay_dead() -> None:
    """What the restart is there for."""
    centres = clusters(8)
    batches = [around(centres, 8, seed) for seed in range(40)]
    with_restarts = trained(batches, 8, dead_below=0.5).eval()
    torch.manual_seed(5)
    without = Quantiser(8, 6, dead_below=0.0)
    for batch in batches:
        without(batch, generator=generator())
    without.eval()
    probe = around(centres, 20, 77)
    assert len(with_restarts(probe).codes.unique()) > len(without(probe).codes.unique())


def test_only_training_and_only_counted_vectors_change_the_codebook() -> None:
    quantiser = trained([around(clusters(4), 8, 0)], 4)
    state = {name: value.clone() for name, value in quantiser.state_dict().items()}
    stray = around(clusters(12)[9:], 8, 1)
    quantiser.eval()(stray)
    for name, value in quantiser.state_dict().items():
        assert torch.equal(value, state[name])
    quantiser.train()
    mixed = torch.cat([around(clusters(4), 6, 2), stray], dim=1)
    counted = torch.arange(mixed.shape[1])[None] < 24
    quantiser(mixed, counted, generator())
    alone = trained([around(clusters(4), 8, 0)], 4)
    alone.load_state_dict(state)
    alone(mixed[:, :24], None, generator())
    torch.testing.assert_close(quantiser.codebook, alone.codebook)
    before = quantiser.codebook.clone()
    quantiser(stray, torch.zeros(stray.shape[:2], dtype=torch.bool), generator())
    torch.testing.assert_close(quantiser.codebook, before)


def test_batches_of_no_counted_vector_leave_no_code_dead() -> None:
    quantiser = trained([around(clusters(4), 8, 0)], 4)
    uses, codebook = quantiser.uses.clone(), quantiser.codebook.clone()
    stray = around(clusters(12)[9:], 8, 1)
    for _ in range(300):
        quantiser(stray, torch.zeros(stray.shape[:2], dtype=torch.bool), generator())
    torch.testing.assert_close(quantiser.uses, uses)
    torch.testing.assert_close(quantiser.codebook, codebook)


def test_vectors_of_no_direction_make_no_codes() -> None:
    """As of a batch of clips in which nothing moves."""
    batch = torch.cat([torch.zeros(1, 6, 4), torch.randn(1, 2, 4, generator=generator(3))], dim=1)
    still = trained([torch.zeros(2, 6, 4)], 8)
    torch.testing.assert_close(still.codebook.norm(dim=-1), torch.ones(8))
    mixed = trained([batch], 2)
    closest = F.normalize(batch[0, 6:], dim=-1) @ mixed.codebook.T
    torch.testing.assert_close(closest.amax(0), torch.ones(2), msg="both are codes")
    assert set(closest.argmax(0).tolist()) == {0, 1}


def test_the_generator_alone_decides_the_restarts() -> None:
    batches = [around(clusters(12), 4, seed) for seed in range(3)]
    first, again, other = trained(batches, 6), trained(batches, 6), trained(batches, 6, seed=1)
    assert torch.equal(first.codebook, again.codebook)
    assert not torch.equal(first.codebook, other.codebook)


def test_more_codes_than_vectors_is_no_error() -> None:
    quantiser = trained([torch.randn(1, 3, 4, generator=generator())], 8)
    assert bool(quantiser.codebook.isfinite().all())


def test_perplexity_is_one_for_one_code_and_their_number_for_all_alike() -> None:
    assert perplexity(torch.zeros(50, dtype=torch.long), 32) == pytest.approx(1)
    assert perplexity(torch.arange(32).repeat(3), 32) == pytest.approx(32)
    assert perplexity(torch.tensor([0, 0, 0, 1]), 2) == pytest.approx(
        math.exp(-0.75 * math.log(0.75) - 0.25 * math.log(0.25))
    )
