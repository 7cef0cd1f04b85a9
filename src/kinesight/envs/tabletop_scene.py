"""From a layout to a compiled MuJoCo model: arm, table, things, lights and cameras, by `mujoco.MjSpec`.

Meshes and textures are the same in every model, so that one upload to OpenGL serves them all.
"""

# pyright: reportAttributeAccessIssue=false
# mujoco's names come from compiled modules that pyright cannot read.

from collections.abc import Iterable
from functools import cache
from math import pi

import mujoco
import numpy as np
from jaxtyping import Float

from kinesight.envs.tabletop_fixtures import (
    BUTTON_TRAVEL_M,
    CAP_OF,
    DRAWER_TRAVEL_M,
    HANDLE_Y,
    HANDLE_Z,
    THREAD_DEPTH_M,
    THREAD_TURN_RAD,
)
from kinesight.envs.tabletop_kinds import COLOURS, Colour, Kind, Part
from kinesight.envs.tabletop_layout import Thing
from kinesight.envs.tabletop_looks import TABLES, Look, digit_texture
from kinesight.envs.tabletop_robot import sawyer

TIMESTEP_S = 0.005
ACTION_SCALES = (0.03, 0.03, 0.03, 0.2, 0.2, 0.2, 1.0)
"""Metres and radians by which an action of 1 moves and turns the hand's set point; the gripper's opening."""
TABLE_CENTRE, TABLE_HALF = (0.0, 0.60), (0.52, 0.36)
TABLE_THICKNESS_M = 0.04
FLOOR_Z = -0.80
CAMERAS: dict[str, tuple[tuple[float, float, float], tuple[float, float, float], float]] = {
    "front": ((0.0, 1.24, 0.86), (0.0, 0.550, 0.105), 37.5),
    "left": ((0.75, 1.14, 0.86), (-0.02, 0.560, 0.100), 39.0),
    "right": ((-0.75, 1.14, 0.86), (0.02, 0.560, 0.100), 39.0),
}
"""Name -> position, point looked at, vertical field of view in degrees."""
_GEOMS = {
    "box": mujoco.mjtGeom.mjGEOM_BOX,
    "cylinder": mujoco.mjtGeom.mjGEOM_CYLINDER,
    "sphere": mujoco.mjtGeom.mjGEOM_SPHERE,
    "capsule": mujoco.mjtGeom.mjGEOM_CAPSULE,
    "ellipsoid": mujoco.mjtGeom.mjGEOM_ELLIPSOID,
}
_FRICTION = (0.9, 0.01, 0.0008)
_DIGITS = range(10)


def compose(things: Iterable[Thing], look: Look) -> mujoco.MjModel:
    """The model of a layout; its joints are those of the arm, then of the things in their order."""
    spec = _room().copy()
    _dress(spec, look)
    things = tuple(things)
    for thing in things:
        _add_thing(spec, thing)
    for cap, thread in mates(things):
        weld = spec.add_equality(
            name=f"{cap} on {thread}",
            type=mujoco.mjtEq.mjEQ_WELD,
            objtype=mujoco.mjtObj.mjOBJ_BODY,
            name1=f"{thread} thread",
            name2=cap,
            active=False,
        )
        weld.data[:11] = (0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1)
    return spec.compile()


def mates(things: Iterable[Thing]) -> list[tuple[str, str]]:
    """(cap, thread) for all that fit; "cap on thread" is the weld that holds the one to the other."""
    things = tuple(things)
    return [
        (cap.name, thread.name)
        for thread in things
        for cap in things
        if thread.kind in CAP_OF and CAP_OF[thread.kind] == cap.kind
    ]


@cache
def _room() -> mujoco.MjSpec:
    spec = sawyer()
    spec.option.timestep = TIMESTEP_S
    spec.option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    spec.option.cone = mujoco.mjtCone.mjCONE_ELLIPTIC
    spec.option.impratio = 5
    spec.option.iterations = 30
    spec.visual.quality.numslices, spec.visual.quality.numstacks = 20, 10
    spec.stat.extent = 1.5
    spec.stat.center = (0, 0.5, 0)
    for name, draw in TABLES.items():
        _add_texture(spec, name, draw())
    for digit in _DIGITS:
        _add_texture(spec, f"digit {digit}", digit_texture(digit))
    world = spec.worldbody
    table = world.add_body(name="table", pos=(*TABLE_CENTRE, 0.0))
    box = mujoco.mjtGeom.mjGEOM_BOX
    table.add_geom(
        name="table top",
        type=box,
        size=(*TABLE_HALF, TABLE_THICKNESS_M / 2),
        pos=(0, 0, -TABLE_THICKNESS_M / 2),
        friction=_FRICTION,
        condim=4,
    )
    for x in (-1, 1):
        for y in (-1, 1):
            leg = (0.025, 0.025, (-FLOOR_Z - TABLE_THICKNESS_M) / 2)
            where = x * (TABLE_HALF[0] - 0.05), y * (TABLE_HALF[1] - 0.05), FLOOR_Z + leg[2]
            table.add_geom(type=box, size=leg, pos=where, rgba=(0.3, 0.3, 0.32, 1), contype=0, conaffinity=0)
    world.add_geom(name="floor", type=box, size=(9, 9, 0.01), pos=(0, 0, FLOOR_Z), contype=0, conaffinity=0)
    world.add_geom(name="wall", type=box, size=(9, 0.01, 3), pos=(0, -1.2, 1.5), contype=0, conaffinity=0)
    for name, (position, target, fovy) in CAMERAS.items():
        world.add_camera(name=name, pos=position, quat=_looking_at(position, target), fovy=fovy)
    return spec


