"""Conversations in the middle of long tasks (ST4VLA, appendix G.1), made from recorded episodes.

From every key frame of an episode some frames are taken (`task_story`). For each, a user asks what is done,
how far the task is and what comes next, and then gives one command: a list with actions left out or added,
a vague one, one that names what is not there, or one that is done already. The robot's answers follow from
the episode's steps and from what stands on the table; a program can read them again (`task_lists`,
`task_talk`).

Texts come from templates; `rephrased` may have the user's turns reworded by a chat model. The same episode,
number and seed give the same conversations.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import cv2
import numpy as np

from kinesight.collection.scene_actions import SceneActions, scene_actions
from kinesight.collection.task_story import KeyFrame, TaskStory, story_of
from kinesight.data.episodes import Episode, EpisodeStore
from kinesight.language import task_talk as talk
from kinesight.language.dialects.answers import Progress, write_progress
from kinesight.language.dialects.dialogue import Dialogue, dialogue, write_llava, write_swift
from kinesight.language.task_lists import TaskLists, write_task_lists
from kinesight.types.errors import DataError, UsageError, lookup
from kinesight.types.files import write_atomic
from kinesight.types.serial import to_json

Command = Literal["changed", "stopped", "vague", "vague thing", "absent", "done"]
COMMANDS: tuple[Command, ...] = ("changed", "stopped", "vague", "vague thing", "absent", "done")
WRITERS: Mapping[str, Callable[[Dialogue], str]] = {"llava": write_llava, "ms-swift": write_swift}


@dataclass(frozen=True, slots=True)
class ConversationConfig:
    """How many, and what is drawn."""

    seed: int = 0
    before: float = 0.6
    """Share of the frames since a release that count as the key frame after it."""
    after: float = 0.4
    """Share of the frames until the next gripper change that count as the key frame before it."""
    frames: int = 3
    """By key frame, itself among them; fewer where fewer are alike."""
    possible: int = 3
    """Possible actions that are listed, at most."""
    commands: tuple[Command, ...] = COMMANDS

    def __post_init__(self) -> None:
        if self.frames < 1 or self.possible < 0 or self.seed < 0:
            raise UsageError(f"expected frames >= 1, possible >= 0 and seed >= 0, got {self}")
        for command in self.commands:
            lookup("command", command, dict.fromkeys(COMMANDS))


@dataclass(frozen=True, slots=True)
class Order:
    """A command of the user, the robot's answer, and what the robot then has to do."""

    kind: Command
    said: str
    answer: str
    to_do: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Conversation:
    """What is said about one frame."""

    name: str
    frame: int
    keyframe: int
    lists: TaskLists
    order: Order | None
    exchanges: tuple[tuple[str, str], ...]

    def dialogue(self, image: str) -> Dialogue:
        """With the picture's path as the record shall name it."""
        return dialogue(self.name, image, self.exchanges)


def conversations(
    episode: Episode, config: ConversationConfig | None = None, scene: SceneActions | None = None
) -> tuple[Conversation, ...]:
    """All conversations about an episode; raises `DataError` for one that tells no story (`story_of`)."""
    config = config or ConversationConfig()
    story = story_of(episode, config.before, config.after)
    scene = scene_actions(episode.case, story.texts) if scene is None else scene
    case = episode.case
    name = f"{case.task}-{case.split or 'train'}-{case.variation}-{case.seed}"
    entropy = int.from_bytes(f"{case.env} {name} {case.start}".encode(), "little")
    generator = np.random.default_rng(np.random.SeedSequence([config.seed, entropy]))
    return tuple(
        _conversation(f"{name}-{frame}", frame, keyframe, story, scene, config, generator)
        for keyframe in story.keyframes
        for frame in _frames(keyframe, config, generator)
    )


def _frames(keyframe: KeyFrame, config: ConversationConfig, generator: np.random.Generator) -> list[int]:
    """The key frame and some of those around it, in order."""
    others = [frame for frame in range(keyframe.first, keyframe.last + 1) if frame != keyframe.frame]
    count = min(config.frames - 1, len(others))
    drawn = generator.choice(np.array(others, np.int64), count, replace=False) if count else []
    return sorted([keyframe.frame, *(int(frame) for frame in drawn)])


def _conversation(
    name: str,
    frame: int,
    keyframe: KeyFrame,
    story: TaskStory,
    scene: SceneActions,
    config: ConversationConfig,
    generator: np.random.Generator,
) -> Conversation:
    texts = story.texts
    count = min(config.possible, len(scene.possible))
    chosen = sorted(generator.choice(len(scene.possible), count, replace=False).tolist()) if count else []
    lists = TaskLists(
        texts[: keyframe.done], texts[keyframe.done :], tuple(scene.possible[i] for i in chosen)
    )
    progress = Progress(len(lists.done), lists.finished)
    status = talk.pick(talk.STATUS, generator).format(task=story.instruction)
    exchanges = [
        (status, write_task_lists(lists)),
        (talk.pick(talk.PROGRESS, generator), write_progress(progress)),
        (talk.pick(talk.NEXT, generator), talk.write_next(lists.to_do)),
    ]
    order = _order(lists, scene, config, generator)
    if order is not None:
        exchanges.append((order.said, order.answer))
    return Conversation(name, frame, keyframe.frame, lists, order, tuple(exchanges))


