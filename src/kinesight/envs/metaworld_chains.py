"""Five Meta-World tasks in a row in one scene, after CALVIN's long-horizon protocol (Mees et al. 2022).

Two tasks of a family undo each other (open and close a drawer), so they follow each other for as long as one
likes. When one is done, the next begins in the same layout with every object where it is; only the arm goes
back to its start. The first task is the Meta-World episode of the same task, seed and start.

Unlike in CALVIN two tasks alternate, and the arm is taken home between them: the scripted experts, and
policies that learn from them, know no other place to begin from.
"""

from dataclasses import replace

import numpy as np
from jaxtyping import Float

from kinesight.envs.metaworld import MAX_SEED, MetaWorld, checked_action
from kinesight.envs.metaworld_expert import ScriptedExpert
from kinesight.envs.metaworld_tables import (
    CHAIN_FAMILIES,
    CHAIN_LENGTH,
    CHAIN_TASK_LIMIT,
    chain_limit,
)
from kinesight.types.action import ActionSpec
from kinesight.types.case import Case
from kinesight.types.chain import ChainState
from kinesight.types.decision import Decision, Event
from kinesight.types.errors import KinesightError, UsageError, lookup
from kinesight.types.observation import Observation, StepResult, ViewRequest


def chain_cases(case: Case, length: int = CHAIN_LENGTH) -> tuple[Case, ...]:
    """The tasks of a chain in their order, as cases of Meta-World; the seed draws which one is first.

    `variation` is the place in the chain: a task that comes again is shifted by another action.
    """
    pair = lookup("family of Meta-World chains", case.task, CHAIN_FAMILIES)
    if not 1 <= length <= CHAIN_LENGTH:
        raise UsageError(
            f"A chain of {' and '.join(pair)} in turn has 1 … {CHAIN_LENGTH} tasks, got {length}."
        )
    if not 0 <= case.seed <= MAX_SEED:
        raise UsageError(f"Meta-World needs a seed in 0 … {MAX_SEED}, got {case.seed}.")
    name = int.from_bytes(case.task.encode(), "little")
    first = int(np.random.default_rng(np.random.SeedSequence([name, case.seed])).integers(2))
    return tuple(
        replace(case, env="metaworld", task=pair[(first + place) % 2], variation=place)
        for place in range(length)
    )


class MetaWorldChain:
    """One chain of one case; `limit` counts the steps of all its tasks, each of which has its own limit.

    The step after a task is done takes the arm home and begins the next one, whatever its action. A task that
    is solved as it begins cannot be told from one that was done: it ends the chain and does not count.
    """

    def __init__(self, case: Case, limit: int | None = None, length: int = CHAIN_LENGTH) -> None:
        self._case = case
        self._cases = chain_cases(case, length)
        self._limit = chain_limit(length) if limit is None else limit
        if self._limit < 1:
            raise UsageError(f"The step limit must be at least 1, got {self._limit}.")
        self._task = self._first()

    @property
    def case(self) -> Case:
        return self._case

    @property
    def action_spec(self) -> ActionSpec:
        return self._task.action_spec

    @property
    def limit(self) -> int:
        """Steps after which the episode is truncated, whatever task is on."""
        return self._limit

    @property
    def task(self) -> MetaWorld:
        """The environment of the task that is on."""
        return self._task

    def reset(self) -> StepResult:
        self._task = self._first()
        self._task.reset()
        return self._result(success=False, over=False)

    def step(self, action: Float[np.ndarray, "a"]) -> StepResult:
        if self._over:
            raise KinesightError(f"{self._case} was truncated after {self._step} steps; reset it first.")
        self._task.observe(ViewRequest())  # says if it was not reset yet
        checked_action(action)
        self._step += 1
        if self._handing_over:
            return self._begin_next()
        inner = self._task.step(action)
        place, length = self._done, len(self._cases)
        if place == length:  # everything was done; an agent may go on holding
            return self._result(inner.success, inner.truncated)
        if not inner.success:
            events = () if not inner.truncated else (self._event("timeout", "not done in time"),)
            return self._result(False, inner.truncated, *events)
        self._done += 1
        self._handing_over = self._done < length
        done = self._event("task", f"{self._done} of {length} done")
        return self._result(not self._handing_over, inner.truncated and not self._handing_over, done)

    def observe(self, request: ViewRequest, split: str | None = None) -> Observation:
        return replace(self._task.observe(request, split), step=self._step)

    def _first(self) -> MetaWorld:
        self._step = self._done = 0
        self._handing_over = self._over = False
        return MetaWorld(self._cases[0], CHAIN_TASK_LIMIT)

    def _begin_next(self) -> StepResult:
        self._handing_over = False
        self._task = MetaWorld(self._cases[self._done], CHAIN_TASK_LIMIT, after=self._task.simulation)
        if self._task.reset().success:
            return self._result(False, True, self._event("void", "solved before it began"))
        return self._result(success=False, over=False)

    def _event(self, kind: str, what: str) -> Event:
        return Event(self._step, kind, f"{what}: {self._task.case.task}")

    def _result(self, success: bool, over: bool, *events: Event) -> StepResult:
        self._over = over or self._step >= self._limit
        state = ChainState(self._task.case, self._done, len(self._cases), self._handing_over)
        return StepResult(self._step, success, self._over, events, state)


class ChainExpert:
    """Meta-World's scripted experts; it may be reset to a chain, which is its first task, or to a task."""

    privileged = ("scene",)

    def __init__(self) -> None:
        self._expert = ScriptedExpert()

    def reset(self, case: Case) -> None:
        self._expert.reset(chain_cases(case)[0] if case.task in CHAIN_FAMILIES else case)

    def request(self) -> ViewRequest:
        return self._expert.request()

    def act(self, observation: Observation) -> Decision:
        return self._expert.act(observation)
