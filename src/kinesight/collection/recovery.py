"""Episodes that begin where something went wrong (Spatial Policy, ablation "Finetuning with Additional
Execution Data").

The paper fine-tunes on trajectories that had failed and then succeeded when they were resumed from
intermediate states. Here the scripted expert is driven up to a step drawn from the case, disturbed, and then
recorded from the disturbed state on: what the episode holds is the correction. The frames before are dropped,
as in the official sample, whose arrays begin at `recover_timestep`; that step, the kind of disturbance and
its length stand in the episode's text. Like a shifted start, all of it is played inside `reset` and outside
the step limit, and it depends on the case alone.

A *push* is one random action for 6-20 steps with the fingers as they were. In a *slip* the fingers open for
6-12 steps after they had closed. In a *stop* the gripper goes 3-8 cm beside the target and stands there.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int

from kinesight.interfaces.agent import Agent
from kinesight.interfaces.environment import Environment
from kinesight.types.action import ActionSpec
from kinesight.types.case import Case
from kinesight.types.errors import KinesightError, lookup
from kinesight.types.observation import Observation, StepResult, ViewRequest

PLAIN = "none"
"""In the place of a kind: the episode is not disturbed."""
DRAWS = 20
"""Disturbances tried before a layout counts as solved by any."""
PUSH_STEPS, SLIP_STEPS = (6, 20), (6, 12)
STEER_STEPS, STAND_STEPS = 25, 5
"""Of a stop."""
MOST_STEPS = max(PUSH_STEPS[1], SLIP_STEPS[1], STEER_STEPS + STAND_STEPS)
GRIP_STEPS = 8
"""Closing takes so long; fingers that open before have nothing to lose."""
BESIDE_M = (0.03, 0.08)
STEER_SHARE = 0.1
"""Of the way to the place beside the target, asked for in each step; the experts do the same."""

AXES = ("x", "y", "z")

Action = Float[np.ndarray, "a"]
Actions = Float[np.ndarray, "t a"]


@dataclass(frozen=True, slots=True)
class Disturbance:
    """What happened before the recording; goes into the episode's text."""

    kind: str
    recover_timestep: int
    """Step of the whole episode, from its reset, at which the recording begins."""
    steps: int
    """How many of them were the disturbance."""


class Disturbed:
    """An environment whose reset also plays the expert up to a disturbance, and the disturbance.

    Steps are counted from there. `inner` needs a limit that leaves room for `limit` steps before, the
    disturbance, and `limit` steps after. `disturbance` tells what was done in the last reset. A slip needs
    fingers that have closed on the way; where the expert never closes them, it is a push.
    """

    def __init__(self, inner: Environment, expert: Agent, kind: str, limit: int) -> None:
        lookup("kind of disturbance", kind, DISTURBANCES)
        self._inner = inner
        self._expert = expert
        self._kind = kind
        self._limit = limit
        self._gripper = inner.action_spec.names.index("gripper")
        self._before = 0
        self.disturbance: Disturbance | None = None

    @property
    def case(self) -> Case:
        return self._inner.case

    @property
    def action_spec(self) -> ActionSpec:
        return self._inner.action_spec

    def reset(self) -> StepResult:
        demonstrated = self._demonstration()
        for attempt in range(DRAWS):
            generator = _generator(self.case, self._kind, attempt)
            kind, start = drawn_start(self._kind, demonstrated, self._gripper, generator)
            self._inner.reset()
            for action in demonstrated[:start]:
                self._inner.step(action)
            steps, solved = 0, False
            hold = float(demonstrated[max(start - 1, 0), self._gripper])
            for action in DISTURBANCES[kind](self._inner, hold, generator):
                solved = self._inner.step(action).success or solved
                steps += 1
            if not solved:
                self._before = start + steps
                self.disturbance = Disturbance(kind, self._before, steps)
                return StepResult(step=0, success=False, truncated=False)
        raise KinesightError(f"{self.case} is solved by every one of {DRAWS} disturbances.")

    def step(self, action: Action) -> StepResult:
        return self._counted(self._inner.step(action))

    def observe(self, request: ViewRequest) -> Observation:
        observation = self._inner.observe(request)
        return replace(observation, step=observation.step - self._before)

    def _counted(self, result: StepResult) -> StepResult:
        step = result.step - self._before
        return replace(result, step=step, truncated=result.truncated or step >= self._limit)

    def _demonstration(self) -> Actions:
        """The expert's actions from the case's own start up to its success or the limit."""
        result = self._inner.reset()
        self._expert.reset(self.case)
        actions: list[Action] = []
        while not (result.success or result.truncated) and len(actions) < self._limit:
            seen = self._inner.observe(self._expert.request())
            actions.append(self._expert.act(seen).action)
            result = self._inner.step(actions[-1])
        return np.stack(actions)


