"""Is the arm where the imagined goal frame shows it? (Spatial Policy, Eq. 7-8)

Four similarities in [0, 1] are summed with the paper's weights: geometry (edge orientations on a grid),
position (intensities on a grid), structure (SSIM) and motion (inverse optical flow). The paper leaves their
details open, and over a whole picture they are close to 1 for any two frames of one episode, because only
the arm moves. So the terms are taken where the goal differs from the frame it is to be reached from, the
reference, and each is rescaled so that the reference scores 0 and the goal seen `slack_px` beside itself
scores 1: the threshold then means "this far of the way" and not "this much of the same background", and an
imagined frame need not be met to the pixel.

Soft imagined frames still hardly ever score 0.8: the similarity rises as the arm comes near, and falls again
as it moves on. A goal whose similarity has fallen from its best is therefore over, too: it was passed.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import cv2
import numpy as np
from jaxtyping import Float
from skimage.metrics import structural_similarity

from kinesight.types.arrays import Image
from kinesight.types.decision import Verdict
from kinesight.types.errors import UsageError
from kinesight.types.video import ImaginedVideo

TERMS = ("geometry", "position", "ssim", "flow")
_ZERO: Mapping[str, float] = dict.fromkeys(TERMS, 0.0)
_ONE: Mapping[str, float] = dict.fromkeys(TERMS, 1.0)
_CELL = 8  # pixels a block
_BINS = 8  # edge orientations in half a turn
_LEAST_SIDE = 24  # pixels looked at along each axis, at least
_LEAST_SPAN = 1e-3  # between the plain terms that score 0 and 1
_FLAT = 100.0  # squared gradient below which a block counts as flat


@dataclass(frozen=True, slots=True)
class FrameMatchingConfig:
    """When a goal frame counts as reached."""

    weights: Mapping[str, float] = field(
        default_factory=lambda: {"geometry": 0.35, "position": 0.35, "ssim": 0.2, "flow": 0.1}
    )
    """Share of each term; they are divided by their sum."""
    threshold: float = 0.8
    """Similarity from which the next goal is taken."""
    passed_from: float = 0.15
    """Least similarity at its best of a goal that counts as passed."""
    passed_drop: float = 0.05
    """A goal is passed when its similarity has fallen by so much from its best; 0 knows no such goals."""
    max_steps: int = 28
    """Steps after which the next goal is taken in any case."""
    blur_px: float = 1.0
    """Gaussian blur of both frames, so that a soft imagined frame can match a sharp real one."""
    slack_px: float = 1.0
    """Shift of the goal along x and y that still counts as the goal."""
    change: int = 16
    """Grey levels (0-255) by which a pixel must differ between reference and goal to count; 0 knows no
    reference: plain terms over the whole picture."""

    def __post_init__(self) -> None:
        if (
            set(self.weights) != set(TERMS)
            or min(self.weights.values()) < 0
            or not sum(self.weights.values())
        ):
            raise UsageError(
                f"weights must be given for {', '.join(TERMS)}, none negative, got {self.weights}"
            )
        if not 0 < self.threshold <= 1 or self.max_steps < 1:
            raise UsageError(f"frame matching needs 0 < threshold <= 1 and max_steps >= 1, got {self}")
        if self.change < 0:
            raise UsageError(f"change must not be negative, got {self.change}")
        if not (0 <= self.passed_from <= 1 and 0 <= self.passed_drop <= 1):
            raise UsageError(f"passed_from and passed_drop must lie in [0, 1], got {self}")

    def build(self) -> "FrameMatcher":
        return FrameMatcher(self)


class FrameMatcher:
    """Walks through the frames of an imagined video: the current one is the policy's goal (Eq. 8)."""

    def __init__(self, config: FrameMatchingConfig) -> None:
        self.config = config
        self._video: ImaginedVideo | None = None

    def reset(self, video: ImaginedVideo, step: int = 0) -> None:
        """Start on the first goal of a new video at environment step `step`."""
        self._video = video
        self._forced_in_a_row = 0
        self._met = self._given_up = 0
        self._finished = False
        self._begin(0, step)

    @property
    def index(self) -> int:
        """Which frame of the video is the goal now."""
        return self._index

    @property
    def goal(self) -> Image:
        """The current goal frame; the last one stays."""
        return self._playing().frames[self._index]

    @property
    def finished(self) -> bool:
        """Whether the last goal was reached or given up."""
        return self._finished

    @property
    def forced_in_a_row(self) -> int:
        """How many switches since the last goal that was met were forced; `StuckMonitor` wants to know."""
        return self._forced_in_a_row

    @property
    def goals(self) -> int:
        """Frames of the video."""
        return len(self._playing().frames)

    @property
    def met(self) -> int:
        """How many of its goals were matched or passed."""
        return self._met

    @property
    def given_up(self) -> int:
        """How many of its goals were left because they took too long."""
        return self._given_up

    def update(self, current: Image, step: int) -> Verdict:
        """Compare what is seen before action `step` with the goal, and take the next goal when it is time.

        `ok` says that this goal is over, and `reason` why.
        """
        if self._finished:
            return Verdict(False, "the video is finished", 0.0)
        if current.shape != self.goal.shape:
            raise UsageError(f"frame of {current.shape[:2]} pixels against goals of {self.goal.shape[:2]}")
        terms = compare(current, self._goal, self.config)
        score = weighted(terms, self.config.weights)
        waited = step - self._since
        best = self._best = max(self._best, score)
        matched, passed = score >= self.config.threshold, self._passed(score)
        if matched:
            reason = f"matched ({score:.2f})"
        elif passed:
            reason = f"passed ({best:.2f}, now {score:.2f})"
        elif waited >= self.config.max_steps:
            reason = f"forced after {waited} steps"
        else:
            return Verdict(False, f"goal {self._index} not reached ({score:.2f})", score, terms)
        self._count(met=matched or passed)
        self._advance(step)
        return Verdict(True, reason, score, terms)

    def _passed(self, score: float) -> bool:
        drop = self.config.passed_drop
        return drop > 0 and self._best >= self.config.passed_from and score <= self._best - drop

    def _count(self, met: bool) -> None:
        self._met += met
        self._given_up += not met
        self._forced_in_a_row = 0 if met else self._forced_in_a_row + 1

    def _advance(self, step: int) -> None:
        if self._index + 1 < len(self._playing().frames):
            self._begin(self._index + 1, step)
        else:
            self._finished = True

    def _begin(self, index: int, step: int) -> None:
        video = self._playing()
        reference = video.frames[index - 1] if index else video.first
        self._index, self._since, self._best = index, step, 0.0
        self._goal = prepare(video.frames[index], reference, self.config)

    def _playing(self) -> ImaginedVideo:
        assert self._video is not None, "reset the matcher with a video first"
        return self._video


