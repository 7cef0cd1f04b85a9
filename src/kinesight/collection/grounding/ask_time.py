"""Records about time: paths of things and of the gripper, the actions before and after, progress."""

import numpy as np

from kinesight.collection.grounding.ask_space import shuffled
from kinesight.collection.grounding.phrases import phrase
from kinesight.collection.grounding.scene import GRIPPER
from kinesight.collection.grounding.sight import Draft, Sight, flat, picture_path
from kinesight.types.ground import Action, PathAnswer, ProgressAnswer, SentenceAnswer


def paths(sight: Sight, generator: np.random.Generator) -> list[Draft]:
    """From now to the end of the present action, and of the whole action after it."""
    actions, present = sight.actions, sight.present
    drafts: list[Draft] = []
    if _has_path(sight, present):
        drafts += _of_thing(sight, actions[present], generator)
        begun = sight.moment > actions[present].first
        drafts += _of_gripper(
            sight, actions[present], "remaining-path" if begun else "gripper-path", generator
        )
    if _has_path(sight, present + 1):
        drafts += _of_gripper(sight, actions[present + 1], "next-path", generator)
    return drafts


def _has_path(sight: Sight, number: int) -> bool:
    if number >= len(sight.actions) or not sight.scene.direct(number):
        return False
    return _can_be_told(sight, sight.actions[number].text)


def _of_thing(sight: Sight, action: Action, generator: np.random.Generator) -> list[Draft]:
    moving = sight.scene.moving(action)
    if moving is None or action.moved not in sight.marks:
        return []
    words, positions = moving
    path = picture_path(positions[sight.moment : action.last + 1], sight.camera)
    if path is None:
        return []
    question = phrase(generator, "object-path", action=action.text, thing=words)
    return [Draft("object-path", question, PathAnswer(flat(path)), (action.moved,))]


def _of_gripper(sight: Sight, action: Action, kind: str, generator: np.random.Generator) -> list[Draft]:
    hidden = action.used and action.used not in sight.marks
    if GRIPPER not in sight.marks or hidden:
        return []
    span = slice(max(sight.moment, action.first), action.last + 1)
    path = picture_path(sight.motion.positions[span], sight.camera, sight.motion.opens[span])
    if path is None:
        return []
    question = phrase(generator, kind, action=action.text)
    about = (GRIPPER, action.used) if action.used else (GRIPPER,)
    return [Draft(kind, question, PathAnswer(flat(path, events=True)), about)]


def steps(sight: Sight, generator: np.random.Generator) -> list[Draft]:
    """Of tasks with several actions: the one that comes next, the last one, the one that is going on."""
    actions, present, told = sight.actions, sight.present, sight.instruction
    texts = tuple(action.text for action in actions)
    if len(texts) < 2 or len(set(texts)) < len(texts):
        return []
    if not all(_can_be_told(sight, text) for text in (told, *texts)):
        return []
    drafts: list[Draft] = []
    between = present == len(actions) or sight.moment == actions[present].first
    if between and present < len(actions):
        question = phrase(generator, "next-step", instruction=told)
        drafts.append(Draft("next-step", question, SentenceAnswer(texts[present])))
    if between and present > 0:
        question = phrase(generator, "previous-step", instruction=told)
        drafts.append(Draft("previous-step", question, SentenceAnswer(texts[present - 1])))
    if not between:
        question = phrase(generator, "step-index", instruction=told)
        drafts.append(Draft("step-index", question, shuffled(texts, present, generator)))
    listed = "; ".join(f"{number}. {text}" for number, text in enumerate(texts, 1))
    question = phrase(generator, "progress", instruction=told, actions=listed)
    drafts.append(Draft("progress", question, ProgressAnswer(present, present == len(actions))))
    return drafts


def _can_be_told(sight: Sight, text: str) -> bool:
    """A sentence with left, right, in front or behind is quoted only where the picture shows it so."""
    return sight.take.literal or not set(text.replace(",", " ").split()) & _DIRECTIONS


_DIRECTIONS = {"left", "right", "front", "behind", "back", "forward", "leftmost", "rightmost"}
