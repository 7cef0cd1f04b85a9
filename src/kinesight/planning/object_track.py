"""One thing followed through an RGB-D video of a fixed camera: its mask, and its middle in space.

In every frame three clues are put together. Points of the mask are followed by optical flow, there and back,
and lifted by depth: where the thing should be now. Pixels of its colours, above the table and near that place
are what is seen of it: its mask. The shape of the first frame is laid under those points: where it is, also
where part of it is covered. Measurements become a smooth path by robust filtering forwards and backwards.

ST-VLA fuses tracked masks with depth in this way to label human videos (section 3.2, appendix B.1); the
paper's algorithm is not printed, this one is ours. Nothing here knows a simulator.
"""

from dataclasses import dataclass, field, replace

import cv2
import numpy as np
from jaxtyping import Bool, Float

from kinesight.geometry.camera import pixel_centres, project, unproject
from kinesight.geometry.plane import Plane, signed_distance
from kinesight.geometry.point_tracks import FollowConfig, follow
from kinesight.geometry.registration import Upright, distances, register
from kinesight.geometry.smoothing import outliers, smooth
from kinesight.types.arrays import Image, Pixels, Point, Points, Video
from kinesight.types.camera import Camera
from kinesight.types.errors import UsageError

Mask = Bool[np.ndarray, "y x"]
Grid = Float[np.ndarray, "y x 3"]


@dataclass(frozen=True, slots=True, eq=False)
class RgbdVideo:
    """Colour and depth of a camera that does not move."""

    rgb: Video
    depth_m: Float[np.ndarray, "t y x"]
    """z-depth in metres; 0 marks an invalid pixel."""
    camera: Camera

    def __post_init__(self) -> None:
        sizes = self.rgb.shape[:3], self.depth_m.shape, (len(self.rgb), self.camera.height, self.camera.width)
        if len(set(sizes)) > 1 or len(self.rgb) < 2:
            raise UsageError(
                "an RGB-D video has two frames or more, depth and colour of the camera's size, got colour of "
                f"{sizes[0]}, depth of {sizes[1]} and a camera of {sizes[2][1:]}"
            )

    def __len__(self) -> int:
        return len(self.rgb)

    def points(self, frame: int) -> Grid:
        """World points of the frame's pixels, metres; NaN where the depth is invalid."""
        flat = unproject(pixel_centres(self.camera), self.depth_m[frame].reshape(-1), self.camera)
        return flat.reshape(*self.depth_m.shape[1:], 3)


@dataclass(frozen=True, slots=True)
class TrackConfig:
    """How a thing is recognised and how its path is smoothed."""

    alike: float = 42.0
    """Largest difference of a channel (0-255) from one of the thing's own colours."""
    colours: int = 6
    """Own colours at most; each has `colour_share` of the first mask at least."""
    colour_share: float = 0.04
    above_m: float = 0.005
    """Height over the table below which a pixel is the table's."""
    near_m: float = 0.020
    """Distance from the expected shape within which pixels are looked at."""
    lost_near_m: float = 0.060
    """The same after it was lost from sight."""
    fit_m: float = 0.008
    """Distance from the fitted shape within which a pixel is the thing's; a worse mean fit does not count."""
    sure_share: float = 0.45
    """Support over the first mask's pixels from which no other place is looked at."""
    least_pixels: int = 6
    followed: int = 80
    """Points given to optical flow, at most; `least_followed` must come back and agree."""
    least_followed: int = 4
    follow: FollowConfig = field(default_factory=FollowConfig)
    position_std_m: float = 0.0015
    """Of a measurement with everything in sight."""
    covered_std_m: float = 0.004
    """By how much that grows towards nothing in sight."""
    acceleration_std_m: float = 0.010
    """Change of velocity, metres a frame, every frame."""

    def __post_init__(self) -> None:
        lengths = (self.above_m, self.near_m, self.fit_m, self.position_std_m, self.acceleration_std_m)
        if min(lengths) <= 0 or self.lost_near_m < self.near_m or self.covered_std_m < 0:
            raise UsageError(f"lengths must be positive and lost_near_m at least near_m, got {self}")
        if min(self.least_pixels, self.followed, self.least_followed, self.colours) < 1:
            raise UsageError(f"counts must be at least 1, got {self}")