def _add_texture(spec: mujoco.MjSpec, name: str, picture: np.ndarray) -> None:
    texture = spec.add_texture(name=name, type=mujoco.mjtTexture.mjTEXTURE_2D, nchannel=3)
    texture.height, texture.width = picture.shape[:2]
    texture.data = np.ascontiguousarray(picture).tobytes()
    material = spec.add_material(name=name, specular=0.15, shininess=0.2)
    material.textures[mujoco.mjtTextureRole.mjTEXROLE_RGB] = name


def _dress(spec: mujoco.MjSpec, look: Look) -> None:
    spec.geom("table top").material = look.table
    spec.geom("wall").rgba = (*look.wall, 1)
    spec.geom("floor").rgba = (*look.floor, 1)
    light = spec.visual.headlight
    light.ambient = (look.ambient,) * 3
    light.diffuse = (0.22,) * 3
    light.specular = (0.05,) * 3
    direction = -np.array([*look.lamp_from, 2.0])
    direction /= np.linalg.norm(direction)
    spec.worldbody.add_light(
        name="lamp",
        directional=True,
        castshadow=False,
        dir=direction,
        pos=-2 * direction,
        diffuse=look.light,
        specular=(0.2, 0.2, 0.2),
        ambient=(0, 0, 0),
    )


def _looking_at(
    eye: tuple[float, float, float], target: tuple[float, float, float]
) -> Float[np.ndarray, "4"]:
    """Of a MuJoCo camera, which looks along -z with y up."""
    back = np.array(eye) - np.array(target)
    back /= np.linalg.norm(back)
    right = np.cross([0.0, 0.0, 1.0], back)
    right /= np.linalg.norm(right)
    quaternion = np.zeros(4)
    mujoco.mju_mat2Quat(quaternion, np.stack([right, np.cross(back, right), back], axis=1).ravel())
    return quaternion


def _add_thing(spec: mujoco.MjSpec, thing: Thing) -> None:
    kind = thing.type
    turn = (np.cos(thing.yaw / 2), 0, 0, np.sin(thing.yaw / 2))
    body = spec.worldbody.add_body(name=thing.name, pos=(thing.x, thing.y, thing.z), quat=turn)
    if kind.movable:
        _weigh(body, kind, thing.scale)
        body.add_freejoint()
    for part in kind.parts:
        _add_part(body, part, thing)
    if thing.kind == "button":
        _add_button(body, thing)
    if thing.kind == "drawer":
        _add_drawer(body, thing)
    if thing.kind in CAP_OF:
        _add_thread(spec, body, thing)


def _weigh(body: mujoco.MjsBody, kind: Kind, scale: float) -> None:
    """Mass and inertia of a solid cylinder of the kind's height and radius, its centre half way up."""
    height, radius = kind.height_m * scale, kind.radius_m * scale
    mass = kind.mass_kg * scale**3
    across = mass * (3 * radius**2 + height**2) / 12
    body.mass = mass
    body.ipos = (0, 0, 0.45 * height)
    body.inertia = (across, across, mass * radius**2 / 2)
    body.explicitinertial = True


def _colour(colour: str | Colour, thing: Thing) -> Colour:
    if isinstance(colour, tuple):
        return colour
    return COLOURS[colour or thing.colour]


def _add_part(body: mujoco.MjsBody, part: Part, thing: Thing) -> None:
    about_z = np.array([np.cos(part.yaw / 2), 0, 0, np.sin(part.yaw / 2)])
    about_x = np.array([np.cos(part.tilt / 2), np.sin(part.tilt / 2), 0, 0])
    quaternion = np.zeros(4)
    mujoco.mju_mulQuat(quaternion, about_z, about_x)
    size = np.zeros(3)
    size[: len(part.size)] = part.size
    geom = body.add_geom(
        type=_GEOMS[part.shape],
        size=size * thing.scale,
        pos=np.array(part.at) * thing.scale,
        quat=quaternion,
        rgba=(1, 1, 1, 1) if part.material else (*_colour(part.colour, thing), 1),
        friction=_FRICTION,
        condim=4 if part.shape == "box" else 6,
        contype=int(part.solid),
        conaffinity=int(part.solid),
        solref=(0.012, 1),
    )
    if part.material:
        geom.material = part.material


