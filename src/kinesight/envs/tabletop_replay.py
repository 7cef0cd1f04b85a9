"""Kept states of the table-top under any look and from any side, without compiling its model again.

A look changes materials, colours and lights of the compiled model in place: every texture is in every model
(`tabletop_scene.py`), so nothing is uploaded anew.
"""

# pyright: reportAttributeAccessIssue=false
# mujoco's names come from compiled modules that pyright cannot read.

from collections.abc import Mapping

import mujoco
import numpy as np
from jaxtyping import Float

from kinesight.envs.mujoco_renderer import camera_pose, windowed_camera
from kinesight.envs.replay import Replay, camera_towards
from kinesight.envs.tabletop import STATE_SIZE, segment_names
from kinesight.envs.tabletop_kinds import Colour
from kinesight.envs.tabletop_looks import LOOKS, SEEN_LOOKS, TABLES, UNSEEN_LOOKS, Look
from kinesight.envs.tabletop_scene import CAMERAS, compose
from kinesight.envs.tabletop_tasks import Setting
from kinesight.types.camera import FULL_VIEW, Camera
from kinesight.types.errors import UnknownName, UsageError

FREE = "free"
"""The camera that stands anywhere in front of the table."""
FREE_AZIMUTH_DEG, FREE_ELEVATION_DEG, FREE_DISTANCE_M = (-55.0, 55.0), (32.0, 66.0), (0.92, 1.25)
FREE_TARGET, FREE_TARGET_STD_M = (0.0, 0.56, 0.06), 0.02
FREE_FOVY_DEG = (36.0, 44.0)

PARTS: Mapping[str, Mapping[str, tuple[int, ...]]] = {
    "mug": {"handle": (2, 3, 4)},
    "bottle": {"cap": (2,)},
    "carrot": {"leaves": (2,)},
    "lid": {"knob": (1,)},
    "bulb": {"glass": (2,), "screw base": (0, 1)},
    "jar": {"neck": (1,), "label": (2,)},
    "socket": {"ring": tuple(range(2, 16))},
    "plate": {"rim": tuple(range(2, 18))},
    "bowl": {"rim": tuple(range(1, 13))},
    "box": {"walls": (1, 2, 3, 4)},
    "button": {"cap": (3,), "base": (0,), "number plate": (1, 2)},
    "drawer": {"handle": (10, 11), "front": (9,)},
}
"""Kind of thing -> its named parts, as numbers of its geoms in the order in which they are added."""


def replay(setting: Setting) -> Replay:
    """The model of a case's layout, under the case's own look."""
    model = compose(setting.things, LOOKS[setting.look])
    names = segment_names(model)
    for thing in setting.things:
        geoms = _geoms_of(model, thing.name)
        for part, numbers in PARTS.get(thing.kind, {}).items():
            for number in numbers:
                if number < len(geoms):
                    names[1 + geoms[number]] = f"{thing.name}/{part}"
    return Replay("tabletop", model, names, _place)


def _place(model: mujoco.MjModel, data: mujoco.MjData, state: Float[np.ndarray, "d"]) -> None:
    if state.shape != (STATE_SIZE,):
        raise UsageError(f"A state of the table-top has {STATE_SIZE} numbers, got shape {state.shape}.")
    data.qpos[:] = state[: model.nq]


def _geoms_of(model: mujoco.MjModel, thing: str) -> list[int]:
    """Geoms of the thing's body and of the bodies that move on it, in the order of the ids."""
    root = model.body(thing).id
    return [geom for geom in range(model.ngeom) if model.body_rootid[model.geom_bodyid[geom]] == root]


def dress(scene: Replay, look: Look) -> None:
    """The replay's next pictures have this look."""
    model = scene.model
    model.geom_matid[model.geom("table top").id] = model.material(look.table).id
    model.geom_rgba[model.geom("wall").id] = (*look.wall, 1)
    model.geom_rgba[model.geom("floor").id] = (*look.floor, 1)
    model.vis.headlight.ambient[:] = look.ambient
    direction = -np.array([*look.lamp_from, 2.0])
    direction /= np.linalg.norm(direction)
    lamp = model.light("lamp").id
    model.light_dir[lamp] = direction
    model.light_pos[lamp] = -2 * direction
    model.light_diffuse[lamp] = look.light
    scene.relight()


def random_look(generator: np.random.Generator, unseen: bool = False) -> Look:
    """Any table top of the seen or the unseen looks, with walls, floor and light that no named look has."""
    tables = sorted({LOOKS[name].table for name in (UNSEEN_LOOKS if unseen else SEEN_LOOKS)} & set(TABLES))
    warmth = generator.uniform(-0.12, 0.12)
    lamp = generator.uniform(0.40, 0.75) * np.array([1 + warmth, 1.0, 1 - warmth])
    return Look(
        table=tables[int(generator.integers(len(tables)))],
        wall=_colour(generator, 0.25, 0.90),
        floor=_colour(generator, 0.12, 0.60),
        light=(float(lamp[0]), float(lamp[1]), float(lamp[2])),
        ambient=float(generator.uniform(0.22, 0.48)),
        lamp_from=(float(generator.uniform(-1.2, 1.2)), float(generator.uniform(0.0, 1.2))),
    )


def _colour(generator: np.random.Generator, low: float, high: float) -> Colour:
    """A muted one: near a grey."""
    red, green, blue = np.clip(generator.uniform(low, high) + generator.uniform(-0.1, 0.1, 3), 0.0, 1.0)
    return float(red), float(green), float(blue)


def named_camera(scene: Replay, name: str, height: int, width: int) -> Camera:
    if name not in CAMERAS:
        raise UnknownName("tabletop camera", name, (*CAMERAS, FREE))
    model = scene.model
    fovy = float(model.cam_fovy[model.camera(name).id])
    pose = camera_pose(model, scene.data, name, half_turn=False)
    return windowed_camera(name, pose, fovy, FULL_VIEW, height, width)


def free_camera(generator: np.random.Generator, height: int, width: int) -> Camera:
    """Somewhere on a shell in front of the table, looking at its middle."""
    azimuth, elevation = np.radians(
        [generator.uniform(*FREE_AZIMUTH_DEG), generator.uniform(*FREE_ELEVATION_DEG)]
    )
    level = np.cos(elevation)
    towards = np.array([np.sin(azimuth) * level, np.cos(azimuth) * level, np.sin(elevation)])
    target = np.array(FREE_TARGET) + generator.normal(0.0, FREE_TARGET_STD_M, 3)
    eye = target + generator.uniform(*FREE_DISTANCE_M) * towards
    return camera_towards(FREE, eye, target, float(generator.uniform(*FREE_FOVY_DEG)), height, width)
