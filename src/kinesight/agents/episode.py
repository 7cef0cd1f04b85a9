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
from kinesight.language.consult import chat_totals
from kinesight.types.decision import Decision, Event
from kinesight.types.observation import Observation, StepResult, ViewRequest
from kinesight.types.results import EpisodeResult

COUNTED_AS: Mapping[str, str] = {"plan": "plans", "imagine": "videos", "reject": "rejected"}
"""Names in `EpisodeResult.counts` of kinds of event; the others are counted under their own."""


def run_episode(
    environment: Environment,
    agent: Agent,
    subscribers: Sequence[Subscriber] = (),
    limit: int | None = None,
    hold_steps: int = 0,
) -> EpisodeResult:
    """Reset both and act until the first success, truncation, or `limit` steps.

    After a success the agent goes on for `hold_steps` steps, which only the subscribers are told of.
    `timings_s` holds the agent's own stages, "environment" (reset and steps), "render" (what the agent asked
    to see) and "wall", which includes everything.
    """
    if limit is not None and limit < 1:
        raise ValueError(f"an episode needs a limit of at least one step, got {limit}")
    account = _Account()
    with account.timed("wall"):
        with account.timed("environment"):
            result = environment.reset()
        agent.reset(environment.case)
        for subscriber in subscribers:
            subscriber.start(environment.case, environment)
        steps = held = 0
        while not result.truncated and steps != limit and (not account.success or held < hold_steps):
            held += account.success
            with account.timed("render"):
                observation = environment.observe(agent.request())
            decision = agent.act(observation)
            with account.timed("environment"):
                result = environment.step(decision.action)
            steps += 1
            if not account.success:
                account.step(observation, decision, result, environment)
            for subscriber in subscribers:
                subscriber.step(observation, decision, result)
    outcome = EpisodeResult(
        case=environment.case,
        success=account.success,
        steps=account.steps,
        counts=count_events(account.events),
        timings_s=dict(account.timings_s),
        metrics={**motion_metrics(np.stack(account.positions)), **chat_totals(account.events)},
        events=tuple(account.events),
    )
    for subscriber in subscribers:
        subscriber.end(outcome)
    return outcome


def count_events(events: Sequence[Event]) -> Mapping[str, int]:
    """Events by kind; where something was imagined, "rejected" is there even if it is 0."""
    counts = dict(Counter(COUNTED_AS.get(event.kind, event.kind) for event in events))
    return {**counts, "rejected": counts.get("rejected", 0)} if "videos" in counts else counts


class _Account:
    """What the result will say; nothing is added after a success, except time."""

    def __init__(self) -> None:
        self.success = False
        self.steps = 0
        self.events: list[Event] = []
        self.positions: list[Float[np.ndarray, "3"]] = []
        self.timings_s: dict[str, float] = {}

    def step(
        self, observation: Observation, decision: Decision, result: StepResult, environment: Environment
    ) -> None:
        self.steps += 1
        self.success = result.success
        self.events.extend(decision.events)
        if not self.positions:
            self.positions.append(observation.proprio[:3])
        self.positions.append(environment.observe(ViewRequest()).proprio[:3])
        for stage, seconds in decision.timings_s.items():
            self.timings_s[stage] = self.timings_s.get(stage, 0.0) + seconds

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.timings_s[stage] = self.timings_s.get(stage, 0.0) + time.perf_counter() - start


def motion_metrics(positions: Float[np.ndarray, "t 3"]) -> Mapping[str, float]:
    """`path_m`: length of the end effector's path; `jerk`: mean size of the third difference [m / step³]."""
    metrics = {"path_m": float(np.linalg.norm(np.diff(positions, axis=0), axis=1).sum())}
    if len(positions) > 3:
        metrics["jerk"] = float(np.linalg.norm(np.diff(positions, n=3, axis=0), axis=1).mean())
    return metrics
