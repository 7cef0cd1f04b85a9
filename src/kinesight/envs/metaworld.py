"""The 50 Meta-World v3 tasks (Yu et al. 2019; Farama's 3.1), goals observable, as environments.

Three conventions of Meta-World are turned round here: its corner cameras hang upside down (pictures are
rolled by half a turn), its gripper action closes at +1 (ours opens), and it takes the layout from the
constructor's seed only (`reset(seed=)` is ignored there), so every reset builds a fresh simulation.
"""

# pyright: reportAttributeAccessIssue=false
# mujoco's names come from compiled modules that pyright cannot read.

import copy
from contextlib import nullcontext
from dataclasses import replace
from functools import cache
from typing import Any, cast

import mujoco
import numpy as np
from jaxtyping import Float
from metaworld.env_dict import ALL_V3_ENVIRONMENTS, ALL_V3_ENVIRONMENTS_GOAL_OBSERVABLE
from metaworld.sawyer_xyz_env import SawyerXYZEnv

from kinesight.envs import metaworld_looks
from kinesight.envs.metaworld_dress import dress, lit
from kinesight.envs.metaworld_looks import LOOKS, Stand, placed
from kinesight.envs.metaworld_tables import CAMERAS, INSTRUCTIONS, crop_window
from kinesight.envs.mujoco_renderer import camera_pose, renderer, windowed_camera
from kinesight.types.action import ActionSpec
from kinesight.types.camera import FULL_VIEW
from kinesight.types.case import SHIFT_STEPS, Case
from kinesight.types.errors import KinesightError, UnknownName, UsageError, lookup
from kinesight.types.observation import Observation, Scene, StepResult, View, ViewRequest, drawn_view

ACTION_SPEC = ActionSpec(
    names=("x", "y", "z", "gripper"),
    units=("m", "m", "m", "opening effort"),
    scales=(0.01, 0.01, 0.01, 1.0),
)
"""Offsets of the hand's set point in the world frame; gripper +1 opens, -1 closes."""

MAX_SEED = 2**32 - 1
SHIFT_DRAWS = 100
"""Draws of a shifted start before a layout counts as solved whatever the arm does."""

SETTLE_STEPS = 5
"""Steps played after objects were taken over from another task, before the task counts as unsolved."""
STILL = np.array([0.0, 0.0, 0.0, 1.0])

ROBOT_QPOS = 9
"""Joint positions of arm and fingers, which stand before those of the objects."""


