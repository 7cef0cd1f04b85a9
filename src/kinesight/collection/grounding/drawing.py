"""One episode drawn: its moments from every side under every look, with the records of each frame."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from kinesight.collection.grounding import ask_places, ask_space, ask_time
from kinesight.collection.grounding.near import thumbnail
from kinesight.collection.grounding.scene import GroundScene, Take
from kinesight.collection.grounding.sight import Draft, Labels, Motion, Sight, sight_of
from kinesight.data.episodes import Episode
from kinesight.data.ground_file import DrawnFrame, encode_image, encode_png16
from kinesight.data.observed import millimetres
from kinesight.types.case import Case
from kinesight.types.ground import (
    MOST_RECORDS,
    SUBSETS,
    GroundEpisode,
    GroundFrame,
    Record,
    Subset,
)

ASK: Sequence[Callable[[Sight, np.random.Generator], list[Draft]]] = (
    ask_places.boxes,
    ask_places.points,
    ask_places.parts,
    ask_places.free_space,
    ask_space.relations,
    ask_space.supports,
    ask_space.neighbours,
    ask_space.orientations,
    ask_space.counts,
    ask_space.depths,
    ask_time.paths,
    ask_time.steps,
)
SHARES = (8, 9)
"""Of ten pairs of seeds, those from the first on are for validation, those from the second on for testing."""
_STREAM = 13


@dataclass(frozen=True, slots=True)
class Drawing:
    """How episodes are drawn and asked about."""

    cameras: tuple[str, ...]
    looks: tuple[str, ...]
    height: int
    width: int
    moments: int
    most_records: int = MOST_RECORDS
    codec: str = "jpeg"
    depth: bool = True
    segmentation: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class DrawnEpisode:
    """What a worker hands over; frames that are nearly the same are still in it."""

    episode: GroundEpisode
    frames: tuple[DrawnFrame, ...]
    names: dict[int, str]


def subset_of(seed: int) -> Subset:
    """Train, validation or test: in pairs, so that both starts of a collection are in each."""
    place = seed // 2 % 10
    return SUBSETS[sum(place >= first for first in SHARES)]


def draw_episode(episode: Episode, scene: GroundScene, drawing: Drawing) -> DrawnEpisode:
    """All frames of an episode that show something to ask about."""
    motion = Motion(
        episode.arrays["proprio"][:, :3].astype(np.float64),
        np.append(episode.arrays["action"][:, -1], episode.arrays["action"][-1, -1]) > 0,
    )
    told = GroundEpisode(
        index=episode.index,
        case=episode.case,
        subset=subset_of(episode.case.seed),
        instruction=episode.instruction,
        length=episode.length,
        actions=scene.actions,
    )
    takes = scene.takes(drawing.cameras, drawing.looks, drawing.height, drawing.width)
    labels = Labels(scene.names)
    frames = []
    for moment in moments_of(told, drawing.moments):
        scene.put(moment)
        for take in takes:
            sight = sight_of(scene, take, labels, motion, told.instruction, moment)
            if records := ask(sight, told, drawing.most_records):
                frames.append(_frame(sight, told, records, episode.arrays["state"][moment], drawing))
    return DrawnEpisode(told, tuple(frames), dict(scene.names) if drawing.segmentation else {})


def moments_of(episode: GroundEpisode, count: int) -> list[int]:
    """Where actions begin, the end, and others evenly between them until there are `count`."""
    chosen = {0, episode.length} | {action.first for action in episode.actions}
    while len(chosen) < min(count, episode.length + 1):
        rising = sorted(chosen)
        gap, start = max((b - a, -a) for a, b in pairwise(rising))
        chosen.add(-start + gap // 2)
    return sorted(chosen)


def ask(sight: Sight, episode: GroundEpisode, most: int) -> tuple[Record, ...]:
    """Drafts of every kind, each question once; where there are too many, some fall out by lot."""
    generator = np.random.default_rng(_entropy(episode.case, sight.moment, sight.take))
    drafts = {draft.question: draft for builder in ASK for draft in builder(sight, generator)}
    kept = sorted(generator.permutation(len(drafts))[:most].tolist())
    place = f"{episode.index:06d}/{sight.moment}.{sight.take.number}"
    numbers: dict[str, int] = {}
    records = []
    for draft in [list(drafts.values())[i] for i in kept]:
        number = numbers[draft.type] = numbers.get(draft.type, -1) + 1
        records.append(
            Record(
                name=f"{place}/{draft.type}/{number}",
                type=draft.type,
                question=draft.question,
                answer=draft.answer,
                subset=episode.subset,
                env_split=episode.case.split or "train",
                about=draft.about,
                given=draft.given,
            )
        )
    return tuple(records)


def without(drawn: DrawnEpisode, kept: Sequence[DrawnFrame]) -> DrawnEpisode:
    """With these frames only."""
    lost = len(drawn.frames) - len(kept)
    return replace(drawn, episode=replace(drawn.episode, duplicates=lost), frames=tuple(kept))


def _frame(
    sight: Sight,
    episode: GroundEpisode,
    records: tuple[Record, ...],
    state: np.ndarray,
    drawing: Drawing,
) -> DrawnFrame:
    view, take = sight.view, sight.take
    assert view.rgb is not None, "a sight is drawn in colour"
    frame = GroundFrame(
        episode=episode.index,
        moment=sight.moment,
        camera=take.camera,
        take=take.number,
        look=take.look,
        light=take.light,
        things=sight.scene_things(),
    )
    depth = millimetres(view.depth_m) if drawing.depth and view.depth_m is not None else None
    ids = view.segmentation if drawing.segmentation else None
    return DrawnFrame(
        frame=frame,
        image=encode_image(view.rgb, drawing.codec),
        thumbnail=thumbnail(view.rgb),
        state=np.asarray(state, np.float32),
        records=records,
        depth=b"" if depth is None else encode_png16(depth),
        segmentation=b"" if ids is None else encode_png16(ids),
    )


def _entropy(case: Case, moment: int, take: Take) -> np.random.SeedSequence:
    words = [int.from_bytes(text.encode(), "little") for text in (case.env, case.task, case.split or "train")]
    return np.random.SeedSequence([*words, case.seed, moment, take.number, _STREAM])
