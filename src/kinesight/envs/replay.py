"""Kept states drawn again: any view, any light, no physics.

A `Replay` holds the compiled model of one episode. States are put into it one after the other; what it tells
of them (pictures, boxes of things) depends on the state alone.
"""

# pyright: reportAttributeAccessIssue=false
# mujoco's names come from compiled modules that pyright cannot read.

from collections.abc import Callable, Mapping

import mujoco
import numpy as np
from jaxtyping import Float

from kinesight.envs.mujoco_renderer import renderer, windowed_camera
from kinesight.types.arrays import Matrix4, Point
from kinesight.types.camera import FULL_VIEW, Camera
from kinesight.types.observation import View

DRAWN_GROUPS = 3
"""Geoms of groups from this one on are not drawn; Meta-World keeps what only collides in group 4."""
Boxes = Mapping[str, tuple[Point, Point]]
"""Name -> lowest and highest corner along the world's axes, metres."""


class Replay:
    """One model, one state at a time."""

    def __init__(
        self,
        key: str,
        model: mujoco.MjModel,
        names: Mapping[int, str],
        place: Callable[[mujoco.MjModel, mujoco.MjData, Float[np.ndarray, "d"]], None],
    ) -> None:
        """`key` is the renderer's (`mujoco_renderer.renderer`), `names` the "object/part" of each id, and
        `place` writes a kept state into the simulation's joints."""
        self.model, self.data = model, mujoco.MjData(model)
        self.names = dict(names)
        self._key, self._place = key, place
        self._geoms: dict[str, list[int]] = {}
        for identity, name in self.names.items():
            if 1 <= identity <= model.ngeom and model.geom_group[identity - 1] < DRAWN_GROUPS:
                self._geoms.setdefault(name.partition("/")[0], []).append(identity - 1)

    def put(self, state: Float[np.ndarray, "d"]) -> None:
        self._place(self.model, self.data, state)
        mujoco.mj_forward(self.model, self.data)

    def relight(self) -> None:
        """After lights of the model were changed: their poses are computed anew."""
        mujoco.mj_camlight(self.model, self.data)

    def view(self, camera: Camera, *, rgb: bool, depth: bool, segmentation: bool) -> View:
        drawn = renderer(self._key, self.model).render(
            self.model, self.data, camera, rgb=rgb, depth=depth, segmentation=segmentation
        )
        names = self.names if segmentation else {}
        return View(camera, drawn.rgb, drawn.depth_m, drawn.segmentation, names)

    def boxes(self) -> Boxes:
        """Of every object that has a name, from the boxes of its geoms."""
        turns = self.data.geom_xmat.reshape(-1, 3, 3)
        centres = self.data.geom_xpos + np.einsum("nij,nj->ni", turns, self.model.geom_aabb[:, :3])
        halves = np.einsum("nij,nj->ni", np.abs(turns), self.model.geom_aabb[:, 3:])
        low, high = centres - halves, centres + halves
        return {
            name: (low[geoms].min(axis=0), high[geoms].max(axis=0)) for name, geoms in self._geoms.items()
        }


def camera_towards(
    name: str, eye: Point, target: Point, fovy_degrees: float, height: int, width: int
) -> Camera:
    """A camera of the whole view at `eye` that looks at `target`, upright."""
    return windowed_camera(name, looking_from(eye, target), fovy_degrees, FULL_VIEW, height, width)


def looking_from(eye: Point, target: Point) -> Matrix4:
    """T_world_camera with OpenCV axes; z of the world is up in the picture."""
    forward = (target - eye) / np.linalg.norm(target - eye)
    right = np.cross(forward, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right)
    pose = np.eye(4)
    pose[:3, :3] = np.stack([right, np.cross(forward, right), forward], axis=1)
    pose[:3, 3] = eye
    return pose