def _add_button(body: mujoco.MjsBody, thing: Thing) -> None:
    """A sprung cap on the base, and a plate with the digit that leans towards the front camera."""
    cap = body.add_body(name=f"{thing.name} cap", pos=(0.0, 0.0, 0.020))
    _fixed_mass(cap, 0.05, 2e-5)
    cap.add_joint(
        name=thing.name,
        type=mujoco.mjtJoint.mjJNT_SLIDE,
        axis=(0, 0, -1),
        range=(0, BUTTON_TRAVEL_M),
        limited=True,
        stiffness=60,
        damping=3,
        armature=0.02,
    )
    _add_part(cap, Part("cylinder", (0.026, 0.010), (0.0, 0.0, 0.010)), thing)
    if thing.digit is not None:
        plate = Part(
            "box", (0.030, 0.030, 0.002), (0.0, 0.060, 0.020), tilt=-0.75, colour="white", solid=False
        )
        _add_part(body, plate, thing)
        printed = Part(
            "box", (0.028, 0.028, 0.0004), (0.0, 0.0614, 0.0216), yaw=pi, tilt=0.75,
            material=f"digit {thing.digit}", solid=False,
        )  # fmt: skip
        _add_part(body, printed, thing)


def _add_drawer(body: mujoco.MjsBody, thing: Thing) -> None:
    """A cabinet open towards +y and a tray with an upright handle that slides out of it."""
    wide, deep, high, wall = 0.170, 0.150, 0.090, 0.006
    shell = (
        ((wide, deep, wall), (0.0, 0.0, wall / 2)),
        ((wide, deep, wall), (0.0, 0.0, high - wall / 2)),
        ((wall, deep, high), (-(wide - wall) / 2, 0.0, high / 2)),
        ((wall, deep, high), ((wide - wall) / 2, 0.0, high / 2)),
        ((wide, wall, high), (0.0, -(deep - wall) / 2, high / 2)),
    )
    for lengths, at in shell:
        _add_part(body, Part("box", tuple(v / 2 for v in lengths), at), thing)
    tray = body.add_body(name=f"{thing.name} tray", pos=(0, 0, 0))
    _fixed_mass(tray, 0.3, 1e-3)
    tray.add_joint(
        name=thing.name,
        type=mujoco.mjtJoint.mjJNT_SLIDE,
        axis=(0, 1, 0),
        range=(0, DRAWER_TRAVEL_M),
        limited=True,
        damping=4,
        frictionloss=0.6,
        armature=0.05,
    )
    inner, front = wide - 2 * wall - 0.006, deep / 2
    boards = (
        ((inner, deep - 0.012, 0.004), (0.0, 0.004, 0.010)),
        ((0.004, deep - 0.012, 0.038), (-inner / 2 + 0.002, 0.004, 0.029)),
        ((0.004, deep - 0.012, 0.038), (inner / 2 - 0.002, 0.004, 0.029)),
        ((inner, 0.004, 0.038), (0.0, -deep / 2 + 0.012, 0.029)),
        ((wide - 0.004, 0.006, high - 0.014), (0.0, front + 0.004, high / 2)),
    )
    light = COLOURS["white"]
    for lengths, at in boards:
        _add_part(tray, Part("box", tuple(v / 2 for v in lengths), at, colour=light), thing)
    bracket = Part("box", (0.008, 0.014, 0.005), (0.0, front + 0.020, 0.045), colour=(0.3, 0.3, 0.32))
    post = Part("box", (0.009, 0.008, 0.024), (0.0, HANDLE_Y, HANDLE_Z), colour=(0.3, 0.3, 0.32))
    _add_part(tray, bracket, thing)
    _add_part(tray, post, thing)


def _add_thread(spec: mujoco.MjSpec, body: mujoco.MjsBody, thing: Thing) -> None:
    """A carrier that turns and sinks together: an equality couples its slide to its hinge."""
    seat = thing.type.floor_m + THREAD_DEPTH_M
    carrier = body.add_body(name=f"{thing.name} thread", pos=(0, 0, seat))
    _fixed_mass(carrier, 0.05, 5e-5)
    carrier.add_joint(
        name=f"{thing.name} turn",
        type=mujoco.mjtJoint.mjJNT_HINGE,
        axis=(0, 0, 1),
        range=(-THREAD_TURN_RAD, 0),
        limited=True,
        damping=0.01,
        frictionloss=0.02,
        armature=1e-3,
    )
    carrier.add_joint(
        name=f"{thing.name} sink",
        type=mujoco.mjtJoint.mjJNT_SLIDE,
        axis=(0, 0, 1),
        damping=1,
        armature=0.05,
    )
    coupling = spec.add_equality(
        name=f"{thing.name} screw",
        type=mujoco.mjtEq.mjEQ_JOINT,
        name1=f"{thing.name} sink",
        name2=f"{thing.name} turn",
        solref=(2 * TIMESTEP_S, 1),
        solimp=(0.999, 0.9999, 0.0001, 0.5, 2),
    )
    coupling.data[:5] = (0, THREAD_DEPTH_M / THREAD_TURN_RAD, 0, 0, 0)


def _fixed_mass(body: mujoco.MjsBody, mass: float, moment: float) -> None:
    body.mass = mass
    body.inertia = (moment,) * 3
    body.explicitinertial = True