class MetaWorld:
    """One episode of one case.

    `after` is the simulation of another task in the same scene, whose objects stay as they are: the arm alone
    begins anew.
    """

    def __init__(self, case: Case, limit: int = 500, after: SawyerXYZEnv | None = None) -> None:
        lookup("Meta-World task", case.task, INSTRUCTIONS)
        if case.camera not in CAMERAS:
            raise UnknownName("Meta-World camera", case.camera, CAMERAS)
        if not 0 <= case.seed <= MAX_SEED:
            raise UsageError(f"Meta-World needs a seed in 0 … {MAX_SEED}, got {case.seed}.")
        if limit < 1:
            raise UsageError(f"The step limit must be at least 1, got {limit}.")
        self._case = case
        self._limit = limit
        self._after = after
        self._look = metaworld_looks.draw(case)
        self._instruction = INSTRUCTIONS[case.task]
        self._simulation: SawyerXYZEnv | None = None
        self._state = np.zeros(0)
        self._step = 0

    @property
    def case(self) -> Case:
        return self._case

    @property
    def action_spec(self) -> ActionSpec:
        return ACTION_SPEC

    @property
    def limit(self) -> int:
        """Steps after which the episode is truncated."""
        return self._limit

    @property
    def simulation(self) -> SawyerXYZEnv:
        """The simulator as it is now; replays read its joints."""
        return self._running()

    def reset(self) -> StepResult:
        for attempt in range(SHIFT_DRAWS):
            self._begin()
            if self._after is not None and any(self._advance(STILL) for _ in range(SETTLE_STEPS)):
                return StepResult(step=0, success=True, truncated=False)
            if self._case.start == "standard":
                return StepResult(step=0, success=False, truncated=False)
            action = shift_action(
                self._case.task, self._case.seed, self._case.variation * SHIFT_DRAWS + attempt
            )
            if not any(self._advance(action) for _ in range(SHIFT_STEPS)):
                return StepResult(step=0, success=False, truncated=False)
        raise KinesightError(f"{self._case} is solved by every one of {SHIFT_DRAWS} shifted starts.")

    def _begin(self) -> None:
        self._simulation = make_simulation(self._case.task, self._case.seed)
        self._step = 0
        if self._after is None:
            self._state, _ = self._simulation.reset()
        else:
            self._state = take_over(self._simulation, self._after)

    def step(self, action: Float[np.ndarray, "a"]) -> StepResult:
        self._running()
        if self._step >= self._limit:
            raise KinesightError(f"{self._case} was truncated after {self._limit} steps; reset it first.")
        success = self._advance(checked_action(action))
        self._step += 1
        return StepResult(step=self._step, success=success, truncated=self._step >= self._limit)

    def observe(self, request: ViewRequest, split: str | None = None) -> Observation:
        """`split` shows the same state as a case of that split shows it; None is the case's own."""
        simulation = self._running()
        look = self._look if split is None else metaworld_looks.draw(replace(self._case, split=split))
        return Observation(
            step=self._step,
            instruction=self._instruction,
            views={
                name: drawn_view(request, lambda asked, name=name: self._view(simulation, name, asked, look))
                for name in request.cameras
            },
            proprio=self._proprio(simulation),
            scene=self._scene(simulation) if request.scene else None,
        )

    def _running(self) -> SawyerXYZEnv:
        if self._simulation is None:
            raise KinesightError(f"{self._case} was not reset yet.")
        return self._simulation

    def _advance(self, action: Float[np.ndarray, "4"]) -> bool:
        simulation = self._running()
        theirs = action * np.array([1.0, 1.0, 1.0, -1.0])
        self._state, _, _, _, info = simulation.step(theirs)
        return bool(info["success"] > 0)

    def _proprio(self, simulation: SawyerXYZEnv) -> Float[np.ndarray, "8"]:
        hand = simulation.data.body("hand")
        w = hand.xquat[0]
        quaternion_xyzw = np.roll(hand.xquat, -1) * (1.0 if w >= 0 else -1.0)  # q and -q turn alike
        return np.concatenate([hand.xpos, quaternion_xyzw, self._state[3:4]]).astype(np.float32)

    def _scene(self, simulation: SawyerXYZEnv) -> Scene:
        points = {
            "target": self._state[4:7].copy(),
            "goal": self._state[36:39].copy(),
            "gripper": simulation.tcp_center.copy(),
            "hand": self._state[0:3].copy(),
        }
        if self._case.task == "hammer":
            points["nail"] = self._state[11:14].copy()
        return Scene(points=points, state=self._state.copy())

    def _view(
        self, simulation: SawyerXYZEnv, name: str, request: ViewRequest, look: tuple[str, Stand] | None
    ) -> View:
        if name not in CAMERAS:
            raise UnknownName("Meta-World camera", name, CAMERAS)
        model, data = simulation.model, simulation.data
        pose = camera_pose(model, data, name, half_turn=True)
        camera = windowed_camera(
            name,
            pose if look is None else placed(pose, look[1]),
            float(model.cam_fovy[model.camera(name).id]),
            crop_window(self._case.task, name) if request.crop else FULL_VIEW,
            request.height,
            request.width,
        )
        if not (request.rgb or request.depth or request.segmentation):
            return View(camera=camera)
        key, lamps = self._case.task, nullcontext()
        if look is not None:
            key, model = f"{key} in look {look[0]}", _dressed_model(simulation.fullpath, look[0])
            lamps = lit(model, data)
        with lamps:
            picture = renderer(key, model).render(
                model, data, camera, rgb=request.rgb, depth=request.depth, segmentation=request.segmentation
            )
        names = segment_names(self._case.task) if request.segmentation else {}
        return View(camera, picture.rgb, picture.depth_m, picture.segmentation, names)


