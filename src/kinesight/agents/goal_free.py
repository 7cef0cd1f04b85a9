"""The policy alone: its own view serves as the goal, so that nothing was planned or imagined.

The "no goal" row of a table: what it solves, a goal-image policy solves without any goal.
"""

from collections import deque
from dataclasses import replace

import numpy as np
from jaxtyping import Float

from kinesight.agents.found_scene import told_by, with_found_scene
from kinesight.agents.spatial_policy import Clock, case_generator, noted
from kinesight.interfaces.stages import PointSources, Policy
from kinesight.types.case import Case
from kinesight.types.decision import Decision
from kinesight.types.observation import Observation, ViewRequest


class GoalFree:
    """An `Agent`; it looks when it needs a new chunk.

    With a source of points a policy that asks for the scene is given what it finds, as in the closed loop.
    """

    def __init__(self, policy: Policy, execute: int, points: PointSources | None = None) -> None:
        self.policy = policy
        self.execute = execute
        self.points = points if policy.request.scene else None

    @property
    def privileged(self) -> tuple[str, ...]:
        return tuple(sorted(told_by(self.points, self.policy.request.privileged)))

    def reset(self, case: Case) -> None:
        self._case = case
        self._generator = case_generator(case)
        self._points = None if self.points is None else self.points.for_case(case)
        self._chunk: deque[Float[np.ndarray, "a"]] = deque()

    def request(self) -> ViewRequest:
        if self._chunk:
            return ViewRequest()
        request = replace(self.policy.request, cameras=(self._case.camera,))
        if self._points is None:
            return request
        needs = self._points.request
        return replace(request, depth=needs.depth, segmentation=needs.segmentation, scene=needs.scene)

    def act(self, observation: Observation) -> Decision:
        clock, events = Clock(), []
        if not self._chunk:
            if self._points is not None:
                with clock.stage("look"):
                    observation, notes = with_found_scene(observation, self._points)
                events += noted(observation.step, notes)
            with clock.stage("act"):
                chunk = self.policy.act(observation, None, self._generator)
            self._chunk.extend(chunk.actions[: self.execute])
        return Decision(self._chunk.popleft(), tuple(events), clock.seconds)
