"""Closed forms of noising and sampling."""

import math

import pytest
import torch
from torch import Tensor

from kinesight.nn.objectives import (
    OBJECTIVES,
    Diffusion,
    FlowMatching,
    Objective,
    Regression,
    cosine_alpha_bar,
    linear_alpha_bar,
    objective,
    with_guidance,
)
from kinesight.types.errors import UnknownName

DIFFUSIONS = [
    Diffusion(prediction, schedule, chain)
    for prediction in ("epsilon", "v", "x0")
    for schedule, chain in (("cosine", 100), ("linear", 1000))
]
ALL = [FlowMatching(), *DIFFUSIONS]


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def chain_levels(count: int) -> Tensor:
    return torch.linspace(1 / count, 1, count, dtype=torch.float64)


@pytest.mark.parametrize("each", DIFFUSIONS, ids=str)
def test_split_inverts_corrupt_and_target_at_every_level(each: Diffusion) -> None:
    levels = chain_levels(each.chain)
    data, noise = random(each.chain, 3, 2), random(each.chain, 3, 2, seed=1)
    noisy = each.corrupt(data, noise, levels)
    clean, epsilon = each.split(each.target(data, noise, levels), noisy, levels)
    torch.testing.assert_close(clean, data, atol=1e-9, rtol=0)
    torch.testing.assert_close(epsilon, noise, atol=1e-9, rtol=0)


@pytest.mark.parametrize("each", ALL, ids=str)
def test_predicted_data_become_the_target(each: Objective) -> None:
    levels = chain_levels(100)[20:]  # above the bound on the division
    data, noise = random(80, 3), random(80, 3, seed=1)
    found = each.from_data(data, each.corrupt(data, noise, levels), levels)
    torch.testing.assert_close(found, each.target(data, noise, levels), atol=1e-9, rtol=0)


@pytest.mark.parametrize("schedule", ["cosine", "linear"])
@pytest.mark.parametrize("prediction", ["epsilon", "v"])
def test_what_the_network_predicts_does_not_change_the_sampler(prediction: str, schedule: str) -> None:
    """Any guess at the clean data leads to the same samples, whether it is given as x, ε or v."""

    def guess(noisy: Tensor, levels: Tensor) -> Tensor:
        return torch.tanh(noisy + levels[:, None])

    def turned(noisy: Tensor, levels: Tensor) -> Tensor:
        return other.from_data(guess(noisy, levels), noisy, levels)

    plain, other = Diffusion("x0", schedule, 100), Diffusion(prediction, schedule, 100)
    noise = random(6, 3)
    # Five steps: the last level is above the bound on the division.
    torch.testing.assert_close(other.sample(turned, noise, 5), plain.sample(guess, noise, 5))


def test_regression_names_the_data_at_once() -> None:
    calls: list[tuple[Tensor, Tensor]] = []

    def network(noisy: Tensor, levels: Tensor) -> Tensor:
        calls.append((noisy, levels))
        return noisy + 0.5

    each, data, noise = Regression(), random(5, 2), random(5, 2, seed=1)
    levels = each.draw_levels(5, torch.Generator())
    assert torch.equal(each.target(data, noise, levels), data)
    assert torch.equal(each.from_data(data, noise, levels), data)
    assert torch.equal(each.sample(network, noise, 10), torch.full((5, 2), 0.5, dtype=noise.dtype))
    ((empty, level),) = calls
    assert torch.equal(empty, each.corrupt(data, noise, levels)), "acted with as trained"
    assert torch.equal(level, levels)


def test_bias_moves_the_levels_towards_noise() -> None:
    levels = [FlowMatching(bias).draw_levels(4000, torch.Generator().manual_seed(0)) for bias in (0.0, 1.5)]
    assert float(levels[0].mean()) == pytest.approx(0.5, abs=0.02)
    assert float(levels[1].mean()) > 0.75


def test_a_velocity_leads_from_any_level_to_data_and_noise() -> None:
    levels = torch.linspace(0, 1, 21, dtype=torch.float64)
    data, noise, flow = random(21, 5), random(21, 5, seed=1), FlowMatching()
    noisy, velocity = flow.corrupt(data, noise, levels), flow.target(data, noise, levels)
    torch.testing.assert_close(noisy + levels[:, None] * velocity, data)
    torch.testing.assert_close(noisy - (1 - levels[:, None]) * velocity, noise)


@pytest.mark.parametrize("each", ALL, ids=str)
def test_level_zero_is_clean_data_and_level_one_nearly_noise(each: Objective) -> None:
    data, noise = random(4, 6), random(4, 6, seed=1)
    assert torch.equal(each.corrupt(data, noise, torch.zeros(4)), data)
    torch.testing.assert_close(each.corrupt(data, noise, torch.ones(4)), noise, atol=0.15, rtol=0)


@pytest.mark.parametrize("schedule", ["cosine", "linear"])
def test_signal_is_one_at_level_zero_and_falls(schedule: str) -> None:
    alpha_bar = Diffusion("v", schedule).alpha_bar(torch.linspace(0, 1, 101))
    assert float(alpha_bar[0]) == 1.0
    assert bool((alpha_bar.diff() <= 0).all())
    assert 0 < float(alpha_bar[-1]) < 2e-3


