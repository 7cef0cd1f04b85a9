"""Which motions an environment's tasks are made of, and those of the table-top.

Tasks of different environments may share a name ("push", "pick-place"), so that a motion is found by both.
The table-top's tasks that have one object to bring to one place are an approach, a grasp and one way; what
the sentence names is the scene's "target" and "goal". Offsets are measured on the scripted expert: at its
grasp the hand lies within 5 mm of the object's middle, and the object ends half its height above the surface
that carries it.
"""

from collections.abc import Mapping

from kinesight.planning.task_motions import TASK_MOTIONS, TaskMotion
from kinesight.types.errors import lookup

_INTO = TaskMotion("move", (0.0, 0.0, 0.0), 0.05, True, goal_offset_m=(0.0, 0.0, 0.02), closed_below=0.93)
"""Stars and crosses keep the fingers as far open as 0.86."""
TABLETOP_MOTIONS: dict[str, TaskMotion] = {
    "pick-place": _INTO,
    "pick-attribute": _INTO,
    "pick-relation": _INTO,
    "put-groceries": _INTO,
}
MOTIONS: Mapping[str, Mapping[str, TaskMotion]] = {"metaworld": TASK_MOTIONS, "tabletop": TABLETOP_MOTIONS}
"""Environment -> task -> motion."""


def motion_of(kind: str, task: str, env: str = "metaworld") -> TaskMotion:
    """The motion, or an error that calls the task a `kind` and lists those that have one.

    Another environment's tasks are looked up among Meta-World's names.
    """
    return lookup(kind, task, MOTIONS.get(env, TASK_MOTIONS))
