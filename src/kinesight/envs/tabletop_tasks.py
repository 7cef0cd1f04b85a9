"""The tasks: what is drawn for a case, its sentence, and the steps that count.

`draw(case)` repeats a task's function until a layout is solvable and its sentence fits one object only; the
number of rejected layouts is kept. Variation 0 leaves everything to the seed; variation k fixes the task's
k-th choice in `CHOICES`.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from kinesight.envs import tabletop_fixture_tasks as fixtures
from kinesight.envs import tabletop_object_tasks as objects
from kinesight.envs.tabletop_draw import Draw, Drawn, Rejected
from kinesight.envs.tabletop_incidents import Incident, draw_incident
from kinesight.envs.tabletop_kinds import COLOURS
from kinesight.envs.tabletop_language import sentence
from kinesight.envs.tabletop_layout import DIRECTIONS, Thing
from kinesight.envs.tabletop_objects import GROCERIES
from kinesight.envs.tabletop_splits import split
from kinesight.envs.tabletop_steps import Step
from kinesight.types.case import Case
from kinesight.types.errors import KinesightError, UsageError, lookup

ATTEMPTS = 300
"""Layouts that are drawn before a case counts as impossible."""


@dataclass(frozen=True, slots=True)
class Setting:
    """What a case has fixed."""

    things: tuple[Thing, ...]
    instruction: str
    steps: tuple[Step, ...]
    look: str
    incident: Incident | None = None
    rejected: int = 0
    """Layouts that were drawn before this one and given up."""


def draw(case: Case) -> Setting:
    """Everything about a case that does not move by itself; the same on every machine."""
    task = lookup("tabletop task", case.task, TASKS)
    kept = split(case.split)
    if case.task not in (can := SPLIT_TASKS.get(case.split, tuple(TASKS))):
        raise UsageError(f"{case.task!r} has no split {case.split!r}; it exists for {', '.join(can)}.")
    entropy = [int.from_bytes(text.encode(), "little") for text in (case.task, case.split or "train")]
    generator = np.random.default_rng(np.random.SeedSequence([*entropy, case.seed, case.variation]))
    choice = _choice(case)
    for rejected in range(ATTEMPTS):
        attempt = Draw(generator, kept, choice)
        look = attempt.pick(kept.looks)
        try:
            steps, words = task(attempt)
            text = sentence(case.task, words, generator, kept.paraphrased)
            incident = draw_incident(kept.incident, attempt, steps)
        except Rejected:
            continue
        return Setting(tuple(attempt.things), text, steps, look, incident, rejected)
    raise KinesightError(f"{case}: {ATTEMPTS} layouts were drawn and none can be solved.")


def _choice(case: Case) -> str:
    choices = CHOICES[case.task]
    if not 0 <= case.variation <= len(choices):
        named = ", ".join(f"{index} {choice}" for index, choice in enumerate(choices, 1)) or "no others"
        raise UsageError(f"Unknown variation {case.variation} of {case.task!r}. There are: 0 any, {named}.")
    return choices[case.variation - 1] if case.variation else ""


TASKS: dict[str, Callable[[Draw], Drawn]] = {
    "pick-place": objects.pick_place,
    "pick-attribute": objects.pick_attribute,
    "pick-relation": objects.pick_relation,
    "place-relation": objects.place_relation,
    "stack": objects.stack,
    "push": objects.push,
    "pull": objects.pull,
    "press-buttons": fixtures.press_buttons,
    "press-sum": fixtures.press_sum,
    "open-drawer": fixtures.open_drawer,
    "close-drawer": fixtures.close_drawer,
    "put-in-drawer": fixtures.put_in_drawer,
    "put-groceries": objects.put_groceries,
    "swap": objects.swap,
    "sort-groceries": objects.sort_groceries,
    "close-jar": fixtures.close_jar,
    "screw-bulb": fixtures.screw_bulb,
}
_GRIPPED = (
    "pick-place", "pick-attribute", "pick-relation", "place-relation", "stack", "put-in-drawer",
    "put-groceries", "swap", "sort-groceries",
)  # fmt: skip
_PUSHED = ("push", "pull")
_SCREWED = ("close-jar", "screw-bulb")
_UNCOLOURED = ("put-groceries", "sort-groceries")
SPLIT_TASKS: dict[str, tuple[str, ...]] = {
    "unseen-colours": tuple(task for task in TASKS if task not in _UNCOLOURED),
    "unseen-objects": (*_GRIPPED, *_PUSHED),
    "unseen-positions": (*_GRIPPED, *_SCREWED),
    "unseen-orientations": (*_GRIPPED, *_PUSHED, *_SCREWED),
    "similar-distractors": ("pick-place", "place-relation", "stack", "put-in-drawer", "swap", *_PUSHED),
    "long-horizon": ("stack", "press-buttons", "put-in-drawer", "put-groceries"),
    "interference": (
        "pick-place", "pick-attribute", "put-in-drawer", "put-groceries", "sort-groceries", *_SCREWED,
    ),
    "new-instruction": ("pick-place", "put-groceries"),
}  # fmt: skip
"""Splits that only some tasks have; in the others they would change nothing."""
_COLOURS = tuple(COLOURS)
CHOICES: dict[str, tuple[str, ...]] = {
    "pick-place": _COLOURS,
    "pick-attribute": objects.ATTRIBUTES,
    "pick-relation": tuple(DIRECTIONS),
    "place-relation": tuple(DIRECTIONS),
    "stack": _COLOURS,
    "push": _COLOURS,
    "pull": _COLOURS,
    "press-buttons": _COLOURS,
    "press-sum": ("sum", "difference"),
    "open-drawer": fixtures.DRAWER_SIDES,
    "close-drawer": fixtures.DRAWER_SIDES,
    "put-in-drawer": fixtures.DRAWER_SIDES,
    "put-groceries": tuple(GROCERIES),
    "swap": _COLOURS,
    "sort-groceries": (),
    "close-jar": _COLOURS,
    "screw-bulb": _COLOURS,
}
"""Task -> what its variations 1, 2, … fix: the first named object's colour or name, a relation, a side."""
TASK_SETS: dict[str, tuple[str, ...]] = {
    "all": tuple(TASKS),
    "pick": ("pick-place", "pick-attribute", "pick-relation"),
    "short": tuple(name for name in TASKS if name not in ("put-in-drawer", "swap", "sort-groceries")),
}
STEP_LIMITS: dict[str, int] = {
    **dict.fromkeys(TASKS, 150),
    **{"open-drawer": 70, "close-drawer": 60, "close-jar": 200, "screw-bulb": 200},
    **{"put-in-drawer": 300, "swap": 400, "sort-groceries": 400},
}
"""Task -> steps in which it is measured: two to three times the expert's. In more of them a hand that goes on
pushing sweeps the table."""
