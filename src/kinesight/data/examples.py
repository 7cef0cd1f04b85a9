"""From what training examples are drawn: episode, start frame, camera."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from kinesight.data.readers import Catalog
from kinesight.types.errors import UnknownName, UsageError
from kinesight.types.windows import EpisodeBounds

KEYFRAME = "keyframe"
"""A stored or derived key of T + 1 booleans; where there is one, it stands in for `Episode.keyframes`."""


@dataclass(frozen=True, slots=True)
class ExampleTable:
    """What an example can be drawn from; one entry an episode."""

    lengths: Int[np.ndarray, "episodes"]
    ends: Float[np.ndarray, "episodes"]
    """Running total of the episodes' shares."""
    instructions: tuple[str, ...]
    keyframes: Int[np.ndarray, "episodes n"] | None
    cameras: int

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
        return EpisodeBounds(self.lengths[episodes], keyframes)


def make_table(catalog: Catalog, cameras: int, task_weights: Mapping[str, float] | None) -> ExampleTable:
    metas = [catalog.stores[s].meta(i) for s, i in catalog.places]
    lengths = np.array([meta.length for meta in metas])
    shares = _shares([meta.case.task for meta in metas], lengths, task_weights)
    frames = [_keyframes(catalog, e) for e in range(len(metas))]
    keyframes = None
    if any(len(each) for each in frames):
        keyframes = np.full((len(frames), max(map(len, frames))), -1)
        for row, each in zip(keyframes, frames, strict=True):
            row[: len(each)] = each
    return ExampleTable(lengths, np.cumsum(shares), tuple(m.instruction for m in metas), keyframes, cameras)


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
