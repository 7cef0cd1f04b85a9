"""Which pixels show the thing that a task moves.

AVDC takes them from the simulator's ids, of the part that the task is about: the handle and not the whole
door. The table is that of its code, by the names that our segmentation gives to the same parts.
"""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Bool

from kinesight.types.errors import UsageError, lookup
from kinesight.types.observation import View

TARGET_PARTS: Mapping[str, tuple[str, ...]] = {
    "door-open": ("door/handle",),
    "door-close": ("door/door_link", "door/handle"),
    "basketball": ("bsktball/basketball", "bsktball/objGeom"),
    "shelf-place": ("obj/objGeom",),
    "button-press": ("box/btnGeom", "box/button"),
    "button-press-topdown": ("box/btnGeom", "box/button"),
    "faucet-close": ("faucetBase/faucet_link2",),
    "faucet-open": ("faucetBase/faucet_link2",),
    "handle-press": ("box/handle_link",),
    "hammer": ("hammerbody/HammerHandle",),
    "assembly": ("RoundNut/WrenchHandle",),
}
"""Task -> "object/part" names of Meta-World's segmentation."""


def target_mask(view: View, task: str) -> Bool[np.ndarray, "y x"]:
    """Pixels [y x] of the task's target by the simulator's ids; none where it is hidden or out of view."""
    parts = lookup("task with a target", task, TARGET_PARTS)
    if view.segmentation is None:
        raise UsageError("The target's mask needs ids; request them with ViewRequest(segmentation=True).")
    ids = [number for number, name in view.names.items() if name in parts]
    return np.isin(view.segmentation, ids)
