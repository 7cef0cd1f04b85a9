"""The questions in words, several for each type of record. All are our own."""

from collections.abc import Mapping

import numpy as np

PHRASES: Mapping[str, tuple[str, ...]] = {
    "box": ("Give the bounding box of {thing}.", "Where is {thing}? Draw a box around it."),
    "point": ("Point at {thing}.", "Mark one spot on {thing}."),
    "part": ("Point at {part}.", "Mark one spot on {part}."),
    "free-space": (
        "Point at free places on the table {side} {thing}.",
        "Where on the table is room {side} {thing}? Mark some spots.",
    ),
    "object-path": (
        "The robot is to {action}. Along which path does {thing} move from now on? Give 8 points.",
        "Action: {action}. Draw the rest of the way of {thing} as 8 points.",
    ),
    "gripper-path": (
        "The robot begins to {action}. Give the gripper's path as 8 points.",
        "Action: {action}. Along which 8 points does the gripper move?",
    ),
    "remaining-path": (
        "The robot has begun this action: {action}. Give the rest of the gripper's path as 8 points.",
        "Begun action: {action}. Which 8 points remain of the gripper's path?",
    ),
    "next-path": (
        "When the present action is completed, the robot will {action}. Give the gripper's path of that as 8"
        " points.",
        "Next action: {action}. Along which 8 points will the gripper move then?",
    ),
    "start-depth": (
        "The gripper moves along the path {{given}}. What is the z-depth of its first point?",
        "How far along the viewing axis is the gripper at the start of the path {{given}}?",
    ),
    "depth-offsets": (
        "The gripper moves along the path {{given}}. How much farther from the camera than at the first point"
        " is it at each point?",
        "Give the change of z-depth from the first point, for each point of the gripper's path {{given}}.",
    ),
    "relation": ("Where does {thing} lie, seen from here?", "Which is true of {thing} in this picture?"),
    "support": ("What carries {thing}?", "In what or on what is {thing} at this moment?"),
    "nearest": ("Which of these is nearest to {thing}?", "What lies closest to {thing}?"),
    "orientation": ("Which way does the long side of {thing} point, seen from here?",),
    "orientation-of-two": ("How do the long sides of {thing} and {other} lie to each other?",),
    "count": ("How many {things} can be seen on the table?", "Count the {things} on the table."),
    "next-step": (
        "Task: {instruction}. Which action comes next?",
        "The robot was told: {instruction}. What should it do now?",
    ),
    "previous-step": (
        "Task: {instruction}. Which action has just been completed?",
        "The robot was told: {instruction}. What has it done last?",
    ),
    "step-index": ("Task: {instruction}. Which of its actions is going on?",),
    "progress": (
        "Task: {instruction}. Its actions: {actions}. How many are completed, and is the task finished?",
    ),
}


def phrase(generator: np.random.Generator, name: str, **words: str) -> str:
    options = PHRASES[name]
    return options[int(generator.integers(len(options)))].format(**words)


def plural(words: str) -> str:
    """ "box" -> "boxes"; enough for the names of things here."""
    if words.endswith(("x", "s", "ch", "sh")) or words == "tomato":
        return f"{words}es"
    return f"{words}s"


def capital(words: str) -> str:
    return words[:1].upper() + words[1:]
