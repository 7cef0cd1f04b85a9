"""A scene of points that were found in pictures, for stages that would otherwise read the simulator's."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import pairwise

import numpy as np

from kinesight.interfaces.stages import PointSource, PointSources
from kinesight.planning.geometric import SCENE_POINTS
from kinesight.types.arrays import Point
from kinesight.types.errors import lookup
from kinesight.types.note import Note
from kinesight.types.observation import Observation, Scene


def told_by(points: PointSources | None, privileged: Iterable[str]) -> set[str]:
    """The privileges of stages, where a source finds the points that they would ask the simulator for."""
    return {*privileged} if points is None else {*privileged} - {"scene"} | {*points.privileged}


def with_found_scene(observation: Observation, source: PointSource) -> tuple[Observation, tuple[Note, ...]]:
    """The observation with the scene that the source finds in it, and `found_scene`'s notes."""
    scene, notes = found_scene(source.points(observation))
    return replace(observation, scene=scene), notes


def found_scene(found: Mapping[str, Point]) -> tuple[Scene, tuple[Note, ...]]:
    """A scene with gripper, target and goal, and a note of what had to stand in for a hidden one.

    The gripper is always known. A hidden point is taken to be where the one before it is: no way to go, as in
    a plan with nothing left. There is no state of a simulator [0].
    """
    points = {"gripper": lookup("point that was found", "gripper", found), **found}
    stand_ins = []
    for before, name in pairwise(SCENE_POINTS):
        if name not in points:
            points[name] = points[before]
            stand_ins.append(f"the {name} cannot be seen and is taken to be at the {before}")
    notes = (Note("fallback", "; ".join(stand_ins)),) if stand_ins else ()
    return Scene(points, np.zeros(0)), notes