def _order(
    lists: TaskLists, scene: SceneActions, config: ConversationConfig, generator: np.random.Generator
) -> Order | None:
    """One of the commands that can be given here; None where none can."""
    can = {
        "changed": bool(lists.possible or len(lists.to_do) > 1),
        "stopped": bool(lists.to_do),
        "vague": True,
        "vague thing": bool(scene.alike),
        "absent": bool(scene.wrong),
        "done": bool(lists.done),
    }
    kinds = [kind for kind in config.commands if can[kind]]
    if not kinds:
        return None
    kind, to_do = talk.pick(kinds, generator), lists.to_do
    match kind:
        case "changed":
            to_do = edited(lists, generator)
            said = talk.pick(talk.NEW_LIST, generator).format(list=talk.in_order(to_do))
            return Order(kind, said, talk.write_agreed(to_do), to_do)
        case "stopped":
            return Order(kind, talk.pick(talk.STOP, generator), talk.write_agreed(()), ())
        case "vague":
            return Order(kind, talk.pick(talk.VAGUE, generator), talk.write_next(to_do), to_do)
        case "vague thing":
            thing, several = talk.pick(scene.alike, generator)
            said = talk.pick(talk.VAGUE_THING, generator).format(kind=thing)
            return Order(kind, said, talk.write_which(several), to_do)
        case "absent":
            wrong = talk.pick(scene.wrong, generator)
            return Order(kind, _spoken(wrong.text, generator), talk.write_absent(wrong.thing, to_do), to_do)
        case "done":
            action = talk.pick(lists.done, generator)
            return Order(kind, _spoken(action, generator), talk.write_already(to_do), to_do)


def edited(lists: TaskLists, generator: np.random.Generator) -> tuple[str, ...]:
    """Another list of what is to do: without its last actions, with possible ones, or both.

    What is left keeps its order, and only the end is cut off: a later step may need an earlier one.
    """
    ways = [way for way, can in (("less", len(lists.to_do) > 1), ("more", bool(lists.possible))) if can]
    if not ways:
        raise UsageError(f"nothing can be left out of or added to {lists}")
    way = talk.pick([*ways, "both"] if len(ways) == 2 else ways, generator)
    kept = list(lists.to_do)
    if way in ("less", "both"):
        kept = kept[: int(generator.integers(1, len(kept)))]
    if way in ("more", "both"):
        count = int(generator.integers(1, min(2, len(lists.possible)) + 1))
        for index in generator.choice(len(lists.possible), count, replace=False):
            kept.insert(int(generator.integers(0, len(kept) + 1)), lists.possible[int(index)])
    return tuple(kept)


def _spoken(action: str, generator: np.random.Generator) -> str:
    said = talk.pick(talk.WRONG, generator).format(action=action)
    return said[0].upper() + said[1:]


def write_conversations(
    store: EpisodeStore,
    camera: str,
    folder: Path,
    config: ConversationConfig | None = None,
    form: str = "llava",
) -> Mapping[str, int]:
    """`conversations.jsonl` and `images/*.png` in the folder; returns how many of each command there are.

    Episodes without a story are counted under "left out".
    """
    config = config or ConversationConfig()
    write = lookup("form of records", form, WRITERS)
    lines, counts = [], Counter[str]()
    for episode in store:
        try:
            found = conversations(episode, config)
        except DataError:
            counts["left out"] += 1
            continue
        for each, line in _written(episode, found, camera, folder, write):
            lines.append(line)
            counts[each.order.kind if each.order else "none"] += 1
    write_atomic(folder / "conversations.jsonl", "".join(f"{line}\n" for line in lines))
    write_atomic(
        folder / "conversations.json", to_json({"config": config, "form": form, "counts": dict(counts)})
    )
    return dict(counts)


def _written(
    episode: Episode,
    found: Sequence[Conversation],
    camera: str,
    folder: Path,
    write: Callable[[Dialogue], str],
) -> Iterator[tuple[Conversation, str]]:
    frames = lookup("key of the episode", f"rgb.{camera}", episode.arrays)
    for each in found:
        image = f"images/{each.name}.png"
        done, data = cv2.imencode(".png", cv2.cvtColor(frames[each.frame], cv2.COLOR_RGB2BGR))
        assert done, "OpenCV encodes every 8-bit RGB picture"
        write_atomic(folder / image, data.tobytes())
        yield each, write(each.dialogue(image))