@dataclass(frozen=True, slots=True)
class Goal:
    """A goal frame with everything about it that does not depend on the current frame."""

    box: tuple[slice, slice]
    """Rows and columns that are looked at; all arrays below are cut to it."""
    grey: Float[np.ndarray, "y x"]
    orientations: Float[np.ndarray, "rows columns bins"]
    attention: Float[np.ndarray, "y x"]
    """Weight of every pixel, sum 1."""
    cells: Float[np.ndarray, "rows columns"]
    """Weight of every block, sum 1."""
    zero: Mapping[str, float]
    """Plain terms that score 0: those of the reference."""
    one: Mapping[str, float]
    """Plain terms that score 1: those of the goal with its slack."""


def similarity(
    current: Image, goal: Image, reference: Image | None = None, config: FrameMatchingConfig | None = None
) -> dict[str, float]:
    """Named terms in [0, 1]. Without a reference they are plain, over the whole picture."""
    config = config or FrameMatchingConfig()
    return compare(current, prepare(goal, reference, config), config)


def weighted(terms: Mapping[str, float], weights: Mapping[str, float]) -> float:
    """Eq. 7: the weighted sum of the terms."""
    return sum(weights[name] * terms[name] for name in weights) / sum(weights.values())


def prepare(goal: Image, reference: Image | None, config: FrameMatchingConfig) -> Goal:
    """What `compare` needs of a goal frame [y x 3] and the frame that it is to be reached from."""
    reference = reference if config.change else None
    grey = _grey(goal, config)
    before = grey if reference is None else _grey(reference, config)
    moved = (np.abs(grey - before) >= config.change).astype(np.float32)
    if not moved.any():  # nothing to tell apart: compare the whole picture, as the paper does
        moved = np.ones_like(grey)
    attention = cv2.GaussianBlur(cv2.dilate(moved, np.ones((5, 5), np.uint8)), (0, 0), 1.5)
    box = _box(attention > 0.01)
    attention = _share(attention[box])
    plain = Goal(box, grey[box], _orientations(grey[box]), attention, _share(_blocks(attention)), _ZERO, _ONE)
    if reference is None:
        return plain
    one = _terms(_shifted(grey, config.slack_px)[box], plain)
    reached_from = _terms(before[box], plain)
    zero = {name: min(reached_from[name], one[name] - _LEAST_SPAN) for name in TERMS}
    return replace(plain, zero=zero, one=one)


