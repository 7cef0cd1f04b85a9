"""Off-screen pictures of a MuJoCo scene, fast on a processor without a graphics card.

Software rendering pays for vertices and for every extra pass over them. So one OpenGL context serves the
whole process, models share what was uploaded for their XML file, and shadows, mirror images and
multi-sampling are off. A crop window and the half turn of a camera that hangs upside down are part of the
projection, and objects outside the window are left out: geometry and colours stay those of the full view.

One process, one thread: start workers with the spawn or forkserver method.
"""

# pyright: reportAttributeAccessIssue=false
# mujoco's names come from compiled modules that pyright cannot read.

import atexit
import os
from collections import OrderedDict
from dataclasses import dataclass

import mujoco
import numpy as np
from jaxtyping import Bool, Float32, Float64, Int32, UInt8

from kinesight.envs import opengl
from kinesight.types.arrays import Matrix4
from kinesight.types.camera import Camera, CropWindow
from kinesight.types.errors import KinesightError

MAX_CONTEXTS = 16
"""Models whose meshes and textures stay uploaded; the one used longest ago makes room."""

SKY_FROM = 0.2
"""The sky is a box that is drawn in colour pictures; depth beyond this part of the far limit is its own."""

HIDDEN_GROUP = 5
"""A geom group that MuJoCo's default options do not draw."""

_NO_PERTURBATION = mujoco.MjvPerturb()
_OPTIONS = mujoco.MjvOption()


@dataclass(frozen=True, slots=True)
class Picture:
    """What was drawn; what was not asked for is None."""

    rgb: UInt8[np.ndarray, "y x 3"] | None
    depth_m: Float32[np.ndarray, "y x"] | None
    segmentation: Int32[np.ndarray, "y x"] | None


def camera_pose(model: mujoco.MjModel, data: mujoco.MjData, name: str, half_turn: bool) -> Matrix4:
    """T_world_camera with OpenCV axes. MuJoCo's cameras look along -z with y up.

    `half_turn` rolls the camera by 180 degrees, for cameras that are mounted upside down.
    """
    index = model.camera(name).id
    right, up, back = data.cam_xmat[index].reshape(3, 3).T
    sign = -1.0 if half_turn else 1.0
    pose = np.eye(4)
    pose[:3, :3] = np.stack([sign * right, -sign * up, -back], axis=1)
    pose[:3, 3] = data.cam_xpos[index]
    return pose


def windowed_camera(
    name: str, T_world_camera: Matrix4, fovy_degrees: float, window: CropWindow, height: int, width: int
) -> Camera:
    """The camera whose `height` x `width` image is `window` of the full view, with square pixels.

    The full view is (height / window.height) x (width / window.width) pixels and spans `fovy_degrees`
    from its upper to its lower edge.
    """
    full_height, full_width = height / window.height, width / window.width
    focal = 0.5 * full_height / np.tan(np.radians(fovy_degrees) / 2)
    centre_x, centre_y = full_width * (0.5 - window.left), full_height * (0.5 - window.top)
    K = np.array([[focal, 0.0, centre_x], [0.0, focal, centre_y], [0.0, 0.0, 1.0]])
    return Camera(name=name, K=K, T_world_camera=T_world_camera, height=height, width=width)