def drawn_start(
    kind: str, demonstrated: Actions, gripper: int, generator: np.random.Generator
) -> tuple[str, int]:
    """The kind that is possible, and how many of the expert's steps come before it."""
    if kind == "slip":
        gripped = gripped_steps(demonstrated[:, gripper])
        if len(gripped):
            return kind, int(generator.choice(gripped))
        kind = "push"
    # A stop is beside a target that is still to be reached.
    share = 0.5 if kind == "stop" else 1.0
    return kind, int(generator.integers(max(1, round(share * len(demonstrated)))))


def gripped_steps(gripper: Float[np.ndarray, "t"]) -> Int[np.ndarray, "n"]:
    """Steps with the fingers asked to close for `GRIP_STEPS` steps already; none if they never were open.

    Experts that push with closed fingers ask for that from the first step on.
    """
    closing = np.flatnonzero(gripper < 0)
    if not len(closing) or closing[0] == 0:
        return np.zeros(0, int)
    return closing[closing >= closing[0] + GRIP_STEPS]


def _push(environment: Environment, gripper: float, generator: np.random.Generator) -> Iterator[Action]:
    action = _action(environment.action_spec, generator.uniform(-1.0, 1.0, size=3), gripper)
    yield from [action] * int(generator.integers(*PUSH_STEPS, endpoint=True))


def _slip(environment: Environment, gripper: float, generator: np.random.Generator) -> Iterator[Action]:
    action = _action(environment.action_spec, np.zeros(3), 1.0)
    yield from [action] * int(generator.integers(*SLIP_STEPS, endpoint=True))


def _stop(environment: Environment, gripper: float, generator: np.random.Generator) -> Iterator[Action]:
    angle, distance_m = generator.uniform(0.0, 2 * np.pi), generator.uniform(*BESIDE_M)
    beside_m = distance_m * np.array([np.cos(angle), np.sin(angle), 0.0])
    spec = environment.action_spec
    scales_m = np.array([spec.scales[spec.names.index(axis)] for axis in AXES])
    for _ in range(STEER_STEPS):
        scene = environment.observe(ViewRequest(scene=True)).scene
        assert scene is not None, "the scene was asked for"
        gripper_m, target_m = (lookup("scene point", name, scene.points) for name in ("gripper", "target"))
        way_m = target_m + beside_m - gripper_m
        yield _action(spec, np.clip(STEER_SHARE * way_m / scales_m, -1.0, 1.0), gripper)
    yield from [_action(spec, np.zeros(3), gripper)] * STAND_STEPS


DISTURBANCES: dict[str, Callable[[Environment, float, np.random.Generator], Iterator[Action]]] = {
    "push": _push,
    "slip": _slip,
    "stop": _stop,
}
"""By kind: the actions of a disturbance, from the environment, the fingers' last action and a generator."""


def _action(spec: ActionSpec, move: Float[np.ndarray, "3"], gripper: float) -> Action:
    """Without a turn, where the actions have one."""
    action = np.zeros(spec.dimensions)
    action[[spec.names.index(name) for name in (*AXES, "gripper")]] = [*move, gripper]
    return action


def _generator(case: Case, kind: str, attempt: int) -> np.random.Generator:
    entropy = [int.from_bytes(text.encode(), "little") for text in (case.env, case.task, case.start, kind)]
    return np.random.default_rng(np.random.SeedSequence([*entropy, case.seed, case.variation, attempt]))
