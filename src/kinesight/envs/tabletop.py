"""A cluttered table on which instructions matter: an arm, objects, containers and fixtures.

The case fixes everything: its task, variation, split and seed give the layout, the sentence, the steps and
the look (`tabletop_tasks.draw`). The hand follows a set point that actions move, 20 times a second. States
can be kept and drawn again from other sides, in other sizes or under another look (`redraw`).
"""

# pyright: reportAttributeAccessIssue=false
# mujoco's names come from compiled modules that pyright cannot read.

import mujoco
import numpy as np
from jaxtyping import Float

from kinesight.envs.mujoco_renderer import camera_pose, renderer, windowed_camera
from kinesight.envs.tabletop_incidents import Moved, Shut, Told, happens
from kinesight.envs.tabletop_layout import ROBOT_QPOS, TableState
from kinesight.envs.tabletop_looks import LOOKS
from kinesight.envs.tabletop_robot import FINGER_STROKE_M, GRIPPER_BODIES, HOME_QPOS
from kinesight.envs.tabletop_scene import ACTION_SCALES, CAMERAS, TIMESTEP_S, compose, mates
from kinesight.envs.tabletop_steps import done, lasts, points, seated, spoils
from kinesight.envs.tabletop_tasks import Setting, draw
from kinesight.types.action import ActionSpec
from kinesight.types.camera import FULL_VIEW
from kinesight.types.case import SHIFT_STEPS, Case
from kinesight.types.errors import KinesightError, UnknownName, UsageError, lookup
from kinesight.types.observation import Observation, Scene, StepResult, View, ViewRequest, drawn_view

DT_S = 0.05
SUBSTEPS = round(DT_S / TIMESTEP_S)
ACTION_SPEC = ActionSpec(
    names=("x", "y", "z", "rx", "ry", "rz", "gripper"),
    units=("m", "m", "m", "rad", "rad", "rad", "opening"),
    scales=ACTION_SCALES,
)
"""Moves and turns (rotation vector, world frame) of the hand's set point; gripper +1 open, -1 closed."""
MAX_SEED = 2**32 - 1
LOWEST_M, HIGHEST_M = (-0.45, 0.25, 0.012), (0.45, 0.92, 0.45)
"""Limits of the set point."""
LEASH_M = 0.05
"""The set point stays this near to the hand: pressing against something does not wind it up."""
STATE_SIZE = 160
"""Numbers in `Scene.state`, the same for every layout, so that all episodes go into one store."""
SETTLE_STEPS = 4
"""Steps played before the first observation: things come to rest."""
SHIFT_REACH_M = 0.16
SHIFT_LOWEST_M = 0.17
"""A shifted start stays above everything on the table."""


