"""The episode loop: when it ends, what it counts, whom it tells."""

import numpy as np
import point_mass
import pytest

from kinesight.agents.episode import motion_metrics, run_episode
from kinesight.types.decision import Decision


class Log:
    """A subscriber that keeps what it was told."""

    def start(self, case, environment) -> None:
        self.calls = ["start"]
        self.results = []

    def step(self, observation, decision, result) -> None:
        assert observation.step + 1 == result.step
        self.calls.append("step")
        self.results.append(result)

    def end(self, result) -> None:
        self.calls.append("end")
        self.result = result


class Idle:
    privileged = ()

    def reset(self, case) -> None: ...

    def request(self):
        return point_mass.ViewRequest()

    def act(self, observation) -> Decision:
        return Decision(np.zeros(4), timings_s={"plan": 0.5})


def test_an_episode_ends_at_the_first_success():
    log = Log()
    result = run_episode(point_mass.PointMass(point_mass.case(), 60), point_mass.Expert(0.0), (log,))
    assert result.success
    assert log.calls == ["start", *["step"] * result.steps, "end"]
    assert [r.success for r in log.results] == [False] * (result.steps - 1) + [True]
    assert log.result is result
    assert result.counts == {"start": 1}
    assert result.events[0].reason == "first step"
    assert set(result.timings_s) == {"act", "environment", "render", "wall"}
    assert result.timings_s["act"] == pytest.approx(0.001 * result.steps)


def test_holding_goes_on_after_the_success_and_is_not_counted():
    environment, agent, log = point_mass.PointMass(point_mass.case(), 60), point_mass.Expert(0.0), Log()
    plain = run_episode(environment, agent)
    held = run_episode(environment, agent, (log,), hold_steps=3)
    assert (held.steps, held.metrics) == (plain.steps, plain.metrics)
    assert len(log.results) == plain.steps + 3


@pytest.mark.parametrize(("limit", "steps"), [(None, 9), (4, 4)])
def test_an_idle_agent_runs_into_the_limit(limit, steps):
    environment = point_mass.PointMass(point_mass.case(task="far"), 9)
    result = run_episode(environment, Idle(), limit=limit)
    assert not result.success
    assert result.steps == steps
    assert result.timings_s["plan"] == pytest.approx(0.5 * steps)
    assert result.metrics["path_m"] == 0.0


def test_holding_stops_at_truncation():
    steps = run_episode(point_mass.PointMass(point_mass.case(), 60), point_mass.Expert(0.0)).steps
    log = Log()
    environment = point_mass.PointMass(point_mass.case(), steps + 1)
    assert run_episode(environment, point_mass.Expert(0.0), (log,), hold_steps=9).success
    assert len(log.results) == steps + 1


def test_a_limit_below_one_is_refused():
    with pytest.raises(ValueError, match="at least one step"):
        run_episode(point_mass.PointMass(point_mass.case(), 9), Idle(), limit=0)


def test_motion_metrics_of_known_paths():
    t = np.arange(10.0)[:, None]
    line = motion_metrics(t * np.array([[3.0, 4.0, 0.0]]))
    assert line["path_m"] == pytest.approx(45.0)
    assert line["jerk"] == pytest.approx(0.0)
    cubic = motion_metrics(t**3 * np.array([[1.0, 0.0, 0.0]]))
    assert cubic["jerk"] == pytest.approx(6.0)
    assert "jerk" not in motion_metrics(np.zeros((3, 3)))
