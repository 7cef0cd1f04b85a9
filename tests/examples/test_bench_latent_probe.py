"""The probe of latent actions finds what codes tell of the way, and nothing where they tell nothing."""

import importlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from kinesight.collection.collect import collect
from kinesight.experiments import catalogue
from kinesight.experiments.runs import create_run
from kinesight.experiments.training import train_run

BENCH = Path(__file__).parents[2] / "bench"
CODES = 5


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(str(BENCH))
    return importlib.import_module("latent_probe")


def drawn(bench, seed: int, episodes: int = 40, each: int = 20):
    """Half of the way's variance is in proprioception, a part is in the codes, the rest is chance."""
    random = np.random.default_rng(seed)
    count = episodes * each
    proprio, codes = random.normal(size=(count, 4)), random.integers(0, CODES, (count, 2, 1))
    way_m = np.stack([proprio[:, :3]] * 2, axis=1)
    way_m[:, 0] += np.array([-2, -1, 0, 1, 2])[codes[:, 0]]
    way_m += random.normal(size=way_m.shape)
    episode = np.repeat(np.arange(episodes), each)
    seen = random.normal(size=(count, 6))
    return bench.Moments(episode % 2, episode, proprio, seen, codes, codes[random.permutation(count)], way_m)


def test_only_codes_of_the_very_moment_tell_more_than_is_known(bench) -> None:
    found = dict(bench.probes(drawn(bench, 0), drawn(bench, 1), CODES))
    first, second = found[0], found[1]
    assert first["known"].r2 == pytest.approx(1 / 4, abs=0.03), "of 1 + 2 + 1 parts"
    assert first["+ codes"].r2 == pytest.approx(3 / 4, abs=0.03)
    assert first["+ codes"].gain_95[0] > 0.4
    for nothing in (first["+ other moment"], second["+ codes"], second["+ other moment"]):
        low, high = nothing.gain_95
        assert low < 0.005
        assert high > -0.03
        assert nothing.gain == pytest.approx(0, abs=0.02)
    assert first["+ codes"].gain == pytest.approx(first["+ codes"].r2 - first["known"].r2)


def test_a_ridge_without_weight_is_the_line_of_least_squares(bench) -> None:
    random = np.random.default_rng(0)
    x, slopes = random.normal(size=(50, 3)), random.normal(size=(3, 2))
    line = bench.ridge(x, x @ slopes + 4, 0.0)
    np.testing.assert_allclose(line(x[:5] + 1), (x[:5] + 1) @ slopes + 4, atol=1e-9)
    flat = bench.ridge(x, x @ slopes + 4, 1e12)
    np.testing.assert_allclose(flat(x), np.broadcast_to((x @ slopes + 4).mean(0), (50, 2)), atol=1e-6)


@pytest.mark.slow
def test_a_run_is_measured_on_episodes_of_its_own_kind(bench, tmp_path: Path, capsys) -> None:
    recipe = catalogue.recipe("ssm-vla-tiny")
    recipe = replace(recipe, data=replace(recipe.data, episodes=5), stages=recipe.stages[:2])
    run = create_run(tmp_path / "run", recipe)
    train_run(run, collect(recipe.data, tmp_path / "data"))
    out = tmp_path / "out"
    bench.main(["--run", str(run.path), "--episodes", "1", "--out", str(out)])
    told = json.loads((out / "latent_probe.json").read_text())
    assert list(told["steps"]) == ["2", "4"]
    assert told["fitted"]["episodes"] == 5
    assert told["measured"]["episodes"] == 1
    assert told["versions"]["kinesight"]
    shown = capsys.readouterr().out
    assert "+ other moment" in shown
    assert f"{told['steps']['2']['+ codes']['r2']:.3f}" in shown
