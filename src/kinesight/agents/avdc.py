"""AVDC (Ko et al. 2023, arXiv:2310.08576): imagine a video, read the object's motion from it, move the hand.

No action is learned. An imagined video says how the object will move; optical flow and the depth of the first
frame turn that into points in space (`geometry/flow_motion.py`), and a plain controller visits them
(`avdc_pursuit.py`). When the hand has stood still for long enough, everything is made anew from what is seen
then, at most `max_replans` times: 0 is AVDC, 5 is AVDC-Replan.
"""

from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import Float

from kinesight.agents.avdc_pursuit import (
    Command,
    Pursuit,
    PursuitConfig,
    carry_plan,
    hand_plan,
    held_place,
    rises,
)
from kinesight.agents.found_scene import told_by, with_found_scene
from kinesight.agents.spatial_policy import Clock, case_generator, noted
from kinesight.agents.target_mask import SimulatorTargets, TargetFinder
from kinesight.geometry.flow_motion import MotionConfig, ObjectMotion, TargetLost, object_motion
from kinesight.interfaces.stages import Imaginer, PointSources
from kinesight.types.arrays import Point, Points, Video
from kinesight.types.case import Case
from kinesight.types.decision import Decision, Event
from kinesight.types.errors import UsageError
from kinesight.types.observation import Observation, View, ViewRequest


@dataclass(frozen=True, slots=True)
class AvdcConfig:
    """Settings of the loop; values of AVDC's code where it has them."""

    max_replans: int = 5
    """Plans beyond the first; with 0 there is no re-planning."""
    timeout_steps: int = 15
    """Steps without motion, not necessarily in a row, after which a plan is over."""
    still_mm: float = 1.0
    """A hand that moves less in a step does not move."""
    gain: float = 20.0
    """Action per metre to the set point; Meta-World moves 1 cm for an action of 1."""
    effort: float = 0.8
    """Of the gripper, closing and opening."""
    motion: MotionConfig = field(default_factory=MotionConfig)
    lifted_prior_m: float = 0.35
    """In place of the motion's `translation_prior_m` for what rises: it hangs on no hinge and may go far
    along the line of sight."""
    pursuit: PursuitConfig = field(default_factory=PursuitConfig)

    def __post_init__(self) -> None:
        if self.max_replans < 0 or self.timeout_steps < 1 or self.still_mm < 0:
            raise UsageError(f"AVDC needs max_replans >= 0, timeout_steps >= 1, still_mm >= 0, got {self}")
        if min(self.gain, self.lifted_prior_m) <= 0 or not 0 < self.effort <= 1:
            raise UsageError(f"AVDC needs gain and lifted_prior_m > 0 and an effort in (0, 1], got {self}")


