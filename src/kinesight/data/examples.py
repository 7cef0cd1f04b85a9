"""From what training examples are drawn: episode, start frame, camera."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from kinesight.data.readers import Catalog
from kinesight.types.errors import DataError, UnknownName, UsageError
from kinesight.types.windows import EpisodeBounds

KEYFRAME = "keyframe"
"""A stored or derived key of T + 1 booleans; where there is one, it stands in for `Episode.keyframes`."""
FINE = "fine"
"""A stored or derived key of T + 1 booleans: whether the frame lies in a fine-manipulation interval."""


@dataclass(frozen=True, slots=True)
class ExampleTable:
    """What an example can be drawn from; one entry an episode."""

    lengths: Int[np.ndarray, "episodes"]
    ends: Float[np.ndarray, "episodes"]
    """Running total of the episodes' shares."""
    instructions: tuple[str, ...]
    keyframes: Int[np.ndarray, "episodes n"] | None
    cameras: int
    fine: Bool[np.ndarray, "episodes t"] | None = None
    """False after an episode's end."""

    def draw(
        self, generator: np.random.Generator, size: int
    ) -> tuple[Int[np.ndarray, "b"], Int[np.ndarray, "b"], Int[np.ndarray, "b"]]:
        """Episodes, start frames and cameras."""
        place = generator.random(size) * self.ends[-1]
        episodes = np.searchsorted(self.ends, place, side="right")
        share = np.diff(self.ends, prepend=0.0)[episodes]
        inside = (place - self.ends[episodes] + share) / share
        starts = np.clip((inside * self.lengths[episodes]).astype(np.int64), 0, self.lengths[episodes] - 1)
        return episodes, starts, generator.integers(max(self.cameras, 1), size=size)

    def bounds(self, episodes: Int[np.ndarray, "b"]) -> EpisodeBounds:
        keyframes = None if self.keyframes is None else self.keyframes[episodes]
        fine = None if self.fine is None else self.fine[episodes]
        return EpisodeBounds(self.lengths[episodes], keyframes, fine)


def make_table(
    catalog: Catalog, cameras: int, task_weights: Mapping[str, float] | None, episodes: int = 0
) -> ExampleTable:
    """`episodes`: of each task, only the first so many are drawn from; 0 draws from all."""
    metas = [catalog.stores[s].meta(i) for s, i in catalog.places]
    lengths = np.array([meta.length for meta in metas])
    tasks = [meta.case.task for meta in metas]
    drawn = _first(tasks, episodes) if episodes else np.ones(len(metas), bool)
    # An episode of no frames has no share; its own length stays, for those who ask where it ends.
    shares = _shares(tasks, np.where(drawn, lengths, 0), task_weights)
    frames = [_keyframes(catalog, e) for e in range(len(metas))]
    keyframes = None
    if any(len(each) for each in frames):
        keyframes = np.full((len(frames), max(map(len, frames))), -1)
        for row, each in zip(keyframes, frames, strict=True):
            row[: len(each)] = each
    instructions = tuple(meta.instruction for meta in metas)
    return ExampleTable(lengths, np.cumsum(shares), instructions, keyframes, cameras, _fine(catalog, lengths))


def _first(tasks: list[str], count: int) -> Bool[np.ndarray, "episodes"]:
    """The first `count` episodes of each task."""
    seen = Counter[str]()
    chosen = np.zeros(len(tasks), bool)
    for place, task in enumerate(tasks):
        seen[task] += 1
        chosen[place] = seen[task] <= count
    if short := {task: n for task, n in seen.items() if n < count}:
        raise DataError(f"{count} episodes of each task are wanted, there are {short}")
    return chosen


def _fine(catalog: Catalog, lengths: Int[np.ndarray, "episodes"]) -> Bool[np.ndarray, "episodes t"] | None:
    """None where no episode has the key; that some lack it is an error."""
    has = np.array([FINE in catalog.stores[s].layout(i) for s, i in catalog.places])
    if not has.any():
        return None
    if not has.all():
        store, index = catalog.places[int(np.argmin(has))]
        raise DataError(
            f"{catalog.stores[store].path}, episode {index} lacks the key {FINE!r} of the others."
        )
    fine = np.zeros((len(lengths), lengths.max() + 1), bool)
    for episode, length in enumerate(lengths):
        fine[episode, : length + 1] = catalog.read(FINE, episode, 0, int(length) + 1)
    return fine


def _keyframes(catalog: Catalog, episode: int) -> Sequence[int] | np.ndarray:
    store, index = catalog.places[episode]
    if KEYFRAME not in catalog.stores[store].layout(index):
        return catalog.stores[store].meta(index).keyframes
    length = catalog.stores[store].meta(index).length
    return np.flatnonzero(catalog.read(KEYFRAME, episode, 0, length + 1))


def _shares(
    tasks: list[str], lengths: Int[np.ndarray, "episodes"], weights: Mapping[str, float] | None
) -> Float[np.ndarray, "episodes"]:
    if weights is None:
        return lengths.astype(float)
    for task in weights:
        if task not in tasks:
            raise UnknownName("task", task, set(tasks))
    if missing := sorted(set(tasks) - set(weights)):
        raise UsageError(f"Task weights are given for {', '.join(weights)} and lack {', '.join(missing)}.")
    if min(weights.values()) <= 0:
        raise UsageError(f"Task weights must be positive, got {dict(weights)}.")
    totals = {task: sum(n for n, t in zip(lengths, tasks, strict=True) if t == task) for task in weights}
    return np.array([weights[t] * n / totals[t] for n, t in zip(lengths, tasks, strict=True)])