@dataclass(frozen=True, slots=True, eq=False)
class ObjectTrack:
    """Where a thing was in every frame."""

    masks: Bool[np.ndarray, "t y x"]
    """What was seen of it."""
    measured: Float[np.ndarray, "t 3"]
    """Its middle as measured in each frame alone, world frame [m]; NaN where it was not seen."""
    seen: Float[np.ndarray, "t"]
    """Share of its visible surface that was seen, 0 … 1, as compared with the first frame."""
    middle: Float[np.ndarray, "t 3"]
    """The smoothed path of its middle, world frame [m]."""
    camera: Camera

    @property
    def pixels(self) -> Pixels:
        """The path in the picture [t 2]."""
        return project(self.middle, self.camera)

    @property
    def way_m(self) -> Float[np.ndarray, "t"]:
        """Distance from where it stood at first."""
        return np.linalg.norm(self.middle - self.middle[0], axis=1)


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """What a thing looks like in the first frame."""

    colours: Float[np.ndarray, "k 3"]
    shape: Points
    """Its visible points, thinned."""
    middle: Point
    area: float
    """Of its visible surface as seen by the camera, square metres."""


@dataclass(frozen=True, slots=True, eq=False)
class _Found:
    motion: Upright
    mask: Mask
    support: float
    """Number of pixels that lie on the fitted shape, those beside it counting less."""


def track_object(
    video: RgbdVideo,
    mask: Mask,
    table: Plane,
    config: TrackConfig | None = None,
    shown: Bool[np.ndarray, "t y x"] | None = None,
) -> ObjectTrack:
    """Follow what `mask` [y x] shows in the first frame; `table` is the plane on which things stand.

    `shown` says where the thing can be seen in every frame, where another segmenter knows; without it the
    thing's own colours say so. Raises `UsageError` for a mask without enough pixels that have a depth.
    """
    config = config or TrackConfig()
    look = _look(video, mask, table, config)
    motion, velocity = Upright(look.middle, np.zeros(3)), np.zeros(3)
    masks, measured, seen = [mask], [look.middle], [1.0]
    before, lost = video.points(0), 0
    for frame in range(1, len(video)):
        grid = video.points(frame)
        own = _alike(video.rgb[frame], look, config) if shown is None else shown[frame]
        step = _flow_step(video, frame, before, grid, masks[-1], velocity, own, config)
        expected = replace(motion, shift=motion.shift + (0.8 * velocity if step is None else step))
        near_m = config.near_m if not lost else config.lost_near_m
        # Where flow says, where it was, and, after it was lost from sight, where it stood at first.
        guesses = (expected, motion, Upright(look.middle, np.zeros(3)))[: 3 if lost else 2]
        found = None
        for guess in guesses:
            other = _find(own, grid, guess, near_m, look, table, video.camera, config)
            found = max((f for f in (found, other) if f), key=lambda f: f.support, default=None)
            if found and not lost and found.support > config.sure_share * mask.sum():
                break
        if found is None:
            # It is covered: most likely it stays, or goes on as flow says.
            motion = expected if step is not None else motion
            velocity, lost = 0.5 * velocity, lost + 1
            masks.append(np.zeros_like(mask))
            measured.append(np.full(3, np.nan))
            seen.append(0.0)
        else:
            velocity = (found.motion.shift - motion.shift) if not lost else np.zeros(3)
            motion, lost = found.motion, 0
            masks.append(found.mask)
            measured.append(motion.centre)
            seen.append(min(1.0, _area(found.mask, video.depth_m[frame], video.camera) / look.area))
        before = grid
    positions, shares = np.stack(measured), np.array(seen)
    return ObjectTrack(np.stack(masks), positions, shares, _smoothed(positions, shares, config), video.camera)


def _smoothed(
    measured: Float[np.ndarray, "t 3"], seen: Float[np.ndarray, "t"], config: TrackConfig
) -> Float[np.ndarray, "t 3"]:
    std_m = config.position_std_m + config.covered_std_m * (1 - seen)
    std_m[(seen == 0) | outliers(measured)] = np.inf
    return smooth(measured, std_m, config.acceleration_std_m)


def _look(video: RgbdVideo, mask: Mask, table: Plane, config: TrackConfig) -> Look:
    points = video.points(0)[mask]
    finite = np.isfinite(points).all(axis=1)
    if finite.sum() < config.least_pixels:
        raise UsageError(
            f"the mask shows {int(finite.sum())} pixels with a depth, it needs {config.least_pixels} or more"
        )
    shape = points[finite]
    low, high = np.quantile(shape, (0.02, 0.98), axis=0)
    # The lower part of what stands on the table is cut off by the mask's margin.
    foot = low[2] - signed_distance(low[None], table)[0]
    low[2] = foot if low[2] - foot < 0.025 else low[2]
    thinned = shape[np.linspace(0, len(shape) - 1, min(len(shape), 400)).round().astype(int)]
    area = _area(mask, video.depth_m[0], video.camera)
    return Look(_own_colours(video.rgb[0][mask], config), thinned, (low + high) / 2, area)


