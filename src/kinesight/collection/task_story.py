"""An episode as a story: its steps in order, the frames between which they were done, and key frames.

ST4VLA (appendix G.1) takes the first frame, the last one and those in which the task switches, and extends
each of them: backwards over 60 % of the frames since the gripper last changed, forwards over 40 % of those
until it changes next. In all these frames the same steps are done. We extend backwards only to a release,
an opening of the gripper: after another change, such as the closing before a button is pressed, the step is
not done yet.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from kinesight.data.episodes import Episode
from kinesight.planning.track_actions import gripper_changes
from kinesight.types.errors import DataError

OPENING = 7
"""Column of `proprio`."""


@dataclass(frozen=True, slots=True)
class StoryStep:
    """One action and the frames in which it went on: from `start` until `stop`, where it is done."""

    text: str
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class KeyFrame:
    """A frame at which the first `done` steps are done, and those around it of which the same holds."""

    frame: int
    done: int
    first: int
    last: int

    def __post_init__(self) -> None:
        if not self.first <= self.frame <= self.last:
            raise ValueError(f"a key frame lies in its own span, got {self}")


@dataclass(frozen=True, slots=True)
class TaskStory:
    """What was asked for and what was done when."""

    instruction: str
    steps: tuple[StoryStep, ...]
    keyframes: tuple[KeyFrame, ...]
    """In order: one before every step, and the last one after all of them."""

    @property
    def texts(self) -> tuple[str, ...]:
        return tuple(step.text for step in self.steps)


def story_of(episode: Episode, before: float = 0.6, after: float = 0.4) -> TaskStory:
    """The story of a recorded episode that reached its goal.

    Steps are its events "subtask"; an episode without them is one step, its instruction. Raises `DataError`
    for one that failed, and for one in which another instruction was given on the way.
    """
    where = f"episode {episode.index} ({episode.case.task}, seed {episode.case.seed})"
    if not (0 <= before <= 1 and 0 <= after <= 1):
        raise DataError(f"{where}: key frames are extended by shares in [0, 1], got {before} and {after}")
    if not episode.text.get("succeeded", True):
        raise DataError(f"{where}: it did not reach its goal, so its last frame is none with everything done")
    events = [tuple(event) for event in episode.text.get("events", ())]
    if any(kind == "instruction" for _, kind, _ in events):
        raise DataError(f"{where}: its instruction changed on the way")
    begun = [(int(frame), str(text)) for frame, kind, text in events if kind == "subtask"]
    begun = [(0, begun[0][1]), *begun[1:]] if begun else [(0, episode.instruction)]
    end = min(int(episode.text.get("steps", episode.length)), episode.length)
    starts = [frame for frame, _ in begun]
    if starts != sorted(set(starts)) or starts[-1] >= end:
        raise DataError(f"{where}: steps must begin one after the other before frame {end}, got {starts}")
    steps = [StoryStep(text, a, b) for (a, text), b in zip(begun, [*starts[1:], end], strict=True)]
    return TaskStory(
        episode.instruction, tuple(steps), _keyframes([*starts, end], _opening(episode, where), before, after)
    )


def _opening(episode: Episode, where: str) -> np.ndarray:
    if "proprio" not in episode.arrays:
        raise DataError(f"{where}: key frames are extended by gripper changes, which need the key 'proprio'")
    return np.asarray(episode.arrays["proprio"][:, OPENING], np.float64)


def _keyframes(frames: list[int], opening: np.ndarray, before: float, after: float) -> tuple[KeyFrame, ...]:
    closings, releases = gripper_changes(opening)
    changes = sorted([*closings, *releases])
    found = []
    for number, frame in enumerate(frames):
        first = last = frame
        if number:
            # The change that was last may only be a release: then the step is done.
            since = [change for change in changes if frames[number - 1] < change < frame]
            if since and since[-1] in releases:
                first = frame - int(before * (frame - since[-1]))
        if number + 1 < len(frames):
            until = min([change for change in changes if change > frame] + [frames[number + 1]])
            last = frame + int(after * (until - frame))
        found.append(KeyFrame(frame, number, first, last))
    assert all(a.last < b.first or a.frame < b.frame for a, b in pairwise(found)), "key frames are in order"
    return tuple(found)