class SceneRenderer:
    """Draws simulations of one XML file through the process's OpenGL context."""

    def __init__(self, model: mujoco.MjModel) -> None:
        quality = model.vis.quality
        before = quality.offsamples, quality.shadowsize
        quality.offsamples, quality.shadowsize = 0, 0
        self._context = mujoco.MjrContext(model, mujoco.mjtFontScale.mjFONTSCALE_50)
        quality.offsamples, quality.shadowsize = before
        # Reversed depth as it is stored: float32 keeps its precision far from the camera.
        self._context.readDepthMap = mujoco.mjtDepthMap.mjDEPTH_ZEROFAR
        self._scene = mujoco.MjvScene(model, maxgeom=2 * (model.ngeom + model.nsite) + 100)
        for flag in (mujoco.mjtRndFlag.mjRND_SHADOW, mujoco.mjtRndFlag.mjRND_REFLECTION):
            self._scene.flags[flag] = 0
        self._view = mujoco.MjvCamera()
        self._buffer_size = (model.vis.global_.offheight, model.vis.global_.offwidth)

    def free(self) -> None:
        self._context.free()

    def render(
        self,
        model: mujoco.MjModel,
        data: mujoco.MjData,
        camera: Camera,
        *,
        rgb: bool,
        depth: bool,
        segmentation: bool,
    ) -> Picture:
        """Draw the present state. `segmentation` holds 0, 1 + geom id, or 1 + ngeom + site id."""
        near, far = (limit * model.stat.extent for limit in (model.vis.map.znear, model.vis.map.zfar))
        self._bind_buffer(camera.height, camera.width)
        self._update(model, data, camera)
        self._aim(camera, near, far)
        shape = camera.height, camera.width
        colours = np.empty((*shape, 3), np.uint8) if rgb else None
        codes = np.empty((*shape, 3), np.uint8) if segmentation else None
        distances = np.empty(shape, np.float32) if depth else None
        if rgb:
            self._draw(colours, distances, shape, ids=False)
        if segmentation or not rgb:
            # Without lights this pass is the cheaper one: it gives the depth where no colour is wanted.
            self._draw(codes, None if rgb else distances, shape, ids=True)
        return Picture(
            rgb=None if colours is None else np.ascontiguousarray(colours[::-1]),
            depth_m=None if distances is None else _linear_depth(distances[::-1], near, far),
            segmentation=None if codes is None else self._object_ids(model.ngeom)[_scene_ids(codes[::-1])],
        )

    def _update(self, model: mujoco.MjModel, data: mujoco.MjData, camera: Camera) -> None:
        groups = model.geom_group.copy()
        model.geom_group[~_in_view(camera, data.geom_xpos, model.geom_rbound)] = HIDDEN_GROUP
        mujoco.mjv_updateScene(
            model, data, _OPTIONS, _NO_PERTURBATION, self._view, mujoco.mjtCatBit.mjCAT_ALL, self._scene
        )
        model.geom_group[:] = groups

    def _draw(
        self,
        colours: UInt8[np.ndarray, "y x 3"] | None,
        distances: Float32[np.ndarray, "y x"] | None,
        shape: tuple[int, int],
        ids: bool,
    ) -> None:
        """One pass; `ids` paints every object in the code of its place in the scene."""
        viewport = mujoco.MjrRect(0, 0, shape[1], shape[0])
        for flag in (mujoco.mjtRndFlag.mjRND_SEGMENT, mujoco.mjtRndFlag.mjRND_IDCOLOR):
            self._scene.flags[flag] = ids
        mujoco.mjr_render(viewport, self._scene, self._context)
        mujoco.mjr_readPixels(colours, distances, viewport, self._context)

    def _bind_buffer(self, height: int, width: int) -> None:
        """Large enough, and bound: contexts of other models bind theirs."""
        have_height, have_width = self._buffer_size
        if height > have_height or width > have_width:
            self._buffer_size = max(height, have_height), max(width, have_width)
            mujoco.mjr_resizeOffscreen(self._buffer_size[1], self._buffer_size[0], self._context)
        mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN, self._context)

    def _aim(self, camera: Camera, near: float, far: float) -> None:
        focal, centre_x, centre_y = camera.K[0, 0], camera.K[0, 2], camera.K[1, 2]
        pose = camera.T_world_camera
        for eye in self._scene.camera:  # two of them, for stereo; the picture uses their mean
            eye.pos = pose[:3, 3]
            eye.forward = pose[:3, 2]
            eye.up = -pose[:3, 1]
            eye.frustum_near, eye.frustum_far = near, far
            eye.frustum_top = near * centre_y / focal
            eye.frustum_bottom = near * (centre_y - camera.height) / focal
            eye.frustum_width = 0.0  # from the viewport's aspect: pixels are square
            eye.frustum_center = near * (camera.width / 2 - centre_x) / focal

    def _object_ids(self, geom_count: int) -> Int32[np.ndarray, "n"]:
        """Scene id (0 = nothing) -> 1 + geom id, or 1 + geom_count + site id."""
        table = np.zeros(self._scene.ngeom + 1, np.int32)
        first = {mujoco.mjtObj.mjOBJ_GEOM: 1, mujoco.mjtObj.mjOBJ_SITE: 1 + geom_count}
        for index in range(self._scene.ngeom):
            geom = self._scene.geoms[index]
            if geom.segid >= 0 and geom.objtype in first:
                table[geom.segid + 1] = first[geom.objtype] + geom.objid
        return table