class TableTop:
    """One episode of one case."""

    def __init__(self, case: Case, limit: int = 500) -> None:
        if case.camera not in CAMERAS:
            raise UnknownName("tabletop camera", case.camera, CAMERAS)
        if not 0 <= case.seed <= MAX_SEED:
            raise UsageError(f"The table-top needs a seed in 0 … {MAX_SEED}, got {case.seed}.")
        if limit < 1:
            raise UsageError(f"The step limit must be at least 1, got {limit}.")
        self._case = case
        self._limit = limit
        self._setting = draw(case)
        self._model: mujoco.MjModel | None = None
        self._data: mujoco.MjData | None = None
        self._begin()

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
    def setting(self) -> Setting:
        """Layout, sentences and steps of the case."""
        return self._setting

    @property
    def completed(self) -> int:
        """How many of the episode's steps were done, each after those before it."""
        return self._completed

    def reset(self) -> StepResult:
        if self._model is None:
            self._model = compose(self._setting.things, LOOKS[self._setting.look])
        self._data = _at_home(self._model, self._setting)
        self._begin()
        still = np.append(np.zeros(6), 1.0)
        for _ in range(SETTLE_STEPS):
            self._advance(still)
        if self._case.start == "shifted":
            action = shift_action(self._case.task, self._case.seed)
            for _ in range(SHIFT_STEPS):
                self._advance(action, lowest_m=SHIFT_LOWEST_M)
        return StepResult(step=0, success=self._note(), truncated=False)

    def step(self, action: Float[np.ndarray, "a"]) -> StepResult:
        self._running()
        if self._step >= self._limit:
            raise KinesightError(f"{self._case} was truncated after {self._limit} steps; reset it first.")
        self._advance(checked_action(action))
        self._step += 1
        self._happen()
        return StepResult(step=self._step, success=self._note(), truncated=self._step >= self._limit)

    def observe(self, request: ViewRequest) -> Observation:
        model, data = self._running()
        state = self.state()
        position, quaternion = state.hand[:3], state.hand[3:]
        xyzw = np.roll(quaternion, -1)
        if xyzw[0] < 0:  # q and -q turn alike; a hand that points down keeps this sign however it is turned
            xyzw = -xyzw
        opening = data.qpos[ROBOT_QPOS - 2 : ROBOT_QPOS].mean() / FINGER_STROKE_M
        return Observation(
            step=self._step,
            instruction=self._instruction,
            views={name: picture(model, data, name, request) for name in request.cameras},
            proprio=np.concatenate([position, xyzw, [np.clip(opening, 0, 1)]]).astype(np.float32),
            scene=Scene(self._points(state), state.vector) if request.scene else None,
        )

    def _begin(self) -> None:
        self._step = self._completed = 0
        self._spoiled = False
        self._steps = self._setting.steps
        self._instruction = self._setting.instruction
        self._incident = self._setting.incident

    def state(self) -> TableState:
        """Of now; a copy."""
        return table_state(*self._running(), self._setting)

    def _running(self) -> tuple[mujoco.MjModel, mujoco.MjData]:
        if self._model is None or self._data is None:
            raise KinesightError(f"{self._case} was not reset yet.")
        return self._model, self._data

    def _advance(self, action: Float[np.ndarray, "7"], lowest_m: float = LOWEST_M[2]) -> None:
        model, data = self._running()
        hand = data.body("hand").xpos
        wanted = data.mocap_pos[0] + action[:3] * ACTION_SPEC.scales[:3]
        wanted = np.clip(wanted, (*LOWEST_M[:2], lowest_m), HIGHEST_M)
        data.mocap_pos[0] = np.clip(wanted, hand - LEASH_M, hand + LEASH_M)
        turn, before = np.zeros(4), data.mocap_quat[0].copy()
        vector = action[3:6] * ACTION_SPEC.scales[3:6]
        angle = float(np.linalg.norm(vector))
        mujoco.mju_axisAngle2Quat(turn, vector / angle if angle > 1e-9 else np.array([0.0, 0.0, 1.0]), angle)
        mujoco.mju_mulQuat(data.mocap_quat[0], turn, before)
        data.ctrl[:] = (action[6] + 1) / 2 * FINGER_STROKE_M
        mujoco.mj_step(model, data, SUBSTEPS)
        # A step leaves the bodies where they were before its last integration: bring them up to qpos.
        mujoco.mj_kinematics(model, data)
        mujoco.mj_camlight(model, data)
        self._screw_on()

    def _screw_on(self) -> None:
        """A cap that lies on its thread is held by it from then on, as it is turned."""
        model, data = self._running()
        for cap, thread in mates(self._setting.things):
            weld = model.equality(f"{cap} on {thread}").id
            if data.eq_active[weld] or not seated(self.state(), cap, thread):
                continue
            carrier = data.body(f"{thread} thread")
            back, turn = np.zeros(4), np.zeros(4)
            mujoco.mju_negQuat(back, carrier.xquat)
            mujoco.mju_mulQuat(turn, back, data.body(cap).xquat)
            turn[1:3] = 0.0  # upright
            model.eq_data[weld, 3:6] = 0.0
            model.eq_data[weld, 6:10] = turn / np.linalg.norm(turn)
            data.eq_active[weld] = 1

    def _happen(self) -> None:
        """The incident, once, when it is time."""
        model, data = self._running()
        state, incident = self.state(), self._incident
        opening = float(data.ctrl[0]) / FINGER_STROKE_M
        if incident is None or not happens(incident, state, opening, self._completed, self._step):
            return
        self._incident = None
        match incident:
            case Moved(item, x, y):
                body = model.body(item)
                data.qpos[model.jnt_qposadr[body.jntadr[0]] :][:2] = x, y
                data.qvel[model.jnt_dofadr[body.jntadr[0]] :][:6] = 0.0
            case Shut(drawer):
                data.joint(drawer).qpos[0] = data.joint(drawer).qvel[0] = 0.0
                self._completed = 0
            case Told(instruction, steps):
                self._instruction, self._steps = instruction, steps
        mujoco.mj_forward(model, data)

    def _note(self) -> bool:
        """Count the steps that are done now, and tell success."""
        state, steps = self.state(), self._steps
        if self._completed < len(steps):
            before = steps[self._completed - 1] if self._completed else None
            self._spoiled |= spoils(steps[self._completed], before, state)
        while not self._spoiled and self._completed < len(steps) and done(steps[self._completed], state):
            self._completed += 1
        finished = self._completed == len(steps) and not self._spoiled
        return finished and all(done(step, state) for step in steps if lasts(step))

    def _points(self, state: TableState) -> dict[str, np.ndarray]:
        step = self._steps[min(self._completed, len(self._steps) - 1)]
        target, goal = points(step, state)
        return {"target": target, "goal": goal, "gripper": state.hand[:3].copy()}


