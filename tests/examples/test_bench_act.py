"""The bench of acting runs on recipes of every kind of policy."""

import importlib
from pathlib import Path

import pytest

BENCH = Path(__file__).parents[2] / "bench"


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(str(BENCH))
    return importlib.import_module("act")


def test_a_policy_with_a_close_up_is_timed_acting_and_learning(bench) -> None:
    found = bench.acting("spatial-policy-tiny", 1)
    assert found["act_s"] > 0
    assert found["training_steps_per_s"] > 0
    assert found["actions"] > 1
