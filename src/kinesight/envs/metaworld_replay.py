"""Meta-World's episodes played again from their actions, so that every moment can be drawn again.

`Scene.state` is what Meta-World's experts read and does not hold all joints. An episode is a pure function of
its case and its actions, so the joints are found by stepping through them once, without pictures.
"""

# pyright: reportAttributeAccessIssue=false
# mujoco's names come from compiled modules that pyright cannot read.

from dataclasses import asdict, dataclass

import mujoco
import numpy as np
from jaxtyping import Float

from kinesight.envs.metaworld import MetaWorld, segment_names
from kinesight.envs.metaworld_tables import CAMERAS, crop_window
from kinesight.envs.mujoco_renderer import camera_pose, windowed_camera
from kinesight.envs.replay import Replay
from kinesight.types.camera import Camera
from kinesight.types.case import Case
from kinesight.types.errors import DataError, UnknownName


@dataclass(frozen=True, slots=True)
class Light:
    """Factors on what the model's file says; 1 is its own light."""

    ambient: float = 1.0
    diffuse: tuple[float, float, float] = (1.0, 1.0, 1.0)
    surfaces: tuple[float, float, float] = (1.0, 1.0, 1.0)
    """Of the materials and colours of everything that is no robot."""

    def facts(self) -> dict[str, object]:
        return asdict(self)


class Lamps:
    """The model's own lights and colours, and how to change them."""

    def __init__(self, scene: Replay) -> None:
        model = scene.model
        self._scene = scene
        self._ambient = model.vis.headlight.ambient.copy()
        self._diffuse = model.light_diffuse.copy(), model.vis.headlight.diffuse.copy()
        ground = [i - 1 for i, name in scene.names.items() if name.split("/")[0] in ("table", "floor")]
        self._ground = [i for i in ground if 0 <= i < model.ngeom]
        self._materials = sorted({int(model.geom_matid[i]) for i in self._ground} - {-1})
        self._rgba = model.geom_rgba.copy(), model.mat_rgba.copy()

    def set(self, light: Light) -> None:
        model = self._scene.model
        model.vis.headlight.ambient[:] = np.clip(self._ambient * light.ambient, 0, 1)
        model.light_diffuse[:] = np.clip(self._diffuse[0] * light.diffuse, 0, 1)
        model.vis.headlight.diffuse[:] = np.clip(self._diffuse[1] * light.diffuse, 0, 1)
        for rows, own, numbers in (
            (model.geom_rgba, self._rgba[0], self._ground),
            (model.mat_rgba, self._rgba[1], self._materials),
        ):
            rows[numbers, :3] = np.clip(own[numbers, :3] * light.surfaces, 0, 1)


def replay(case: Case, actions: Float[np.ndarray, "t a"]) -> tuple[Replay, Float[np.ndarray, "n d"]]:
    """The model of an episode, and its joints at each of its moments."""
    environment = MetaWorld(case, limit=len(actions))
    environment.reset()
    data = environment.simulation.data
    joints, success = [data.qpos.copy()], False
    for row in actions:
        success = environment.step(row).success
        joints.append(data.qpos.copy())
    if not success:
        raise DataError(f"{case} was not solved again by its own actions; its episode was made elsewhere.")
    return Replay(case.task, environment.simulation.model, segment_names(case.task), _place), np.stack(joints)


def _place(model: mujoco.MjModel, data: mujoco.MjData, joints: Float[np.ndarray, "d"]) -> None:
    data.qpos[:] = joints


def named_camera(scene: Replay, task: str, name: str, height: int, width: int) -> Camera:
    """With the crop window that the task's table names."""
    if name not in CAMERAS:
        raise UnknownName("Meta-World camera", name, CAMERAS)
    model = scene.model
    fovy = float(model.cam_fovy[model.camera(name).id])
    pose = camera_pose(model, scene.data, name, half_turn=True)
    return windowed_camera(name, pose, fovy, crop_window(task, name), height, width)


def random_light(generator: np.random.Generator) -> Light:
    warmth, bright = generator.uniform(-0.15, 0.15), generator.uniform(0.65, 1.25)
    red, green, blue = (float(v) for v in bright * np.array([1 + warmth, 1.0, 1 - warmth]))
    surfaces = tuple(float(v) for v in generator.uniform(0.55, 1.0, 3))
    return Light(
        float(generator.uniform(0.7, 1.4)), (red, green, blue), (surfaces[0], surfaces[1], surfaces[2])
    )
