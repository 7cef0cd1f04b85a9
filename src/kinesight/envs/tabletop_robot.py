"""Meta-World's Sawyer (MIT licence, from the installed package) with a parallel gripper of our own.

Its meshes are thinned to a grid: 66 500 faces cost more than everything else in a picture of 128 pixels, and
at that size 14 000 look the same. The hand follows a mocap body through a weld, as in Meta-World; gravity
does not act on the arm. The hand's frame lies between the finger tips: z along the fingers, which close
along y; with no turn of the wrist its x axis is the world's and z points down.
"""

# pyright: reportAttributeAccessIssue=false
# mujoco's names come from compiled modules that pyright cannot read.

from functools import cache
from importlib.util import find_spec
from pathlib import Path

import mujoco
import numpy as np
from jaxtyping import Float, Int

GRID_M = 0.007
FINGER_STROKE_M = 0.040
"""Of each finger; the gripper opens to twice that."""
FINGER_FORCE_N = 14.0
TIP_M = 0.010
"""The fingers reach beyond the hand's origin."""
PALM_TO_TIPS_M = 0.175
GRIPPER_BODIES = ("right_hand", "hand", "left_finger", "right_finger")
HOME_QPOS = (1.4386, -1.4163, -0.2464, 1.8031, 0.0404, 1.1889, -0.2163, FINGER_STROKE_M, FINGER_STROKE_M)
DARK, STEEL, ACCENT = (0.17, 0.18, 0.20), (0.62, 0.64, 0.67), (0.70, 0.12, 0.10)
PAINT = {"base": STEEL, "pedestal": DARK, "head": DARK, "l0": DARK, "l1": ACCENT, "l2": DARK, "l3": ACCENT,
         "l4": DARK, "l5": ACCENT, "l6": DARK, "eGripperBase": STEEL}  # fmt: skip


def sawyer() -> mujoco.MjSpec:
    """A new specification of the arm: its base stands at the origin and reaches towards +y."""
    return _sawyer().copy()


@cache
def _sawyer() -> mujoco.MjSpec:
    package = find_spec("metaworld")
    assert package is not None, "metaworld is a dependency"
    path = Path(str(package.origin)).parent / "assets" / "objects" / "xyz_base.xml"
    compiled = mujoco.MjSpec.from_file(str(path)).compile()
    spec = mujoco.MjSpec.from_file(str(path))
    for mesh in spec.meshes:
        points, faces = thinned(*_mesh(compiled, mesh.name), GRID_M)
        mesh.file = ""
        mesh.uservert = points.astype(np.float32).ravel()
        mesh.userface = faces.astype(np.int32).ravel()
    for camera in spec.cameras:
        camera.delete()
    for site in spec.sites:
        site.delete()
    spec.detach_body(spec.body("hand"))
    for geom in spec.geoms:
        if geom.meshname not in PAINT:
            geom.delete()  # boxes and cylinders that Meta-World draws invisibly
            continue
        geom.rgba = (*PAINT[geom.meshname], 1.0)
        geom.contype = geom.conaffinity = 0
    for body in spec.bodies:
        body.gravcomp = 1.0
    _add_gripper(spec)
    return spec


def _add_gripper(spec: mujoco.MjSpec) -> None:
    hand = spec.body("right_hand").add_body(name="hand", pos=(0, 0, PALM_TO_TIPS_M), gravcomp=1)
    _inertia(hand, 0.3, 3e-4)
    palm = {"type": mujoco.mjtGeom.mjGEOM_BOX, "contype": 1, "conaffinity": 1}
    hand.add_geom(name="palm", pos=(0, 0, -0.060), size=(0.016, 0.050, 0.008), rgba=(*DARK, 1), **palm)
    for side, name in ((-1, "left"), (1, "right")):
        finger = hand.add_body(name=f"{name}_finger", gravcomp=1)
        _inertia(finger, 0.08, 2e-5)
        finger.add_joint(
            name=name,
            type=mujoco.mjtJoint.mjJNT_SLIDE,
            axis=(0, side, 0),
            range=(0, FINGER_STROKE_M),
            limited=True,
            damping=8,
            armature=0.1,
        )
        finger.add_geom(
            name=f"{name}_finger",
            pos=(0, side * 0.005, (TIP_M - 0.055) / 2),
            size=(0.009, 0.005, (TIP_M + 0.055) / 2),
            rgba=(*STEEL, 1),
            friction=(1.6, 0.02, 0.001),
            condim=4,
            solref=(0.01, 1),
            **palm,
        )
        actuator = spec.add_actuator(name=name, target=name, trntype=mujoco.mjtTrn.mjTRN_JOINT)
        actuator.gainprm[0] = 900.0
        actuator.biastype = mujoco.mjtBias.mjBIAS_AFFINE
        actuator.biasprm[1:3] = (-900.0, -30.0)
        actuator.forcelimited = actuator.ctrllimited = True
        actuator.forcerange = (-FINGER_FORCE_N, FINGER_FORCE_N)
        actuator.ctrlrange = (0, FINGER_STROKE_M)
    fingers = spec.add_equality(name="fingers", type=mujoco.mjtEq.mjEQ_JOINT, name1="left", name2="right")
    fingers.data[:5] = (0, 1, 0, 0, 0)
    weld = spec.add_equality(name="hold", type=mujoco.mjtEq.mjEQ_WELD, name1="mocap", name2="hand")
    weld.objtype = mujoco.mjtObj.mjOBJ_BODY
    weld.solref = (0.02, 1)
    weld.data[:11] = (0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2.0)


def _inertia(body: mujoco.MjsBody, mass: float, moment: float) -> None:
    """By hand: the arm's file takes inertia from geoms of groups 4 and 5 only."""
    body.mass = mass
    body.inertia = (moment,) * 3
    body.explicitinertial = True


def _mesh(model: mujoco.MjModel, name: str) -> tuple[Float[np.ndarray, "n 3"], Int[np.ndarray, "f 3"]]:
    """A compiled mesh in the frame of its file; the compiler had centred and turned it."""
    mesh = model.mesh(name)
    index = mesh.id
    points = model.mesh_vert[model.mesh_vertadr[index] :][: model.mesh_vertnum[index]]
    faces = model.mesh_face[model.mesh_faceadr[index] :][: model.mesh_facenum[index]]
    turn = np.zeros(9)
    mujoco.mju_quat2Mat(turn, model.mesh_quat[index])
    return points @ turn.reshape(3, 3).T + model.mesh_pos[index], faces


def thinned(
    points: Float[np.ndarray, "n 3"], faces: Int[np.ndarray, "f 3"], grid_m: float
) -> tuple[Float[np.ndarray, "m 3"], Int[np.ndarray, "g 3"]]:
    """Vertices of one grid cell become their mean; triangles that collapse or come twice go."""
    _, cell = np.unique(np.floor(points / grid_m).astype(np.int64), axis=0, return_inverse=True)
    cell = cell.ravel()
    sums = np.zeros((cell.max() + 1, 3))
    np.add.at(sums, cell, points)
    merged = cell[faces]
    a, b, c = merged.T
    merged = merged[(a != b) & (b != c) & (a != c)]
    _, first = np.unique(np.sort(merged, axis=1), axis=0, return_index=True)
    kept = merged[np.sort(first)]
    used, renumbered = np.unique(kept, return_inverse=True)
    return (sums / np.bincount(cell)[:, None])[used], renumbered.reshape(kept.shape)
