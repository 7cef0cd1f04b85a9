"""Fine-manipulation intervals as a derived key (Spatial Policy, appendix, "Dataset Construction").

The paper watches the distance between gripper and target over the frames, calls close-contact phases fine
manipulation, and samples them at five times the coarse rate. It names six parameters and gives no value. Five
of them decide what is fine and stand here; the sixth, the interval between frames, has no place: `FineSpread`
in types/windows.py spreads a number of frames to the end. The paper's distances come from point clouds of
masks and depth; here they come from the recorded scene, and go to where the task's target is touched.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from kinesight.data.derived import derive
from kinesight.data.episodes import Episode, EpisodeStore
from kinesight.data.examples import FINE
from kinesight.planning.motions import motion_of
from kinesight.planning.task_motions import distance_to_contact
from kinesight.types.errors import UsageError, lookup


@dataclass(frozen=True, slots=True)
class FineIntervals:
    """Episode -> `fine`, T + 1 booleans. Needs the recorded scene points "gripper", "target" and "goal"."""

    distance_threshold_m: float = 0.05
    """Largest distance of a fine frame."""
    consecutive_frames: int = 3
    """Near frames in a row that open an interval, which then begins with the first of them."""
    recovery_needed_frames: int = 5
    """Coarse frames after an interval before the next one may begin."""
    suppress_single_spike: bool = True
    """Whether one frame that differs from both its neighbours counts like them."""
    max_allowed_anomaly: int = 2
    """Far frames that an interval may hold; the next one ends it, after its last near frame."""

    def __post_init__(self) -> None:
        if not (np.isfinite(self.distance_threshold_m) and self.distance_threshold_m > 0):
            raise UsageError(f"distance_threshold_m must be positive, got {self.distance_threshold_m}")
        if self.consecutive_frames < 1 or self.recovery_needed_frames < 0 or self.max_allowed_anomaly < 0:
            raise UsageError(
                "Fine intervals need consecutive_frames >= 1, recovery_needed_frames >= 0 and "
                f"max_allowed_anomaly >= 0, got {self}"
            )

    def __call__(self, episode: Episode) -> Mapping[str, np.ndarray]:
        return {FINE: fine_frames(contact_distance(episode), self)}


def with_fine_intervals(
    store: EpisodeStore, intervals: FineIntervals | None = None, workers: int = 1
) -> EpisodeStore:
    """The store with the key `fine`; it is computed where it is missing."""
    intervals = intervals or FineIntervals()
    return store.with_derived(derive(store, FINE, intervals, parameters=intervals, workers=workers))


def contact_distance(episode: Episode) -> Float[np.ndarray, "t"]:
    """Metres [T + 1] from the gripper to where it touches, or to the goal in a task that moves the hand."""
    motion = motion_of("task with fine intervals", episode.case.task, episode.case.env)
    gripper, target, goal = (
        lookup("key of the data set", f"scene.{name}", episode.arrays)
        for name in ("gripper", "target", "goal")
    )
    return distance_to_contact(motion, gripper, goal if motion.moves_hand else target)


def fine_frames(distance_m: Float[np.ndarray, "t"], intervals: FineIntervals) -> Bool[np.ndarray, "t"]:
    """Whether each frame lies in a fine interval."""
    near = distance_m <= intervals.distance_threshold_m
    if intervals.suppress_single_spike:
        near = without_single_spikes(near)
    fine = np.zeros(len(near), bool)
    frame = 0
    while (begin := _opening(near, frame, intervals.consecutive_frames)) is not None:
        end = _end(near, begin, intervals.max_allowed_anomaly)
        fine[begin:end] = True
        frame = end + intervals.recovery_needed_frames
    return fine


def without_single_spikes(near: Bool[np.ndarray, "t"]) -> Bool[np.ndarray, "t"]:
    """One frame between two that are both otherwise is turned; spikes side by side are turned in order."""
    smooth = near.copy()
    for frame in range(1, len(near) - 1):
        if smooth[frame - 1] == near[frame + 1]:
            smooth[frame] = near[frame + 1]
    return smooth


def _opening(near: Bool[np.ndarray, "t"], frame: int, needed: int) -> int | None:
    """The first frame from `frame` on that begins a run of `needed` near ones."""
    for begin in range(frame, len(near) - needed + 1):
        if near[begin : begin + needed].all():
            return begin
    return None


def _end(near: Bool[np.ndarray, "t"], begin: int, allowed: int) -> int:
    """One past the last near frame before there are more far ones than allowed."""
    far = np.flatnonzero(~near[begin:])
    stop = begin + int(far[allowed]) if len(far) > allowed else len(near)
    return begin + int(np.flatnonzero(near[begin:stop])[-1]) + 1