def checked_action(action: Float[np.ndarray, "a"]) -> Float[np.ndarray, "4"]:
    """The action in float64, or an error that says what is wrong with it."""
    if action.shape != (ACTION_SPEC.dimensions,):
        raise UsageError(f"An action has shape ({ACTION_SPEC.dimensions},), got {action.shape}.")
    if not np.all(np.abs(action) <= 1.0):  # also catches NaN
        raise UsageError(
            f"Actions must be finite and in [-1, 1] ({', '.join(ACTION_SPEC.names)}), got {action}."
        )
    return action.astype(np.float64)


def shift_action(task: str, seed: int, attempt: int = 0) -> Float[np.ndarray, "4"]:
    """The constant action of a shifted start, in any direction with the gripper open."""
    name = int.from_bytes(task.encode(), "little")
    generator = np.random.default_rng(np.random.SeedSequence([name, seed, attempt]))
    return np.append(generator.uniform(-1.0, 1.0, size=3), 1.0)


def make_simulation(task: str, seed: int) -> SawyerXYZEnv:
    """What `ALL_V3_ENVIRONMENTS_GOAL_OBSERVABLE[f"{task}-v3-goal-observable"](seed=seed)` gives, faster."""
    simulation = cast(Any, _simulation_class(task))(seed=seed)
    # The step limit is ours: shifted starts are played outside it.
    simulation.max_path_length = 2**62
    return simulation


def take_over(simulation: SawyerXYZEnv, before: SawyerXYZEnv) -> Float[np.ndarray, "d"]:
    """Reset `simulation` to the layout of `before` with the objects as they stand there; its observation.

    Both are tasks of one scene. The arm is at its start, everything is at rest.
    """
    assert simulation.model_name == before.model_name, "objects are taken over within one scene"
    layout = before._last_rand_vec
    assert layout is not None, "a simulation that was reset has a layout"
    simulation._last_rand_vec = layout.copy()
    simulation.reset()
    simulation.data.qpos[ROBOT_QPOS:] = before.data.qpos[ROBOT_QPOS:]
    simulation.data.qvel[:] = 0.0
    mujoco.mj_forward(simulation.model, simulation.data)
    simulation._prev_obs = simulation._get_curr_obs_combined_no_goal()
    return simulation._get_obs()


@cache
def _simulation_class(task: str) -> type:
    """Meta-World's class and initialiser, but its XML file is compiled once a process, then copied."""
    plain = ALL_V3_ENVIRONMENTS[f"{task}-v3"]
    goal_observable = ALL_V3_ENVIRONMENTS_GOAL_OBSERVABLE[f"{task}-v3-goal-observable"]

    def initialise_simulation(environment: Any) -> tuple[mujoco.MjModel, mujoco.MjData]:
        model = copy.copy(_compiled_model(environment.fullpath))
        return model, mujoco.MjData(model)

    # The initialiser calls super(type(self), self): it has to sit in the class that is instantiated.
    body = {"__init__": goal_observable.__init__, "_initialize_simulation": initialise_simulation}
    return type(goal_observable.__name__, (plain,), body)


@cache
def _compiled_model(path: str) -> mujoco.MjModel:
    return mujoco.MjModel.from_xml_path(path)


@cache
def _dressed_model(path: str, look: str) -> mujoco.MjModel:
    return dress(_compiled_model(path), LOOKS[look])


GRIPPER_BODIES = ("hand", "rightclaw", "rightpad", "leftclaw", "leftpad", "right_hand")


@cache
def segment_names(task: str) -> dict[int, str]:
    """Segmentation id -> "object/part": robot, gripper, table, marker, or one of the task's own bodies."""
    model = make_simulation(task, 0).model
    names = {0: "background"}
    for geom in range(model.ngeom):
        body = int(model.geom_bodyid[geom])
        part = model.geom(geom).name or model.body(body).name
        names[1 + geom] = f"{_object_name(model, body)}/{part}"
    for site in range(model.nsite):
        names[1 + model.ngeom + site] = f"marker/{model.site(site).name or site}"
    return names


def _object_name(model: mujoco.MjModel, body: int) -> str:
    fixed = {"world": "floor", "tablelink": "table", "RetainingWall": "table", "mocap": "robot"}
    name = model.body(body).name
    if name in GRIPPER_BODIES:
        return "gripper"
    while body and int(model.body_parentid[body]) != 0:
        body = int(model.body_parentid[body])
    root = model.body(body).name
    return fixed.get(root, "robot" if root in ("base", "controller_box", "pedestal") else root)