class AvdcAgent:
    """An `Agent` made of an imaginer and a controller; actions are (x, y, z, gripper) as in Meta-World."""

    def __init__(
        self,
        config: AvdcConfig,
        imaginer: Imaginer,
        view: ViewRequest,
        targets: TargetFinder | None = None,
        points: PointSources | None = None,
    ) -> None:
        """`view` gives height, width and crop of the pictures; an imaginer that looks must want the same.

        The target is found by the simulator's ids unless another finder is given. With a source of points an
        imaginer that asks for the scene is given what it finds, else the simulator's.
        """
        wanted = imaginer.request
        if wanted.cameras and (wanted.height, wanted.width, wanted.crop) != (
            view.height,
            view.width,
            view.crop,
        ):
            raise UsageError(
                f"The imaginer sees pictures of {wanted.height} x {wanted.width} (crop {wanted.crop}), AVDC "
                f"is to look at {view.height} x {view.width} (crop {view.crop})."
            )
        self.config = config
        self.imaginer = imaginer
        self.view = view
        self.targets = SimulatorTargets() if targets is None else targets
        self.points = points if wanted.scene else None

    @property
    def privileged(self) -> tuple[str, ...]:
        return tuple(sorted({*told_by(self.points, self.imaginer.privileged), *self.targets.privileged}))

    def reset(self, case: Case) -> None:
        self.targets.check(case.task)
        self._case = case
        self._generator = case_generator(case)
        self._points = None if self.points is None else self.points.for_case(case)
        self._pursuit: Pursuit | None = None
        self._path: Points | None = None
        self._plans = 0
        self._still = 0
        self._last: Point | None = None
        self.imaginer.reset(case)

    @property
    def path(self) -> Points | None:
        """Where the object is to go [t + 1, 3], world frame [m]; None before it was seen."""
        return self._path

    def request(self) -> ViewRequest:
        """Colour, depth, ids and what the imaginer is told when a plan is due; nothing otherwise."""
        if not self._due():
            return ViewRequest()
        points = self.imaginer.request if self._points is None else self._points.request
        return replace(
            self.view,
            cameras=(self._case.camera,),
            rgb=True,
            depth=True,
            segmentation=self.targets.segmentation or points.segmentation,
            scene=points.scene,
        )

    def act(self, observation: Observation) -> Decision:
        events: list[Event] = []
        clock = Clock()
        hand = observation.proprio[:3].astype(np.float64)
        if self._due():
            self._plan(observation, events, clock)
        self._watch(hand)
        if self._pursuit is None:  # never seen the object: stand still until the next look
            return Decision(np.array([0, 0, 0, self.config.effort], np.float32), tuple(events), clock.seconds)
        action = set_point_action(self._pursuit.step(hand), hand, self.config)
        return Decision(action, tuple(events), clock.seconds)

    def _due(self) -> bool:
        waited = self._still >= self.config.timeout_steps
        return not self._plans or (waited and self._plans <= self.config.max_replans)

    def _watch(self, hand: Point) -> None:
        """Count the steps without motion; fingers that close need a hand that waits."""
        waits = self._pursuit is not None and self._pursuit.stage == "close"
        if self._last is not None and not waits:
            self._still += int(1000 * np.linalg.norm(hand - self._last) < self.config.still_mm)
        self._last = hand

    def _plan(self, observation: Observation, events: list[Event], clock: Clock) -> None:
        step, reason = observation.step, "start" if not self._plans else "stood still"
        self._plans += 1
        self._still = 0
        shown, notes = observation, ()
        if self._points is not None:
            with clock.stage("look"):
                shown, notes = with_found_scene(observation, self._points)
        events.extend(noted(step, notes))
        with clock.stage("imagine"):
            video = self.imaginer.imagine(shown, None, self._generator)
        events.append(Event(step, "imagine", f"{len(video.frames)} frames", video))
        view = observation.views[self._case.camera]
        with clock.stage("flow"):
            frames = np.concatenate([video.first[None], video.frames])
            try:
                motion = self._motion(frames, view)
            except TargetLost as lost:
                events.append(Event(step, "lost", str(lost)))
                return
        # Fingers close around the middle; a push starts from the side that is seen, as AVDC's does.
        lifted = rises(motion.path(motion.middle), self.config.pursuit)
        self._path = motion.path(motion.middle if lifted else motion.surface)
        self._pursuit = self._new_pursuit(motion.middle, observation.proprio[:3].astype(np.float64))
        way = np.round(self._path[-1] - self._path[0], 3).tolist()
        events.append(Event(step, "plan", f"{reason}: {self._pursuit.plan.mode}, object goes {way} m"))

    def _motion(self, frames: Video, view: View) -> ObjectMotion:
        assert view.depth_m is not None, "the request asks for depth"
        moves, touched = self.targets.find(view, self._case.task)
        config = self.config.motion
        motion = object_motion(frames, moves, view.depth_m, view.camera, config, touched)
        if not rises(motion.path(motion.middle), self.config.pursuit):
            return motion
        config = replace(config, translation_prior_m=self.config.lifted_prior_m)
        return object_motion(frames, moves, view.depth_m, view.camera, config, touched)

    def _new_pursuit(self, middle: Point, hand: Point) -> Pursuit:
        """Grasp or push anew, or go on with what is in the hand."""
        assert self._path is not None
        config, before = self.config.pursuit, self._pursuit
        closed = before is not None and before.plan.mode == "grasp" and before.stage == "follow"
        if closed and np.linalg.norm(middle - held_place(hand, config)) <= config.held_m:
            return Pursuit(carry_plan(self._path, hand), config, holding=True)
        return Pursuit(hand_plan(self._path, config), config)


def set_point_action(command: Command, hand: Point, config: AvdcConfig) -> Float[np.ndarray, "4"]:
    """The proportional controller: an action (x, y, z, gripper) in [-1, 1] towards the set point."""
    motion = np.clip(config.gain * (command.set_point - hand), -1, 1)
    return np.append(motion, -config.effort if command.close else config.effort).astype(np.float32)