def compare(current: Image, goal: Goal, config: FrameMatchingConfig) -> dict[str, float]:
    """Named terms of a frame [y x 3] against a prepared goal, each rescaled to `zero` … `one`."""
    plain = _terms(_grey(current, config)[goal.box], goal)
    return {
        name: float(np.clip((plain[name] - goal.zero[name]) / (goal.one[name] - goal.zero[name]), 0, 1))
        for name in TERMS
    }


def _terms(grey: Float[np.ndarray, "y x"], goal: Goal) -> dict[str, float]:
    return {
        "geometry": _geometry(grey, goal),
        "position": _position(grey, goal),
        "ssim": _ssim(grey, goal),
        "flow": _flow(grey, goal),
    }


def _geometry(grey: Float[np.ndarray, "y x"], goal: Goal) -> float:
    """Dice overlap of the edge-orientation histograms, block by block."""
    ours, theirs = _orientations(grey), goal.orientations
    shared = 2 * (ours * theirs).sum(axis=2) + _FLAT
    return float((goal.cells * shared / ((ours**2).sum(axis=2) + (theirs**2).sum(axis=2) + _FLAT)).sum())


def _position(grey: Float[np.ndarray, "y x"], goal: Goal) -> float:
    """1 minus the mean difference of the block intensities, of the full range."""
    return float(1 - (goal.cells * np.abs(_blocks(grey) - _blocks(goal.grey))).sum() / 255)


def _ssim(grey: Float[np.ndarray, "y x"], goal: Goal) -> float:
    window = min(7, *(side - 1 + side % 2 for side in grey.shape))
    result = structural_similarity(grey, goal.grey, data_range=255, full=True, win_size=window)
    return float(np.clip((goal.attention * np.asarray(result[1])).sum(), 0, 1))


def _flow(grey: Float[np.ndarray, "y x"], goal: Goal) -> float:
    """1 / (1 + mean flow in pixels), Farnebäck 2003."""
    ours, theirs = grey.astype(np.uint8), goal.grey.astype(np.uint8)
    flow = cv2.calcOpticalFlowFarneback(ours, theirs, np.empty(0), 0.5, 2, 11, 2, 5, 1.1, 0)
    return float(1 / (1 + (goal.attention * np.hypot(flow[..., 0], flow[..., 1])).sum()))


def _grey(frame: Image, config: FrameMatchingConfig) -> Float[np.ndarray, "y x"]:
    grey = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY).astype(np.float32)
    return cv2.GaussianBlur(grey, (0, 0), config.blur_px) if config.blur_px > 0 else grey


def _box(mask: np.ndarray) -> tuple[slice, slice]:
    """The smallest box around the mask, widened to whole cells and to `_LEAST_SIDE` where there is room."""
    sides = []
    for axis, length in ((1, mask.shape[0]), (0, mask.shape[1])):
        found = np.flatnonzero(mask.any(axis=axis))
        first, last = int(found[0]), int(found[-1]) + 1
        side = min(-(-max(last - first, _LEAST_SIDE) // _CELL) * _CELL, length)
        start = min(max((first + last - side) // 2, 0), length - side)
        sides.append(slice(start, start + side))
    return sides[0], sides[1]


def _shifted(grey: Float[np.ndarray, "y x"], shift_px: float) -> Float[np.ndarray, "y x"]:
    matrix = np.array([[1, 0, shift_px], [0, 1, shift_px]], np.float32)
    return cv2.warpAffine(grey, matrix, grey.shape[::-1], borderMode=cv2.BORDER_REPLICATE)


def _blocks(picture: np.ndarray) -> np.ndarray:
    """Means over blocks of about `_CELL` pixels [y x …] -> [rows columns …]."""
    rows, columns = (max(side // _CELL, 1) for side in picture.shape[:2])
    return cv2.resize(picture, (columns, rows), interpolation=cv2.INTER_AREA)


def _share(weights: np.ndarray) -> np.ndarray:
    return weights / weights.sum()


def _orientations(grey: Float[np.ndarray, "y x"]) -> Float[np.ndarray, "rows columns bins"]:
    """Gradient magnitude by unsigned orientation, shared linearly between the two nearest bins."""
    dx, dy = cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1)
    magnitude, angle = cv2.cartToPolar(dx, dy)
    place = angle * (_BINS / np.pi)
    lower = np.floor(place)
    upper_share = (place - lower) * magnitude
    lower_bin = lower.astype(np.int64) % _BINS
    pixels = np.arange(grey.size)
    picture = np.zeros((grey.size, _BINS), np.float32)
    picture[pixels, lower_bin.ravel()] = (magnitude - upper_share).ravel()
    picture[pixels, (lower_bin.ravel() + 1) % _BINS] = upper_share.ravel()
    return _blocks(picture.reshape(*grey.shape, _BINS))
