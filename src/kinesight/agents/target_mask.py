"""Which pixels show the thing that a task moves, and where it is touched.

AVDC takes them from the simulator's ids, of the part that the task is about: the handle and not the whole
door. The table is that of its code, by the names that our segmentation gives to the same parts.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool

from kinesight.types.errors import UsageError, lookup
from kinesight.types.observation import View

Mask = Bool[np.ndarray, "y x"]


@dataclass(frozen=True, slots=True)
class Target:
    """Names "object/part" of a segmentation."""

    moves: tuple[str, ...]
    """What is followed through the video."""
    touched: tuple[str, ...] = ()
    """The part of it that the hand goes to; all of it if none is named."""


TARGETS: Mapping[str, Target] = {
    "door-open": Target(("door/handle",)),
    "door-close": Target(("door/door_link", "door/handle")),
    "basketball": Target(("bsktball/basketball", "bsktball/objGeom")),
    "shelf-place": Target(("obj/objGeom",)),
    "button-press": Target(("box/btnGeom", "box/button")),
    "button-press-topdown": Target(("box/btnGeom", "box/button")),
    "faucet-close": Target(("faucetBase/faucet_link2",)),
    "faucet-open": Target(("faucetBase/faucet_link2",)),
    "handle-press": Target(("box/handle_link",)),
    "hammer": Target(("hammerbody/HammerHandle",)),
    "assembly": Target(("RoundNut/WrenchHandle", "RoundNut/asmbly_peg"), ("RoundNut/WrenchHandle",)),
}
"""By task of Meta-World."""


@runtime_checkable
class TargetFinder(Protocol):
    """Says where the target of a task is seen."""

    @property
    def segmentation(self) -> bool:
        """Whether the views must hold the simulator's ids."""
        ...

    @property
    def privileged(self) -> tuple[str, ...]: ...

    def check(self, task: str) -> None:
        """Raise `UnknownName` for a task whose target is not known."""
        ...

    def find(self, view: View, task: str) -> tuple[Mask, Mask]:
        """Pixels [y x] of what moves and of the part that is touched; empty where hidden or out of view."""
        ...


@dataclass(frozen=True, slots=True)
class SimulatorTargets:
    """By the simulator's ids; privileged."""

    targets: Mapping[str, Target] = field(default_factory=lambda: TARGETS)
    """By task."""

    @property
    def segmentation(self) -> bool:
        return True

    @property
    def privileged(self) -> tuple[str, ...]:
        return ("segmentation",)

    def check(self, task: str) -> None:
        lookup("task with a target", task, self.targets)

    def find(self, view: View, task: str) -> tuple[Mask, Mask]:
        target = lookup("task with a target", task, self.targets)
        if view.segmentation is None:
            raise UsageError("A target's mask needs ids; request them with ViewRequest(segmentation=True).")
        moves = _mask(view, target.moves)
        return moves, _mask(view, target.touched) if target.touched else moves


def _mask(view: View, parts: tuple[str, ...]) -> Mask:
    assert view.segmentation is not None
    ids = [number for number, name in view.names.items() if name in parts]
    return np.isin(view.segmentation, ids)
