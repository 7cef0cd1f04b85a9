"""Key poses found in a motion: where the fingers open or close and where the hand comes to rest.

For episodes whose actor does not name its own; the rule is that of keyframe discovery (James and Davison,
"Q-attention", 2022) with a bound on how near two of them may lie.
"""

import numpy as np
from jaxtyping import Float

STILL = 0.12
"""Share of the episode's highest speed below which the hand counts as resting."""
LEAST_STROKE = 0.15
"""Change of the opening (0 … 1) over an episode below which the fingers did nothing."""
LEAST_GAP = 4
"""Steps between two key poses."""


def found_keyposes(hand_m: Float[np.ndarray, "t 3"], gripper_open: Float[np.ndarray, "t"]) -> tuple[int, ...]:
    """Frames of the key poses in rising order; the last frame is always one of them."""
    frames = sorted({*_strokes(gripper_open), *_arrivals(hand_m), len(hand_m) - 1})
    kept: list[int] = []
    for frame in frames:
        if kept and frame - kept[-1] < LEAST_GAP:
            if frame == frames[-1]:
                kept[-1] = frame
            continue
        kept.append(frame)
    return tuple(kept)


def _strokes(gripper_open: Float[np.ndarray, "t"]) -> list[int]:
    """Frames at which the opening has crossed the middle of its range."""
    low, high = float(gripper_open.min()), float(gripper_open.max())
    if high - low < LEAST_STROKE:
        return []
    wide = gripper_open > (low + high) / 2
    return [int(frame) + 1 for frame in np.flatnonzero(wide[1:] != wide[:-1])]


def _arrivals(hand_m: Float[np.ndarray, "t 3"]) -> list[int]:
    """Frames at which a hand that moved comes to rest."""
    speed = np.linalg.norm(np.diff(hand_m, axis=0), axis=1)
    if len(speed) < 2 or speed.max() == 0:
        return []
    still = speed < STILL * speed.max()
    return [int(frame) + 1 for frame in np.flatnonzero(still[1:] & ~still[:-1])]
