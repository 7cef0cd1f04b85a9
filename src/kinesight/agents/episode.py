"""One episode of any agent in any environment: observe, act, step, tell the subscribers."""

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np
from jaxtyping import Float

from kinesight.interfaces.agent import Agent
from kinesight.interfaces.environment import Environment
from kinesight.interfaces.subscriber import Subscriber
from kinesight.types.decision import Event
from kinesight.types.observation import ViewRequest
from kinesight.types.results import EpisodeResult


def run_episode(
    environment: Environment,
    agent: Agent,
    subscribers: Sequence[Subscriber] = (),
    limit: int | None = None,
    hold_steps: int = 0,
) -> EpisodeResult:
    """Reset both and act until the first success, truncation, or `limit` steps.

    After a success the agent goes on for `hold_steps` steps, for those who record; the result counts steps up
    to the success. `timings_s` holds the agent's own stages, "environment" (reset and steps), "render" (what
    the agent asked to see) and "wall", which includes the subscribers.
    """
    if limit is not None and limit < 1:
        raise ValueError(f"an episode needs a limit of at least one step, got {limit}")
    timings: Counter[str] = Counter()
    events: list[Event] = []
    positions: list[Float[np.ndarray, "3"]] = []
    with _timed(timings, "wall"):
        with _timed(timings, "environment"):
            result = environment.reset()
        agent.reset(environment.case)
        for subscriber in subscribers:
            subscriber.start(environment.case, environment)
        steps, succeeded_at = 0, None
        while not result.truncated and steps != limit:
            if succeeded_at is not None and steps >= succeeded_at + hold_steps:
                break
            with _timed(timings, "render"):
                observation = environment.observe(agent.request())
            decision = agent.act(observation)
            with _timed(timings, "environment"):
                result = environment.step(decision.action)
            steps += 1
            if succeeded_at is None:
                positions.append(observation.proprio[:3])
                events.extend(decision.events)
                timings.update(decision.timings_s)
                succeeded_at = steps if result.success else None
            for subscriber in subscribers:
                subscriber.step(observation, decision, result)
        positions.append(environment.observe(ViewRequest()).proprio[:3])
    outcome = EpisodeResult(
        case=environment.case,
        success=succeeded_at is not None,
        steps=steps if succeeded_at is None else succeeded_at,
        counts=dict(Counter(event.kind for event in events)),
        timings_s=dict(timings),
        metrics=motion_metrics(np.stack(positions)),
        events=tuple(events),
    )
    for subscriber in subscribers:
        subscriber.end(outcome)
    return outcome


def motion_metrics(positions: Float[np.ndarray, "t 3"]) -> Mapping[str, float]:
    """`path_m`: length of the end effector's path; `jerk`: mean size of the third difference [m / step³]."""
    metrics = {"path_m": float(np.linalg.norm(np.diff(positions, axis=0), axis=1).sum())}
    if len(positions) > 3:
        metrics["jerk"] = float(np.linalg.norm(np.diff(positions, n=3, axis=0), axis=1).mean())
    return metrics


@contextmanager
def _timed(timings: Counter, stage: str) -> Iterator[None]:
    start = time.perf_counter()
    try:
        yield
    finally:
        timings[stage] += time.perf_counter() - start  # type: ignore[assignment]
