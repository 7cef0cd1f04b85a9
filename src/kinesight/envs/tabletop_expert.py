"""The scripted expert: follows the key poses of the present step, and looks again after every plan.

What is not done yet is planned anew, so that an object that slipped, was moved or was shut away is dealt with
once more. Events tell where the episode's parts begin: "subtask" with a sentence, "keypose" with its name,
and "instruction" when a new sentence was heard.
"""

from dataclasses import replace

import numpy as np

from kinesight.envs.tabletop_incidents import Told
from kinesight.envs.tabletop_layout import TableState
from kinesight.envs.tabletop_motions import CLOSED, Keypose, hand_yaw, is_shut, plan
from kinesight.envs.tabletop_scene import ACTION_SCALES
from kinesight.envs.tabletop_steps import Press, Push, Put, Slide, Step, done
from kinesight.envs.tabletop_tasks import Setting, draw
from kinesight.types.arrays import Point
from kinesight.types.case import Case
from kinesight.types.decision import Decision, Event
from kinesight.types.observation import Observation, ViewRequest

MOVE_M, TURN_RAD = ACTION_SCALES[0], ACTION_SCALES[5]
NEAR_M, NEAR_RAD = 0.002, 0.03
"""The set point has arrived."""
LAG_M = 0.006
"""The hand itself must be this near, unless it does not get there in `PATIENCE` steps."""
PATIENCE = 8
HELD_M, GIVE_UP = 0.045, 40
"""Steps at which the set point is held back by its leash to the hand, before a key pose counts as reached."""
SETTLE = 6
"""Steps given to what was let go before its step is planned anew."""
MOVED_M = 0.02
"""An object that has moved by more before it is gripped is planned for anew."""
ASIDE_M: dict[int, tuple[float, ...]] = {1: (0.0,), 2: (-0.034, 0.034), 3: (-0.040, 0.040, 0.0)}
"""Objects that go into the same place -> where each is put, from its middle."""


class TableTopExpert:
    """Knows the case's layout and reads the scene's state."""

    privileged = ("scene",)

    def reset(self, case: Case) -> None:
        self.follow(draw(case))

    def follow(self, setting: Setting) -> None:
        """Begin with these steps."""
        self._setting = setting
        self._index = 0
        self._begun = -1
        self._heard = False
        self._start([], None)

    def request(self) -> ViewRequest:
        return ViewRequest(scene=True)

    def act(self, observation: Observation) -> Decision:
        assert observation.scene is not None, "the expert asked for the scene"
        state = TableState(self._setting.things, observation.scene.state)
        events = self._listen(observation)
        if self._stale(state):
            self._start([], None)
            self._rested = SETTLE
        self._met |= self._index < len(self._steps) and done(self._steps[self._index], state)
        if self._path and self._reached(self._path[0], state):
            events += self._arrive(observation.step, self._path.pop(0))
        if not self._path:
            events += self._go_on(observation.step, state)
        if not self._path:
            return Decision(np.array([0, 0, 0, 0, 0, 0, 1.0], np.float32), tuple(events))
        return Decision(steer(self._path[0], state), tuple(events))

    @property
    def _steps(self) -> tuple[Step, ...]:
        return self._setting.steps

    def _start(self, path: list[Keypose], watched: tuple[str, Point] | None) -> None:
        """`watched`: what the plan will grip, and where that lay."""
        self._path = path
        self._watched = watched
        self._waited = self._rested = 0
        self._met = False

    def _listen(self, observation: Observation) -> list[Event]:
        """A sentence that is not the first one brings steps of its own."""
        told = self._setting.incident
        if self._heard or not isinstance(told, Told) or observation.instruction != told.instruction:
            return []
        self.follow(replace(self._setting, steps=told.steps))
        self._heard = True
        return [Event(observation.step, "instruction", told.instruction)]

    def _stale(self, state: TableState) -> bool:
        """What was to be gripped lies elsewhere, or where it was to go has been shut."""
        if self._watched is None:
            return False
        item, where = self._watched
        step = self._steps[self._index]
        shut = isinstance(step, Put) and is_shut(state, step.place)
        return shut or bool(np.linalg.norm(state.position(item) - where) > MOVED_M)

    def _arrive(self, now: int, keypose: Keypose) -> list[Event]:
        self._waited = 0
        if keypose.opening == CLOSED:
            self._watched = None  # from here on it moves with the hand
        return [] if keypose.via else [Event(now, "keypose", keypose.name)]

    def _go_on(self, now: int, state: TableState) -> list[Event]:
        """Pass over what is done, and plan the next step; wait a little for what is still settling."""
        while self._index < len(self._steps) and self._is_done(self._steps[self._index], state):
            self._index += 1
            self._met = False
            self._rested = SETTLE
        if self._index == len(self._steps):
            return []
        if self._index == self._begun and self._rested < SETTLE:
            self._rested += 1
            return []
        step = self._steps[self._index]
        gripped = "" if isinstance(step, Press | Slide | Push) else step.item
        if isinstance(step, Put) and is_shut(state, step.place):
            gripped = ""  # the handle comes first
        path = plan(step, state, self._aside())
        self._start(path, (gripped, state.position(gripped).copy()) if gripped else None)
        if self._begun == self._index:
            return []
        self._begun = self._index
        return [Event(now, "subtask", step.text)]

    def _is_done(self, step: Step, state: TableState) -> bool:
        """A press is over as soon as the button springs back, so that having been pressed counts."""
        return self._met if isinstance(step, Press) else done(step, state)

    def _aside(self) -> float:
        """Where this step's object goes among those for the same place."""
        step = self._steps[self._index]
        if not isinstance(step, Put) or step.relation:
            return 0.0
        places = [other.place if isinstance(other, Put) else "" for other in self._steps]
        return ASIDE_M[places.count(step.place)][places[: self._index].count(step.place)]

    def _reached(self, keypose: Keypose, state: TableState) -> bool:
        arrived = (
            np.linalg.norm(keypose.position - state.set_point[:3]) < NEAR_M
            and abs(keypose.yaw - hand_yaw(state)) < NEAR_RAD
        )
        lag = np.linalg.norm(state.set_point[:3] - state.hand[:3])
        if not arrived:
            self._waited += bool(lag > HELD_M)
            return self._waited > GIVE_UP
        self._waited += 1
        there = np.linalg.norm(keypose.position - state.hand[:3]) < LAG_M
        return self._waited > (keypose.hold if there else max(keypose.hold, PATIENCE))


def steer(keypose: Keypose, state: TableState) -> np.ndarray:
    """The action that moves the set point towards a key pose in a straight line."""
    move = (keypose.position - state.set_point[:3]) / MOVE_M
    move *= min(1.0, keypose.speed / max(np.abs(move).max(), 1e-9))
    turn = np.clip((keypose.yaw - hand_yaw(state)) / TURN_RAD, -keypose.speed, keypose.speed)
    return np.array([*move, 0.0, 0.0, turn, 2 * keypose.opening - 1], np.float32)
