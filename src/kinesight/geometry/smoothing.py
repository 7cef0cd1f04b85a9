"""Smooth paths through measured positions: outliers out, then a Kalman filter forwards and backwards.

A point moves with a velocity that changes by chance (`acceleration_std_m` a frame, every frame); each
measurement has a standard deviation of its own, infinite where nothing was seen. The smoother of Rauch, Tung
and Striebel (1965) gives the most likely position in every frame given all measurements, before and after.
"""

import numpy as np
from jaxtyping import Bool, Float

Positions = Float[np.ndarray, "t d"]
Spread = Float[np.ndarray, "t"]
NORMAL_MAD = 1.4826
"""Standard deviation of a normal distribution over its median absolute deviation."""


def outliers(positions: Positions, reach: int = 3, floor_m: float = 0.006) -> Bool[np.ndarray, "t"]:
    """Positions far from the median of the `reach` frames before and after them (Hampel 1974).

    Far is beyond three standard deviations of that window and beyond `floor_m`. Unknown positions (NaN) are
    none.
    """
    padded = np.pad(positions, ((reach, reach), (0, 0)), constant_values=np.nan)
    windows = np.stack([padded[shift : shift + len(positions)] for shift in range(2 * reach + 1)])
    known = np.isfinite(positions).all(axis=1)
    far = np.zeros(len(positions), bool)
    for frame in np.flatnonzero(known):
        near = windows[:, frame][np.isfinite(windows[:, frame]).all(axis=1)]
        middle = np.median(near, axis=0)
        distance = np.linalg.norm(near - middle, axis=1)
        limit = max(3 * NORMAL_MAD * float(np.median(distance)), floor_m)
        far[frame] = np.linalg.norm(positions[frame] - middle) > limit
    return far


def smooth(positions: Positions, std_m: Spread, acceleration_std_m: float) -> Positions:
    """The smoothed positions [t d]; `std_m` [t] is infinite where a position is unknown (it may be NaN)."""
    if not np.isfinite(std_m).any():
        raise ValueError("nothing was measured: every standard deviation is infinite")
    if not (std_m > 0).all() or not acceleration_std_m > 0:
        raise ValueError("standard deviations must be positive")
    move = np.array([[1.0, 1.0], [0.0, 1.0]])
    drift = acceleration_std_m**2 * np.array([[1 / 3, 1 / 2], [1 / 2, 1.0]])
    first = int(np.flatnonzero(np.isfinite(std_m))[0])
    state = np.stack([positions[first], np.zeros(positions.shape[1])])  # rows: position, velocity
    spread = np.diag([1.0, 1.0])  # a metre, and a metre a frame: nothing is known
    filtered, predicted = [], []
    for frame, (position, std) in enumerate(zip(positions, std_m, strict=True)):
        if frame:
            state, spread = move @ state, move @ spread @ move.T + drift
        predicted.append((state, spread))
        if np.isfinite(std):
            gain = spread[:, 0] / (spread[0, 0] + std**2)
            state = state + np.outer(gain, position - state[0])
            spread = spread - np.outer(gain, spread[0])
        filtered.append((state, spread))
    smoothed = [filtered[-1][0]]
    for (state, spread), (ahead, ahead_spread) in zip(filtered[-2::-1], predicted[:0:-1], strict=True):
        back = spread @ move.T @ np.linalg.inv(ahead_spread)
        smoothed.append(state + back @ (smoothed[-1] - ahead))
    return np.stack([state[0] for state in reversed(smoothed)])
