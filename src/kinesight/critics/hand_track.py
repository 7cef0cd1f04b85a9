"""Where the robot's hand is in the frames of a video, and how much it still looks like it.

The end effector's position, projected through the camera, says where the hand is in the first frame. The
picture around it is looked for in every later frame by normalised correlation, all colours together. Three
things keep a small patch from being found in the background: pixels of the patch that never change count
little, a place where the frame does not differ from the first is no candidate, and the whole path is chosen
at once, likeness against distance (Viterbi).
"""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float

from kinesight.geometry.camera import inside, project, world_to_camera
from kinesight.types.arrays import Image, Pixels, Point, Video
from kinesight.types.camera import Camera

LEAST_SIDE_PX = 9
"""Side of the patch, at least: fewer pixels are found anywhere."""
LEAST_SEEN = 0.6
"""Share of the patch that must lie inside the first frame."""
CHANGE = 20
"""Grey levels (0-255) by which a colour of a pixel must differ from the first frame to count as changed."""
LEAST_CHANGED = 0.3
"""Share of changed pixels in a place to which the hand may have moved."""
FAR = 1.0
"""Correlation that a move over the image's diagonal costs."""
CANDIDATES = 64
"""Places a frame that the path is chosen from."""


@dataclass(frozen=True, slots=True)
class HandTrack:
    """The hand in the first frame (row 0) and in each later one."""

    positions: Pixels
    """Centres in pixels; "n" counts frames, the first included."""
    likeness: Float[np.ndarray, "n"]
    """Correlation with the hand of the first frame, 0 … 1; 1 in the first."""
    side_px: int
    """Side of the patch that was looked for."""


@dataclass(frozen=True, slots=True)
class _Patch:
    """What is looked for: a part of the first frame with weights, and where its middle is."""

    picture: Image
    weights: Float[np.ndarray, "h w"]
    centre: Float[np.ndarray, "2"]


def track_hand(
    first: Image, frames: Video, hand_world: Point, camera: Camera, hand_m: float = 0.14
) -> HandTrack | None:
    """Follow the hand from its position [3] in the world [m]; None where the first frame hardly shows it.

    `hand_m` is the side of the square, in metres at the hand's distance, that is taken for the hand.
    """
    start = project(hand_world[None], camera)
    if not inside(start, camera)[0]:
        return None
    depth_m = float(world_to_camera(hand_world[None], camera)[0, 2])
    side = max(round(float(camera.K[0, 0]) * hand_m / depth_m), LEAST_SIDE_PX) // 2 * 2 + 1
    moved = changed(first, frames)
    patch = _cut(first, moved, start[0], side)
    if patch.picture.size < LEAST_SEEN * 3 * side**2:
        return None
    places, scores = zip(
        *(_candidates(patch, frame, moving) for frame, moving in zip(frames, moved, strict=True)),
        strict=True,
    )
    chosen = _smoothest(patch.centre, places, scores, 1 / float(np.hypot(*first.shape[:2])))
    path = [patch.centre, *(places[t][i] for t, i in enumerate(chosen))]
    likeness = [1.0, *(scores[t][i] for t, i in enumerate(chosen))]
    # A patch cut off by the border is found by its middle; the hand is where it was projected.
    return HandTrack(np.stack(path) + start[0] - patch.centre, np.clip(likeness, 0.0, 1.0), side)


def changed(first: Image, frames: Video, by: int = CHANGE) -> Bool[np.ndarray, "t y x"]:
    """Pixels that differ from the first frame by more than `by` grey levels in some colour."""
    return np.abs(frames.astype(np.int16) - first).max(axis=-1) > by


def steadiness(track: HandTrack, slack_px: float) -> float:
    """How steadily the hand moves, in [0, 1]: 1 at constant velocity, 0 if it turns back at every frame.

    1 - Σ |v' - v| / Σ (|v| + |v'|) over successive displacements, where a change of up to `slack_px` is
    forgiven; by the triangle inequality it is never negative. A hand that stays is steady.
    """
    moves = np.diff(track.positions, axis=0)
    lengths = np.linalg.norm(moves, axis=1)
    turns = np.maximum(np.linalg.norm(np.diff(moves, axis=0), axis=1) - slack_px, 0.0)
    most = float((lengths[1:] + lengths[:-1]).sum())
    return 1.0 - float(turns.sum()) / most if most > 0 else 1.0