def _in_view(
    camera: Camera, centres: Float64[np.ndarray, "n 3"], radii: Float64[np.ndarray, "n"]
) -> Bool[np.ndarray, "n"]:
    """Whether a sphere reaches into the camera's pyramid of view; radius 0 marks an endless plane."""
    pose = camera.T_world_camera
    seen = (centres - pose[:3, 3]) @ pose[:3, :3]
    focal, centre_x, centre_y = camera.K[0, 0], camera.K[0, 2], camera.K[1, 2]
    left, top = (focal, 0.0, centre_x), (0.0, focal, centre_y)
    right, bottom = (-focal, 0.0, camera.width - centre_x), (0.0, -focal, camera.height - centre_y)
    inward = np.array([left, right, top, bottom, (0.0, 0.0, 1.0)])
    inward /= np.linalg.norm(inward, axis=1, keepdims=True)
    return (radii == 0) | np.all(seen @ inward.T >= -radii[:, None], axis=1)


def _linear_depth(stored: Float32[np.ndarray, "y x"], near: float, far: float) -> Float32[np.ndarray, "y x"]:
    """Metres along the viewing axis, 0 for the sky; the buffer holds 1 at `near` and 0 at `far`."""
    scale = np.float32(near * far / (far - near))
    offset = np.float32(near / (far - near))
    depth_m = scale / (stored + offset)
    return np.where(depth_m < SKY_FROM * far, depth_m, np.float32(0))


def _scene_ids(colours: UInt8[np.ndarray, "y x 3"]) -> Int32[np.ndarray, "y x"]:
    red, green, blue = np.moveaxis(colours.astype(np.int32), -1, 0)
    return red | (green << 8) | (blue << 16)


class _OpenGL:
    """The process's OpenGL context and the models uploaded to it."""

    def __init__(self) -> None:
        self._pid = os.getpid()
        self._context = opengl.make_context()
        self._renderers: OrderedDict[str, SceneRenderer] = OrderedDict()

    def renderer(self, key: str, model: mujoco.MjModel) -> SceneRenderer:
        if os.getpid() != self._pid:
            raise KinesightError(
                "Rendering was used before this process was forked, which OpenGL does not survive. "
                "Start workers with the 'spawn' or 'forkserver' method."
            )
        self._context.make_current()
        if key not in self._renderers:
            while len(self._renderers) >= MAX_CONTEXTS:
                self._renderers.popitem(last=False)[1].free()
            self._renderers[key] = SceneRenderer(model)
        self._renderers.move_to_end(key)
        return self._renderers[key]

    def close(self) -> None:
        if os.getpid() != self._pid:
            return
        self._context.make_current()
        while self._renderers:
            self._renderers.popitem()[1].free()
        self._context.free()


_shared: list[_OpenGL] = []


def renderer(key: str, model: mujoco.MjModel) -> SceneRenderer:
    """The renderer of the XML file `key`, ready to draw; `model` is any model compiled from it."""
    if not _shared:
        _shared.append(_OpenGL())
        atexit.register(_shared[0].close)
    return _shared[0].renderer(key, model)
