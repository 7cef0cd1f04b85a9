"""Which frames of an episode a training example is made of.

A `WindowSpec` maps every name in a batch to a stored key and a frame rule: a vectorised pure function from
start frames to frame indices. Frames past the end are marked invalid and point at the last frame; they are
never zeros.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float, Int

from kinesight.types.errors import UsageError

Frames = tuple[Int[np.ndarray, "b t"], Bool[np.ndarray, "b t"]]


@dataclass(frozen=True, slots=True)
class EpisodeBounds:
    """Per example: the last frame of its episode and, where they exist, its key frames and fine intervals."""

    last: Int[np.ndarray, "b"]
    keyframes: Int[np.ndarray, "b n"] | None = None
    """In rising order, padded on the right with -1."""
    fine: Bool[np.ndarray, "b t"] | None = None
    """Whether a frame lies in a fine-manipulation interval; frames past the last one do not."""


@runtime_checkable
class FrameRule(Protocol):
    """(starts, bounds, generator) -> frame indices [b t] and their validity [b t]."""

    def __call__(
        self, starts: Int[np.ndarray, "b"], bounds: EpisodeBounds, generator: np.random.Generator
    ) -> Frames: ...


def clip_to_episode(indices: Int[np.ndarray, "b t"], bounds: EpisodeBounds) -> Frames:
    """Clamp indices into [0, last] and mark those that were outside."""
    last = bounds.last[:, None]
    return np.clip(indices, 0, last), (indices >= 0) & (indices <= last)


@dataclass(frozen=True, slots=True)
class Offsets:
    """Fixed distances from the start frame, in steps; negative ones are history."""

    offsets: tuple[int, ...]

    def __call__(
        self, starts: Int[np.ndarray, "b"], bounds: EpisodeBounds, generator: np.random.Generator
    ) -> Frames:
        return clip_to_episode(starts[:, None] + np.asarray(self.offsets), bounds)


@dataclass(frozen=True, slots=True)
class GoalWithin:
    """One frame drawn uniformly from the next `nearest` … `farthest` steps, not past the end.

    Near the end the draw is over the frames that are left; at the last frame the goal is that frame.
    """

    nearest: int
    farthest: int

    def __post_init__(self) -> None:
        if not 0 <= self.nearest <= self.farthest:
            raise UsageError(f"goal window needs 0 <= nearest <= farthest, got {self}")

    def __call__(
        self, starts: Int[np.ndarray, "b"], bounds: EpisodeBounds, generator: np.random.Generator
    ) -> Frames:
        high = np.minimum(starts + self.farthest, bounds.last)
        low = np.minimum(starts + self.nearest, high)
        goals = low + (generator.random(len(starts)) * (high - low + 1)).astype(starts.dtype)
        return goals[:, None], np.ones((len(starts), 1), bool)


@dataclass(frozen=True, slots=True)
class Spread:
    """`count` frames evenly spread from the start frame to the last one, both included."""

    count: int

    def __call__(
        self, starts: Int[np.ndarray, "b"], bounds: EpisodeBounds, generator: np.random.Generator
    ) -> Frames:
        fraction = np.linspace(0.0, 1.0, self.count)
        indices = np.rint(starts[:, None] + fraction * (bounds.last - starts)[:, None])
        return clip_to_episode(indices.astype(starts.dtype), bounds)


@dataclass(frozen=True, slots=True)
class FineSpread:
    """`count` frames from the start frame to the last one, `rate` times as dense in fine intervals.

    Spatial Policy, "Dataset Construction", but for its interval between frames: here the frames reach to the
    end, whatever lies between them. Without a fine interval on the way it is `Spread`.
    """

    count: int
    rate: float = 5.0

    def __post_init__(self) -> None:
        if self.count < 1 or not (np.isfinite(self.rate) and self.rate >= 1):
            raise UsageError(f"FineSpread needs count >= 1 and a finite rate >= 1, got {self}")

    def __call__(
        self, starts: Int[np.ndarray, "b"], bounds: EpisodeBounds, generator: np.random.Generator
    ) -> Frames:
        clock = fine_clock(bounds, self.rate)
        begin, end = (np.take_along_axis(clock, f[:, None], 1) for f in (starts, bounds.last))
        readings = begin + np.linspace(0.0, 1.0, self.count) * (end - begin)
        return clip_to_episode(np.rint(frames_at(clock, readings)).astype(starts.dtype), bounds)


def fine_clock(bounds: EpisodeBounds, rate: float) -> Float[np.ndarray, "b t"]:
    """A clock's reading at every frame: it runs `rate` times as fast between two fine frames, from 0 on.

    Frames evenly spaced on it are `rate` times as dense there.
    """
    if bounds.fine is None:
        raise UsageError("this rule needs a data set with fine intervals; derive the key 'fine' first")
    fine_steps = bounds.fine[:, :-1] & bounds.fine[:, 1:]
    return np.pad(np.cumsum(np.where(fine_steps, rate, 1.0), axis=1), ((0, 0), (1, 0)))


def frames_at(
    clock: Float[np.ndarray, "b t"], readings: Float[np.ndarray, "b n"]
) -> Float[np.ndarray, "b n"]:
    """The frames, between whole ones where it must be, at which the clock shows these readings."""
    before = (clock[:, None] <= readings[..., None]).sum(-1) - 1
    before = np.clip(before, 0, clock.shape[1] - 2)
    low, high = (np.take_along_axis(clock, before + step, 1) for step in (0, 1))
    return before + (readings - low) / (high - low)


@dataclass(frozen=True, slots=True)
class NextKeyframes:
    """The next `count` key frames after the start frame (keyposes, sub-goals); invalid where none is left."""

    count: int

    def __call__(
        self, starts: Int[np.ndarray, "b"], bounds: EpisodeBounds, generator: np.random.Generator
    ) -> Frames:
        if bounds.keyframes is None:
            raise UsageError("NextKeyframes needs a data set whose episodes name their key frames")
        last = bounds.last[:, None]
        candidates = np.where(bounds.keyframes > starts[:, None], bounds.keyframes, np.iinfo(np.int64).max)
        following = np.sort(candidates, axis=1)[:, : self.count]
        missing = self.count - following.shape[1]
        following = np.pad(following, ((0, 0), (0, missing)), constant_values=np.iinfo(np.int64).max)
        valid = following <= last
        return np.where(valid, following, last), valid


@dataclass(frozen=True, slots=True)
class Take:
    """Frames of one stored key by one rule. `{camera}` in the key stands for the example's camera."""

    key: str
    rule: FrameRule


@dataclass(frozen=True, slots=True)
class WindowSpec:
    """Name in the batch -> what is taken. Takes that share one rule object share the drawn frames."""

    takes: Mapping[str, Take]
    from_first: float = 0.0
    """Share of the examples that start at their episode's first frame; the others start anywhere."""

    def __post_init__(self) -> None:
        if not 0 <= self.from_first <= 1:
            raise UsageError(f"from_first must lie in [0, 1], got {self.from_first}")

    def starts(self, drawn: Int[np.ndarray, "b"], generator: np.random.Generator) -> Int[np.ndarray, "b"]:
        """Start frames that were drawn evenly, with a share of them moved to the first frame."""
        if not self.from_first:
            return drawn
        return np.where(generator.random(len(drawn)) < self.from_first, 0, drawn)

    def indices(
        self, starts: Int[np.ndarray, "b"], bounds: EpisodeBounds, generator: np.random.Generator
    ) -> dict[str, Frames]:
        drawn: dict[int, Frames] = {}
        for take in self.takes.values():
            if id(take.rule) not in drawn:
                drawn[id(take.rule)] = take.rule(starts, bounds, generator)
        return {name: drawn[id(take.rule)] for name, take in self.takes.items()}
