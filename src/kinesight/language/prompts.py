"""What planner and judge are told: role, axes, verbs, form of the answer.

Spatial Policy's appendix ("VLM Prompt Design") found that free-form questions give unreliable answers and
structured ones good ones, and names what the structure has to fix: the role, the form of the answer, and what
is meant in space. Its prompts are only a picture (Fig. 6); these are our own words.
`kinesight.language.replies` reads the answers.
"""

from collections.abc import Mapping

from kinesight.language.plan_text import format_plan
from kinesight.types.arrays import Point
from kinesight.types.plan import MAX_ROWS, Feedback, PlanRow, SpatialPlan

AXES = """\
Directions follow the camera that took the picture, not the robot:
- x: + is to the left in the picture, - is to the right
- y: + is up, - is down
- z: + is back, towards the camera, - is forward, away from the camera"""

VERB_MEANINGS: dict[str, str] = {
    "move": "bring the gripper to a place, together with what it holds",
    "reach": "stretch out to a place that is hard to get at",
    "grasp": "close the fingers on what is between them",
    "push": "press against something so that it gives way",
    "pull": "draw something along that is hooked or held",
    "strike": "hit something with what is held",
    "slide": "shift something along the surface that it lies on",
    "adjust": "correct the gripper's place by a little",
    "rotate": "turn something about its axis or hinge",
}
"""The verbs of `kinesight.types.plan` that a planner may use."""

EXAMPLE = SpatialPlan(
    (
        PlanRow("move", (1, -1, 0), 0.12),
        PlanRow("grasp", (0, 0, 0), 0.0),
        PlanRow("move", (0, 1, -1), 0.25),
    )
)
CANNOT = "Cannot:"
"""How a planner says that the pictures do not show enough."""

CRITERIA: dict[str, str] = {
    "objects": "objects keep shape and number; none vanishes, appears or melts into another",
    "arm": "the arm stays one piece and moves from picture to picture without a jump",
    "plan": "the arm moves in the directions and the order that the plan says",
    "progress": "the last picture is nearer to the completed task than the first",
}
"""What a judge answers with yes or no, by name."""


def planner_rules(dead_zone_m: float) -> str:
    """The planner's system message; the dead zone is that of the direction signs."""
    verbs = "\n".join(f"- {verb}: {meaning}" for verb, meaning in VERB_MEANINGS.items())
    return f"""\
You plan the next sub-goals of a robot arm with a two-finger gripper.
A controller carries them out one by one.

{AXES}

Verbs:
{verbs}

Answer in this form and write nothing else, no explanation and no markup:
{format_plan(EXAMPLE)}

- The first line is "Plan:". Then comes one line for each sub-goal, numbered from 1, at most {MAX_ROWS}.
- After the verb stand the signs of x, y and z in brackets, each -1, 0 or 1.
- The sign is 0 along an axis with less than {dead_zone_m:.2f} m to go.
- Then the straight distance in metres with two decimals in brackets, never negative.
- Closing the fingers has the direction [0, 0, 0] and the distance [0.00].
- Plan only what is left from the picture to the completed task. If it is completed, write only "Plan:".
- If the picture does not show what you need, write only one line: {CANNOT} and the reason."""


def planner_question(
    instruction: str, offsets_m: Mapping[str, Point], feedback: Feedback | None = None
) -> str:
    """The planner's question to one picture; offsets [3] by name, metres along the plan axes."""
    parts = [f"Task: {instruction}", "The picture shows the scene now."]
    if offsets_m:
        lines = [f"- {name}: {in_words(offset)}" for name, offset in offsets_m.items()]
        parts.append("\n".join(["Measured, in metres:", *lines]))
    if feedback is not None:
        parts.append(f"Why you are asked now: {feedback.reason}")
        if feedback.until_now:
            parts.append("Until now: " + "; ".join(feedback.until_now))
    return "\n\n".join(parts)


def in_words(offset_m: Point) -> str:
    """An offset [3] along the plan axes, e.g. "x +0.050 (left), y -0.100 (down), z 0.000; distance 0.112"."""
    names = (("left", "right"), ("up", "down"), ("back", "forward"))
    axes = []
    for axis, value, (positive, negative) in zip("xyz", offset_m.tolist(), names, strict=True):
        millimetres = round(1000 * value)
        word = f" ({positive if millimetres > 0 else negative})" if millimetres else ""
        axes.append(f"{axis} {millimetres / 1000:+.3f}{word}" if millimetres else f"{axis} 0.000")
    return f"{', '.join(axes)}; distance {float((offset_m**2).sum()) ** 0.5:.3f}"


def judge_rules(criteria: Mapping[str, str]) -> str:
    """The judge's system message; the criteria that are asked for, by name."""
    asked = "\n".join(f"- {name}: {meaning}" for name, meaning in criteria.items())
    form = "\n".join(f"{name}: yes" for name in criteria)
    return f"""\
You check short videos that a model imagined for a robot arm, before the robot follows them.
The first picture is real, the others are imagined, in the order of time.

{AXES}

Answer each of these with yes or no:
{asked}

Forgive blur, noise and wrong colours as long as it stays clear what moves where.
Reject a video that would lead the robot astray; accept one that it can follow.

Answer in this form and write nothing else, no markup:
{form}
verdict: Accept
reason: one sentence about what you saw

- The lines stand in this order. After each criterion comes yes or no.
- The verdict is one word, Accept or Reject."""


def judge_question(instruction: str, plan: SpatialPlan | None, arrangement: str) -> str:
    """The judge's question to the pictures; `arrangement` says how they are laid out."""
    parts = [f"Task: {instruction}"]
    if plan is not None:
        parts.append(
            "The plan that the video should show, directions as above, distances in metres:\n"
            + format_plan(plan)
        )
    return "\n\n".join([*parts, arrangement])


def correction(problem: str) -> str:
    """What is said about an answer of the wrong form."""
    return f"That answer cannot be read: {problem}. Answer again, in the required form and with nothing else."
