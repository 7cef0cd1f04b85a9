"""Measures the fits of `planning/task_landmarks.py` on scripted demonstrations and prints them.

    python scripts/measure_landmarks.py [TASK ...]

Seeds 1000-1009, both starts, every 15th frame until success or step 150, cameras corner, corner2 and corner3
at 128 x 128. Lengths along an axis whose near side changes between the cameras follow from their agreement,
others are the upper quartile of what was seen; offsets are medians. Behind each fit: centimetres between the
fitted point and the simulator's, median and 90th percentile, and the share of pictures without it.
"""

import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool

from kinesight.envs.catalogue import expert, make
from kinesight.interfaces.stages import Segmenter
from kinesight.planning.landmarks import (
    MIN_PIXELS,
    Box,
    Fit,
    Landmark,
    Sight,
    box_around,
    box_middle,
    found,
    part_axes,
)
from kinesight.planning.segmenters import ClusterSegmenter, SimulatorSegmenter
from kinesight.planning.sight import sight_of
from kinesight.planning.task_landmarks import FINGERS, TASK_LANDMARKS
from kinesight.types.arrays import Point
from kinesight.types.observation import Observation, ViewRequest

SEEDS, STARTS, EVERY, LIMIT = range(1000, 1010), ("standard", "shifted"), 15, 150
CAMERAS, SIZE = ("corner", "corner2", "corner3"), 128
SOURCES: dict[str, Segmenter] = {"by_name": SimulatorSegmenter(), "by_look": ClusterSegmenter()}
SIDES_SHARE = 0.15
"""Share of the pictures that must show either side for a length to follow from their agreement."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A part in one picture, in the axes of its box."""

    box: Box
    eye: Point
    point: Point


def frames(task: str) -> Iterator[Observation]:
    request = ViewRequest(cameras=CAMERAS, height=SIZE, width=SIZE, depth=True, segmentation=True, scene=True)
    for seed in SEEDS:
        for start in STARTS:
            environment = make("metaworld", task, seed, start=start, limit=LIMIT)
            agent = expert("metaworld", environment.case, 0.0)
            result = environment.reset()
            while not (result.success or result.truncated):
                if result.step % EVERY == 0:
                    yield environment.observe(request)
                result = environment.step(agent.act(environment.observe(agent.request())).action)


def sample(landmark: Landmark, sight: Sight, point: Point, goal: Point) -> Sample | None:
    seen, _ = found(landmark, sight)
    if len(seen) < MIN_PIXELS:
        return None
    axes = part_axes(landmark, seen, goal)
    return Sample(box_around(seen @ axes), sight.eye @ axes, point @ axes)


def fitted(landmark: Landmark, samples: list[Sample]) -> Fit:
    size = np.quantile([s.box[1] - s.box[0] for s in samples], 0.75, axis=0)
    offset = np.zeros(3)
    for axis, side in enumerate(landmark.sides):
        high = np.array([s.eye[axis] > (s.box[0] + s.box[1])[axis] / 2 for s in samples])
        high = high if side == "near" else np.full(len(samples), side == "high")
        size[axis], offset[axis] = fit_axis(samples, axis, high, float(size[axis]))
    return Fit(rounded(size), rounded(offset))


def fit_axis(
    samples: list[Sample], axis: int, high: Bool[np.ndarray, "n"], size: float
) -> tuple[float, float]:
    """Length of the box and offset from its middle, from the way between its near side and the point."""
    way = np.array([s.point[axis] - s.box[int(h)][axis] for s, h in zip(samples, high, strict=True)])
    if SIDES_SHARE < high.mean() < 1 - SIDES_SHARE:
        from_high, from_low = np.median(way[high]), np.median(way[~high])
        return max(float(from_low - from_high), 0.0), float(from_low + from_high) / 2
    return size, float(np.median(way + np.where(high, size, -size) / 2))


def rounded(values: Point) -> tuple[float, float, float]:
    x, y, z = (round(float(value), 3) + 0.0 for value in values)
    return x, y, z


def report(name: str, source: str, landmark: Landmark, samples: list[Sample | None]) -> None:
    seen = [s for s in samples if s is not None]
    if not seen:
        print(f"{name} | {source} | never seen", flush=True)
        return
    fit = fitted(landmark, seen)
    errors = [s.point - box_middle(s.box, fit.size_m, landmark.sides, s.eye) - fit.offset_m for s in seen]
    centimetres = 100 * np.linalg.norm(errors, axis=1)
    print(
        f"{name} | {source} | Fit({fit.size_m}, {fit.offset_m}) | median {np.median(centimetres):.1f} cm, "
        f"q90 {np.quantile(centimetres, 0.9):.1f} cm, hidden {1 - len(seen) / len(samples):.2f}",
        flush=True,
    )


def main(tasks: list[str]) -> None:
    fingers: defaultdict[tuple[str, int], list[Sample | None]] = defaultdict(list)
    for task in tasks:
        landmarks = {"target": TASK_LANDMARKS[task].target, "goal": TASK_LANDMARKS[task].goal}
        samples: defaultdict[tuple[str, str], list[Sample | None]] = defaultdict(list)
        for observation in frames(task):
            points = observation.scene.points
            for camera in CAMERAS:
                view = observation.views[camera]
                for source, segmenter in SOURCES.items():
                    sight = sight_of(view, segmenter.segment(view), observation.proprio)
                    for name, landmark in landmarks.items():
                        samples[name, source].append(sample(landmark, sight, points[name], points["goal"]))
                    for index, finger in enumerate(FINGERS):
                        fingers[source, index].append(
                            sample(finger, sight, points["gripper"], points["goal"])
                        )
        for (name, source), values in samples.items():
            report(f"{task} {name}", source, landmarks[name], values)
    for (source, index), values in fingers.items():
        report(f"finger {index}", source, FINGERS[index], values)


if __name__ == "__main__":
    main(sys.argv[1:] or list(TASK_LANDMARKS))