def _own_colours(pixels: Float[np.ndarray, "n 3"] | np.ndarray, config: TrackConfig) -> np.ndarray:
    """Means of the fullest cells of a coarse colour grid."""
    cells = pixels.astype(int) // 32
    codes = cells @ np.array([64, 8, 1])
    _, inverse, sizes = np.unique(codes, return_inverse=True, return_counts=True)
    order = np.argsort(-sizes, kind="stable")[: config.colours]
    order = [cell for cell in order if sizes[cell] >= config.colour_share * len(pixels)] or [order[0]]
    return np.stack([pixels[inverse == cell].mean(axis=0) for cell in order])


def _flow_step(
    video: RgbdVideo,
    frame: int,
    before: Grid,
    now: Grid,
    mask: Mask,
    velocity: Point,
    own: Mask,
    config: TrackConfig,
) -> Point | None:
    """How far the mask's points moved to this frame, metres; None where too few can be followed."""
    rows, columns = np.nonzero(mask & np.isfinite(before).all(axis=2))
    if len(rows) < config.least_followed:
        return None
    chosen = np.linspace(0, len(rows) - 1, min(len(rows), config.followed)).round().astype(int)
    rows, columns = rows[chosen], columns[chosen]
    start = before[rows, columns]
    pixels = np.stack([columns, rows], axis=1) + 0.5
    guess = pixels + project(start + velocity, video.camera) - project(start, video.camera)
    guess = np.where(np.isfinite(guess), guess, pixels)
    moved, kept = follow(video.rgb[frame - 1], video.rgb[frame], pixels, guess, config.follow)
    across, down = (
        np.floor(moved[kept]).astype(int).clip(0, (video.camera.width - 1, video.camera.height - 1)).T
    )
    ends = now[down, across]
    usable = np.isfinite(ends).all(axis=1) & own[down, across]
    steps = (ends - start[kept])[usable]
    if len(steps) < config.least_followed:
        return None
    middle = np.median(steps, axis=0)
    agree = np.linalg.norm(steps - middle, axis=1) <= 0.01
    return steps[agree].mean(axis=0) if agree.sum() >= config.least_followed else None


def _find(
    own: Mask,
    grid: Grid,
    expected: Upright,
    near_m: float,
    look: Look,
    table: Plane,
    camera: Camera,
    config: TrackConfig,
) -> "_Found | None":
    """The thing near where it is expected, among pixels that may be its own; None where too few are."""
    window = _window(expected, near_m, look, camera)
    if window is None:
        return None
    points = grid[window].reshape(-1, 3)
    usable = np.isfinite(points).all(axis=1) & own[window].reshape(-1)
    usable[usable] = signed_distance(points[usable], table) > config.above_m
    near = usable.copy()
    near[usable] = distances(points[usable], look.shape, expected) <= near_m
    if near.sum() < config.least_pixels:
        return None
    chosen = np.flatnonzero(near)
    chosen = chosen[np.linspace(0, len(chosen) - 1, min(len(chosen), 400)).round().astype(int)]
    motion, error_m = register(points[chosen], look.shape, expected)
    if error_m > config.fit_m:
        return None
    away_m = np.full(len(points), np.inf)
    away_m[usable] = distances(points[usable], look.shape, motion)
    fits = away_m <= config.fit_m
    if fits.sum() < config.least_pixels:
        return None
    mask = np.zeros(own.shape, bool)
    mask[window] = fits.reshape(mask[window].shape)
    return _Found(motion, mask, float((1 - away_m[fits] / config.fit_m).sum()))


def _window(expected: Upright, near_m: float, look: Look, camera: Camera) -> tuple[slice, slice] | None:
    """Rows and columns in which the expected shape can be; None outside the picture."""
    pixels = project(expected.apply(look.shape), camera)
    pixels = pixels[np.isfinite(pixels).all(axis=1)]
    if not len(pixels):
        return None
    away_m = float(np.linalg.norm(expected.centre - camera.T_world_camera[:3, 3]))
    margin = near_m * camera.K[0, 0] / max(away_m, 1e-3) + 2
    left, top = np.floor(pixels.min(axis=0) - margin).astype(int).clip(0)
    right, bottom = np.ceil(pixels.max(axis=0) + margin).astype(int).clip(0)
    right, bottom = min(right, camera.width), min(bottom, camera.height)
    return None if left >= right or top >= bottom else (slice(top, bottom), slice(left, right))


def _alike(rgb: Image, look: Look, config: TrackConfig) -> Mask:
    """Pixels of the thing's colours."""
    alike = np.zeros(rgb.shape[:2], bool)
    for colour in look.colours:
        low, high = np.ceil(colour - config.alike), np.floor(colour + config.alike)
        alike |= cv2.inRange(rgb, low, high) > 0
    return alike


def _area(mask: Mask, depth_m: Float[np.ndarray, "y x"], camera: Camera) -> float:
    """Square metres of what the mask shows, as if it faced the camera."""
    return float(np.square(depth_m[mask]).sum() / (camera.K[0, 0] * camera.K[1, 1]))
