"""The motion that lays a known shape under the part of it that is seen now: a shift, and a turn about z.

Points are matched to the nearest ones of the shape (iterated closest points, Besl and McKay 1992), from the
seen part to the shape only: what is covered is missed nowhere. The worst matches are left out, so that stray
points of something else do not pull. Things that stand, are carried upright or hang on a hinge turn about z.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.spatial import KDTree

from kinesight.types.arrays import Point, Points

Shape = Float[np.ndarray, "m 3"]
Kept = Float[np.ndarray, "k 3"]
KEPT = 0.8
"""Share of the matches, nearest first, that decide about a motion."""
SETTLED_M = 1e-4
MOST_TURN_RAD = 0.1
"""In one round: a bad first match turns a shape by any angle."""


@dataclass(frozen=True, slots=True)
class Upright:
    """A motion of a shape that stays upright: turned about the z axis through `pivot`, then shifted."""

    pivot: Point
    shift: Point
    turn_rad: float = 0.0

    def apply(self, points: Points) -> Points:
        return (points - self.pivot) @ self._rotation().T + self.pivot + self.shift

    def undo(self, points: Points) -> Points:
        return (points - self.pivot - self.shift) @ self._rotation() + self.pivot

    @property
    def centre(self) -> Point:
        """Where the pivot has come to."""
        return self.pivot + self.shift

    def _rotation(self) -> np.ndarray:
        c, s = np.cos(self.turn_rad), np.sin(self.turn_rad)
        return np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])


def register(seen: Points, shape: Shape, guess: Upright, rounds: int = 15) -> tuple[Upright, float]:
    """The motion of `shape` [m 3] onto `seen` [n 3], and the mean distance of the kept matches, metres.

    The search begins at `guess` and finds the nearest solution: a face slides along itself at no cost.
    """
    if not len(seen) or not len(shape):
        raise ValueError(f"a registration needs points on both sides, got {len(seen)} and {len(shape)}")
    tree, motion = KDTree(shape), guess
    for _ in range(rounds):
        here, there = _matches(tree, shape, seen, motion)
        arms, wanted = there - motion.pivot, here - motion.pivot
        middle, target = arms.mean(axis=0), wanted.mean(axis=0)
        (x, y), (u, v) = (arms - middle)[:, :2].T, (wanted - target)[:, :2].T
        angle = float(np.arctan2((x * v - y * u).sum(), (x * u + y * v).sum()))
        change = (angle - motion.turn_rad + np.pi) % (2 * np.pi) - np.pi
        turned = Upright(
            motion.pivot, motion.shift, motion.turn_rad + np.clip(change, -MOST_TURN_RAD, MOST_TURN_RAD)
        )
        shift = (here - turned.apply(there)).mean(axis=0) + turned.shift
        moved = float(np.linalg.norm(shift - motion.shift))
        motion = Upright(motion.pivot, shift, float(turned.turn_rad))
        if moved < SETTLED_M:
            break
    here, there = _matches(tree, shape, seen, motion)
    return motion, float(np.linalg.norm(here - motion.apply(there), axis=1).mean())


def distances(points: Points, shape: Shape, motion: Upright) -> np.ndarray:
    """Metres [n] from points to the nearest point of the moved shape."""
    return np.asarray(KDTree(shape).query(motion.undo(points))[0])


def _matches(tree: KDTree, shape: Shape, seen: Points, motion: Upright) -> tuple[Kept, Kept]:
    """The nearer `KEPT` of the seen points, and the points of the unmoved shape that each is nearest to."""
    distance, index = tree.query(motion.undo(seen))
    kept = np.argsort(distance, kind="stable")[: max(1, round(KEPT * len(seen)))]
    return seen[kept], shape[np.asarray(index)[kept]]