def _cut(first: Image, moved: Bool[np.ndarray, "t y x"], centre: np.ndarray, side: int) -> _Patch:
    """The square around the hand as far as it lies inside, weighted towards its middle and what moves."""
    left, top = (int(np.floor(v)) - side // 2 for v in centre)
    rows = slice(max(top, 0), min(top + side, first.shape[0]))
    columns = slice(max(left, 0), min(left + side, first.shape[1]))
    y, x = np.mgrid[rows, columns] + 0.5
    near = np.exp(-((x - centre[0]) ** 2 + (y - centre[1]) ** 2) / (2 * (side / 3) ** 2))
    moves = moved[:, rows, columns].mean(axis=0)
    # Something is left of what never changes: a hand that stays must be found too.
    weights = near * (0.15 + moves / max(float(moves.max()), 0.01))
    middle = np.array([(columns.start + columns.stop) / 2, (rows.start + rows.stop) / 2])
    return _Patch(first[rows, columns], (weights / weights.sum()).astype(np.float32), middle)


def _candidates(
    patch: _Patch, frame: Image, moving: Bool[np.ndarray, "y x"]
) -> tuple[Pixels, Float[np.ndarray, "n"]]:
    """The most similar places [n 2] that the hand can be at, with their correlations."""
    likeness = _correlation(patch, frame)
    share = _over_places(moving.astype(np.float32), np.ones_like(patch.weights) / patch.weights.size)
    rows, columns = np.mgrid[: likeness.shape[0], : likeness.shape[1]]
    height, width = patch.weights.shape
    places = np.stack([columns + width / 2, rows + height / 2], axis=-1)
    stays = np.linalg.norm(places - patch.centre, axis=-1) < 3
    possible = np.where((share >= LEAST_CHANGED) | stays, likeness, -1.0).ravel()
    best = np.argsort(-possible, kind="stable")[:CANDIDATES]
    return places.reshape(-1, 2)[best], possible[best]


def _correlation(patch: _Patch, frame: Image) -> Float[np.ndarray, "rows columns"]:
    """Weighted correlation [-1, 1] of the patch with every place; three colours are one long vector."""
    wanted, seen = patch.picture.astype(np.float32), frame.astype(np.float32)
    weights = patch.weights[..., None]
    wanted = wanted - float((weights * wanted).sum()) / 3
    mean = _over_places(seen.mean(axis=-1), patch.weights)
    spread = _over_places((seen**2).mean(axis=-1), patch.weights) - mean**2
    shared = sum(
        _over_places(np.ascontiguousarray(seen[..., c]), patch.weights * wanted[..., c]) for c in range(3)
    )
    own = float((weights * wanted**2).sum()) / 3
    # A grey level of spread, at least: flat places correlate with nothing.
    return np.asarray(shared / 3 / np.sqrt(np.maximum(spread, 1.0) * max(own, 1.0)), np.float64)


def _over_places(picture: Float[np.ndarray, "y x"], weights: Float[np.ndarray, "h w"]) -> np.ndarray:
    """Weighted sum of a picture under every place of a patch."""
    height, width = weights.shape
    sums = cv2.filter2D(picture, cv2.CV_32F, weights, anchor=(0, 0), borderType=cv2.BORDER_CONSTANT)
    return sums[: picture.shape[0] - height + 1, : picture.shape[1] - width + 1]


def _smoothest(
    start: np.ndarray, places: tuple[Pixels, ...], scores: tuple[np.ndarray, ...], per_px: float
) -> list[int]:
    """One candidate a frame such that the scores minus the cost of the way are largest."""
    before, total, came_from = start[None], np.zeros(1), []
    for here, score in zip(places, scores, strict=True):
        way = np.linalg.norm(before[:, None] - here[None], axis=-1)
        through = total[:, None] - FAR * per_px * way
        came_from.append(through.argmax(axis=0))
        before, total = here, through.max(axis=0) + score
    chosen = [int(total.argmax())]
    for origin in reversed(came_from[1:]):
        chosen.append(int(origin[chosen[-1]]))
    return chosen[::-1]
