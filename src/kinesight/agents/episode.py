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
from kinesight.types.chain import ChainState
from kinesight.types.decision import Decision, Event
from kinesight.types.observation import Observation, Scene, StepResult, ViewRequest
from kinesight.types.results import EpisodeResult

COUNTED_AS: Mapping[str, str] = {"plan": "plans", "imagine": "videos", "reject": "rejected", "task": "tasks"}
"""Names in `EpisodeResult.counts` of kinds of event; the others are counted under their own."""


def run_episode(
    environment: Environment,
    agent: Agent,
    subscribers: Sequence[Subscriber] = (),
    limit: int | None = None,
    hold_steps: int = 0,
) -> EpisodeResult:
    """Reset both and act until the first success, truncation, or `limit` steps.

    Where the case holds several tasks the agent is reset to each as it begins, and success is that of all.
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
        began = environment.observe(ViewRequest(scene=True)).scene
        agent.reset(result.chain.case if result.chain else environment.case)
        for subscriber in subscribers:
            subscriber.start(environment.case, environment)
        steps = held = 0
        while not result.truncated and steps != limit and (not account.success or held < hold_steps):
            held += account.success
            handed_over = result.chain is not None and result.chain.handing_over
            with account.timed("render"):
                observation = environment.observe(ViewRequest() if handed_over else agent.request())
            decision = _idle(environment) if handed_over else agent.act(observation)
            with account.timed("environment"):
                result = environment.step(decision.action)
            steps += 1
            if handed_over and result.chain is not None:
                agent.reset(result.chain.case)
            if not account.success:
                account.step(observation, decision, result, environment, handed_over)
            for subscriber in subscribers:
                subscriber.step(observation, decision, result)
        ended = environment.observe(ViewRequest(scene=True)).scene
    outcome = EpisodeResult(
        case=environment.case,
        success=account.success,
        steps=account.steps,
        counts=count_events(account.events),
        timings_s=dict(account.timings_s),
        metrics={
            **motion_metrics(*map(np.stack, account.tracks)),
            # In a chain the target is another one at its end.
            **({} if result.chain else progress_metrics(began, ended)),
            **chain_metrics(result.chain),
            **chat_totals(account.events),
        },
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
        self.tracks: list[list[Float[np.ndarray, "3"]]] = []
        """Positions of the end effector, a list for each task: between two it is taken home."""
        self.timings_s: dict[str, float] = {}

    def step(
        self,
        observation: Observation,
        decision: Decision,
        result: StepResult,
        environment: Environment,
        handed_over: bool,
    ) -> None:
        self.steps += 1
        self.success = result.success
        self.events.extend((*decision.events, *result.events))
        if not self.tracks:
            self.tracks.append([observation.proprio[:3]])
        if handed_over:
            self.tracks.append([])
        self.tracks[-1].append(environment.observe(ViewRequest()).proprio[:3])
        for stage, seconds in decision.timings_s.items():
            self.timings_s[stage] = self.timings_s.get(stage, 0.0) + seconds

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.timings_s[stage] = self.timings_s.get(stage, 0.0) + time.perf_counter() - start


def motion_metrics(*tracks: Float[np.ndarray, "_ 3"]) -> Mapping[str, float]:
    """`path_m`: length of the end effector's path; `jerk`: mean size of the third difference [m / step³]."""
    lengths = [np.linalg.norm(np.diff(track, axis=0), axis=1) for track in tracks]
    thirds = [np.linalg.norm(np.diff(track, n=3, axis=0), axis=1) for track in tracks if len(track) > 3]
    metrics = {"path_m": float(np.concatenate(lengths).sum())}
    if thirds:
        metrics["jerk"] = float(np.concatenate(thirds).mean())
    return metrics


def progress_metrics(before: Scene | None, after: Scene | None) -> Mapping[str, float]:
    """`progress`: by how much of the way the target came closer to the goal.

    1 at the goal, 0 as far from it as at first, negative where it is farther.
    """
    named = [
        scene for scene in (before, after) if scene is not None and {"target", "goal"} <= {*scene.points}
    ]
    if len(named) < 2:
        return {}
    goal = named[0].points["goal"]
    was, now = (float(np.linalg.norm(goal - scene.points["target"])) for scene in named)
    return {"progress": 1 - now / was} if was > 1e-3 else {}


def chain_metrics(chain: ChainState | None) -> Mapping[str, float]:
    """Where the case held several tasks: how many, and how many were done in a row."""
    return {} if chain is None else {"tasks": float(chain.length), "tasks_done": float(chain.done)}


def _idle(environment: Environment) -> Decision:
    """For the step that only begins the next task of several."""
    return Decision(np.zeros(environment.action_spec.dimensions, np.float32))