def test_linear_schedule_is_the_ddpm_product() -> None:
    betas = [1e-4 + (2e-2 - 1e-4) * i / 999 for i in range(1000)]
    products = torch.tensor(
        [math.prod(1 - b for b in betas[: n + 1]) for n in range(1000)], dtype=torch.float64
    )
    torch.testing.assert_close(linear_alpha_bar(chain_levels(1000), 1000), products, atol=1e-9, rtol=0)


def test_a_shorter_linear_chain_reaches_the_same_noise() -> None:
    long, short = (linear_alpha_bar(torch.ones(1), chain) for chain in (1000, 100))
    assert 0.3 < float(long / short) < 3


def test_cosine_schedule_is_nichol_and_dhariwals() -> None:
    def f(level: float) -> float:
        return math.cos((level + 0.008) / 1.008 * math.pi / 2) ** 2

    expected = torch.tensor([f(n / 50) / f(0) for n in range(50)], dtype=torch.float64)
    levels = torch.arange(50, dtype=torch.float64) / 50
    torch.testing.assert_close(cosine_alpha_bar(levels), expected.clamp_min(1e-3))


@pytest.mark.parametrize("steps", [1, 7, 50])
@pytest.mark.parametrize("each", ALL, ids=str)
def test_the_exact_denoiser_of_a_point_mass_leads_to_it(each: Objective, steps: int) -> None:
    point = random(1, 3)

    def exact(noisy: Tensor, levels: Tensor) -> Tensor:
        levels = levels.to(noisy.dtype)
        if isinstance(each, FlowMatching):
            return (point - noisy) / levels[:, None]
        assert isinstance(each, Diffusion)
        alpha_bar = each.alpha_bar(levels)[:, None]
        noise = (noisy - alpha_bar.sqrt() * point) / (1 - alpha_bar).sqrt()
        return each.target(point, noise, levels)

    samples = each.sample(exact, random(6, 3, seed=2), steps)
    torch.testing.assert_close(samples, point.expand(6, 3), atol=1e-5, rtol=0)


@pytest.mark.parametrize("each", ALL, ids=str)
def test_the_exact_denoiser_of_a_gaussian_gives_its_mean_and_deviation(each: Objective) -> None:
    mean, deviation = 0.7, 0.5

    def exact(noisy: Tensor, levels: Tensor) -> Tensor:
        """E[target | noisy] of x ~ N(mean, deviation²), from the moments of two jointly normal variables."""
        levels = levels.to(noisy.dtype)[:1]
        one, zero = torch.ones(1, 1, dtype=noisy.dtype), torch.zeros(1, 1, dtype=noisy.dtype)
        signal, sigma = each.corrupt(one, zero, levels), each.corrupt(zero, one, levels)
        from_data, from_noise = each.target(one, zero, levels), each.target(zero, one, levels)
        covariance = from_data * signal * deviation**2 + from_noise * sigma
        gain = covariance / (signal**2 * deviation**2 + sigma**2)
        return from_data * mean + gain * (noisy - signal * mean)

    samples = each.sample(exact, random(4000, 1), 400)
    assert float(samples.mean()) == pytest.approx(mean, abs=0.04)
    assert float(samples.std()) == pytest.approx(deviation, abs=0.02)


@pytest.mark.parametrize("name", sorted(OBJECTIVES.keys() - {"regression"}))
def test_levels_are_drawn_in_the_unit_interval_from_the_generator(name: str) -> None:
    def draw() -> Tensor:
        return objective(name).draw_levels(500, torch.Generator().manual_seed(3))

    assert torch.equal(draw(), draw())
    assert 0 < float(draw().min()) < 0.25
    assert 0.8 < float(draw().max()) <= 1


def test_clipping_bounds_the_predicted_data() -> None:
    clipped = Diffusion("epsilon", clip=1.0)
    data, noise = clipped.split(random(5, 2), 100 * random(5, 2, seed=1), torch.full((5,), 0.9))
    assert float(data.abs().max()) <= 1
    sample = clipped.corrupt(data, noise, torch.full((5,), 0.9))
    torch.testing.assert_close(sample, 100 * random(5, 2, seed=1))


def test_the_bound_is_the_models() -> None:
    for name in ("epsilon", "epsilon-linear", "x0"):
        for bound in (1.0, 6.0):
            each = objective(name, bound)
            assert isinstance(each, Diffusion)
            data, _ = each.split(torch.full((1, 1), -1e9), torch.zeros(1, 1), torch.ones(1))
            assert abs(float(data)) == bound


def test_guidance() -> None:
    def conditioned(noisy: Tensor, levels: Tensor) -> Tensor:
        return noisy + 1

    def free(noisy: Tensor, levels: Tensor) -> Tensor:
        return 2 * noisy

    noisy, levels = random(3, 2), torch.ones(3)
    for scale, expected in ((1.0, noisy + 1), (0.0, 2 * noisy), (3.0, 3 * (noisy + 1) - 2 * 2 * noisy)):
        torch.testing.assert_close(with_guidance(conditioned, free, scale)(noisy, levels), expected)
    assert with_guidance(conditioned, free, 1.0) is conditioned, "one network is run, not two"


def test_an_unknown_name_is_answered_with_the_list() -> None:
    with pytest.raises(UnknownName, match=r"'epsilon'.*Available: epsilon, epsilon-linear, flow, "):
        objective("epsilom")