def table_state(model: mujoco.MjModel, data: mujoco.MjData, setting: Setting) -> TableState:
    """Of now, as a copy; every layout's vector has `STATE_SIZE` numbers, zeros fill the room that is left."""
    hand = data.body("hand")
    moving = np.concatenate([data.qpos, data.qvel])
    tail = np.concatenate([data.mocap_pos[0], data.mocap_quat[0], hand.xpos, hand.xquat])
    vector = np.zeros(STATE_SIZE)
    assert len(moving) + len(tail) <= STATE_SIZE, "more things than the state has room for"
    vector[: len(moving)] = moving
    vector[-len(tail) :] = tail
    return TableState(setting.things, vector)


def redraw(
    case: Case, vector: Float[np.ndarray, "d"], request: ViewRequest, look: str = ""
) -> dict[str, View]:
    """Pictures of a kept state (`Scene.state`), with the case's look or another one of `LOOKS`."""
    setting = draw(case)
    chosen = lookup("look", look or setting.look, LOOKS)
    model = compose(setting.things, chosen)
    data = mujoco.MjData(model)
    if vector.shape != (STATE_SIZE,):
        raise UsageError(f"A state of the table-top has {STATE_SIZE} numbers, got shape {vector.shape}.")
    data.qpos[:] = vector[: model.nq]
    mujoco.mj_forward(model, data)
    return {name: picture(model, data, name, request) for name in request.cameras}


def picture(model: mujoco.MjModel, data: mujoco.MjData, name: str, request: ViewRequest) -> View:
    """One camera's view of the present state."""
    lookup("tabletop camera", name, CAMERAS)
    return drawn_view(request, lambda asked: _drawn(model, data, name, asked))


def _drawn(model: mujoco.MjModel, data: mujoco.MjData, name: str, request: ViewRequest) -> View:
    camera = windowed_camera(
        name,
        camera_pose(model, data, name, half_turn=False),
        float(model.cam_fovy[model.camera(name).id]),
        FULL_VIEW,
        request.height,
        request.width,
    )
    if not (request.rgb or request.depth or request.segmentation):
        return View(camera=camera)
    drawn = renderer("tabletop", model).render(
        model, data, camera, rgb=request.rgb, depth=request.depth, segmentation=request.segmentation
    )
    names = segment_names(model) if request.segmentation else {}
    return View(camera, drawn.rgb, drawn.depth_m, drawn.segmentation, names)


def segment_names(model: mujoco.MjModel) -> dict[int, str]:
    """Segmentation id -> "object/part": robot, gripper, table, room, or a thing of the layout."""
    names = {0: "background"}
    for geom in range(model.ngeom):
        body = int(model.geom_bodyid[geom])
        names[1 + geom] = f"{_object_name(model, body)}/{model.geom(geom).name or model.body(body).name}"
    return names


def _object_name(model: mujoco.MjModel, body: int) -> str:
    if body == 0:
        return "room"
    if model.body(body).name in GRIPPER_BODIES:
        return "gripper"
    root = model.body(int(model.body_rootid[body])).name
    return "robot" if root == "base" else root


def checked_action(action: Float[np.ndarray, "a"]) -> Float[np.ndarray, "7"]:
    """The action in float64, or an error that says what is wrong with it."""
    if action.shape != (ACTION_SPEC.dimensions,):
        raise UsageError(f"An action has shape ({ACTION_SPEC.dimensions},), got {action.shape}.")
    if not np.all(np.abs(action) <= 1.0):  # also catches NaN
        raise UsageError(
            f"Actions must be finite and in [-1, 1] ({', '.join(ACTION_SPEC.names)}), got {action}."
        )
    return action.astype(np.float64)


def shift_action(task: str, seed: int) -> Float[np.ndarray, "7"]:
    """The constant action of a shifted start: in any direction, without a turn, the gripper open."""
    name = int.from_bytes(task.encode(), "little")
    generator = np.random.default_rng(np.random.SeedSequence([name, seed]))
    step = SHIFT_REACH_M / SHIFT_STEPS / np.array(ACTION_SPEC.scales[:3])
    return np.concatenate([generator.uniform(-1.0, 1.0, size=3) * step, [0.0, 0.0, 0.0, 1.0]])


def _at_home(model: mujoco.MjModel, setting: Setting) -> mujoco.MjData:
    data = mujoco.MjData(model)
    data.qpos[:ROBOT_QPOS] = HOME_QPOS
    for thing in setting.things:
        if thing.opened:
            data.joint(thing.name).qpos[0] = thing.opened
    mujoco.mj_forward(model, data)
    data.mocap_pos[0] = data.body("hand").xpos
    data.mocap_quat[0] = data.body("hand").xquat
    return data
