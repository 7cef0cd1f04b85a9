"""Meta-World's models in another look (envs/metaworld_looks.py), for drawing only.

A dressed model is a copy of the compiled one with other textures, materials and lights. It is drawn with the
simulation's own data, so a state can be drawn in any look, whenever it is there.
"""

# pyright: reportAttributeAccessIssue=false
# mujoco's names come from compiled modules that pyright cannot read.

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import cv2
import mujoco
import numpy as np
from jaxtyping import UInt8

from kinesight.envs.metaworld_looks import Look
from kinesight.envs.tabletop_looks import TABLES

TABLE_TEXTURE, SKY_TYPE = "T_table", int(mujoco.mjtTexture.mjTEXTURE_SKYBOX)
FLOOR, WALL = "basic_floor", "wall_metal"
"""Materials; a table with a hole has no wall."""


@contextmanager
def lit(model: mujoco.MjModel, data: mujoco.MjData) -> Iterator[None]:
    """Let the lamps of `data` shine as those of the dressed `model` while it is drawn."""
    kept = data.light_xdir.copy()
    data.light_xdir[:] = model.light_dir
    try:
        yield
    finally:
        data.light_xdir[:] = kept


def dress(model: mujoco.MjModel, look: Look) -> mujoco.MjModel:
    """A copy of a compiled model that looks otherwise and is otherwise the same."""
    changed = copy.copy(model)
    _paint(changed, changed.texture(TABLE_TEXTURE).id, _table(look.table))
    for texture in np.flatnonzero(changed.tex_type == SKY_TYPE):
        _paint(changed, int(texture), np.full((1, 1, 3), np.round(255 * np.array(look.sky)), np.uint8))
    for name, tint in ((FLOOR, look.floor), (WALL, look.wall)):
        for material in range(changed.nmat):
            if changed.material(material).name == name:
                changed.mat_rgba[material, :3] = tint
    changed.vis.headlight.ambient[:] = look.ambient
    directions = np.array(look.lamps_to, float)
    lamps = len(look.lamps)
    assert changed.nlight == lamps, f"Meta-World has {lamps} lamps, this model {changed.nlight}"
    changed.light_diffuse[:] = look.lamps
    changed.light_dir[:] = directions / np.linalg.norm(directions, axis=1, keepdims=True)
    return changed


def _paint(model: mujoco.MjModel, texture: int, picture: UInt8[np.ndarray, "_ _ 3"]) -> None:
    """Fill a texture's faces (one below another) with the picture, in the texture's own size."""
    height, width = int(model.tex_height[texture]), int(model.tex_width[texture])
    channels = int(model.tex_nchannel[texture])
    face = cv2.resize(picture, (width, width), interpolation=cv2.INTER_AREA).reshape(width, width, 3)
    faces = np.tile(face, (height // width, 1, 1))
    if channels == 4:
        faces = np.concatenate([faces, np.full((*faces.shape[:2], 1), 255, np.uint8)], axis=2)
    first = int(model.tex_adr[texture])
    model.tex_data[first : first + faces.size] = faces.ravel()


@cache
def _table(name: str) -> UInt8[np.ndarray, "_ _ 3"]:
    return TABLES[name]()
