import numpy as np
import pytest

from kinesight.critics.stuck import StuckConfig
from kinesight.types.errors import UsageError
from kinesight.types.observation import Observation


def seen(step: int, x_m: float, gripper_open: float = 1.0) -> Observation:
    return Observation(step, "", {}, np.array([x_m, 0, 0, 0, 0, 0, 1, gripper_open]))


def test_a_moving_arm_is_never_stuck():
    monitor = StuckConfig().build()
    assert all(monitor.update(seen(step, 0.001 * step)).ok for step in range(100))


def test_a_still_arm_is_stuck_after_the_window_and_not_before():
    monitor = StuckConfig(window_steps=15).build()
    verdicts = [monitor.update(seen(step, 0.0004 * (step == 9))) for step in range(40, 60)]
    assert [verdict.ok for verdict in verdicts] == [True] * 15 + [False] * 5
    monitor.reset()
    assert monitor.update(seen(60, 0.0)).ok, "a new plan starts a new window"


def test_the_reason_holds_the_numbers():
    monitor = StuckConfig(window_steps=15).build()
    for step in range(16):
        verdict = monitor.update(seen(step, 0.0004 * (step > 7)))
    assert verdict.reason == "stuck: moved 0.4 mm in 15 steps"
    assert verdict.terms == {"moved_mm": pytest.approx(0.4), "opened": 0.0}


def test_closing_fingers_are_progress():
    monitor = StuckConfig(window_steps=5).build()
    assert all(monitor.update(seen(step, 0.0, max(1 - 0.05 * step, 0.3))).ok for step in range(15))


def test_observations_may_be_rare():
    monitor = StuckConfig(window_steps=15).build()
    verdicts = [monitor.update(seen(step, 0.0)) for step in range(0, 24, 4)]
    assert [verdict.ok for verdict in verdicts] == [True] * 4 + [False] * 2


def test_forced_goals_in_a_row_are_no_progress():
    monitor = StuckConfig(most_forced=3).build()
    assert monitor.update(seen(0, 0.0), forced_in_a_row=2).ok
    verdict = monitor.update(seen(1, 0.1), forced_in_a_row=3)
    assert (verdict.ok, verdict.reason) == (False, "stuck: 3 goals in a row were not reached")
    assert StuckConfig(most_forced=0).build().update(seen(0, 0.0), forced_in_a_row=99).ok


def test_impossible_rules_are_refused():
    with pytest.raises(UsageError, match="window_steps"):
        StuckConfig(window_steps=0)
