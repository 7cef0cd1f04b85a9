"""Which things a video shows being moved, without a word about them and without a simulator.

Things are what stands on the table in the first frame. A thing whose place looks different for a while was
moved, or something passed in front of it: every such thing is followed, and those that went somewhere are
the moved ones. The robot or hand is left out by what sets it apart: nothing on a table moves before it is
touched, so what moves with the first change of the picture is the hand; and it comes from outside the
picture or from above.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.spatial import KDTree

from kinesight.geometry.clusters import clusters, level_plane
from kinesight.geometry.colours import colour_ids
from kinesight.geometry.plane import Plane, signed_distance
from kinesight.interfaces.stages import MaskFollower
from kinesight.planning.object_track import ObjectTrack, RgbdVideo, TrackConfig, track_object
from kinesight.types.arrays import Image
from kinesight.types.errors import KinesightError, UsageError

Grid = Float[np.ndarray, "y x 3"]
ARM_WAY_M = 0.003
"""By so much a piece of the arm has moved early."""
TABLE_HEIGHT_M, TABLE_SHARE = 0.25, 0.2
"""A table is so much higher than the floor, and fills at least this part of what the floor fills."""


class NoTable(KinesightError):
    """The first frame shows no level plane on which things could stand."""


@dataclass(frozen=True, slots=True)
class MovedConfig:
    """What counts as moved."""

    track: TrackConfig = field(default_factory=TrackConfig)
    above_m: float = 0.008
    """Height over the table from which a point belongs to a thing."""
    piece_m: float = 0.02
    """Distance up to which neighbouring pixels of one colour belong together."""
    least_way_m: float = 0.02
    """How far a thing must get from its place."""
    least_seen: float = 0.25
    """Share of a thing that must be seen, in the middle of the frames in which it is away from its place."""
    depth_change_m: float = 0.012
    colour_change: float = 40.0
    """Differences from the first frame from which a pixel counts as changed; colour 0-255."""
    changed_share: float = 0.3
    """Of a thing's pixels, in `changed_frames` frames, from which it is followed."""
    changed_frames: int = 3
    first_share: float = 0.15
    """Share of a thing's pixels that look different with nothing new in front, by which it has moved."""
    first_frames: float = 0.12
    """Part of the video, after the first change in the picture, in which whatever moves is the hand."""
    cover_m: float = 0.03
    """What comes nearer by more has come in front."""
    arm_gap_m: float = 0.04
    """Distance up to which a piece belongs to the arm that holds the hand."""
    arm_pixels: int = 30
    """Of a piece from which its own early motion is believed: smaller ones are found beside their place."""
    first_change: float = 0.003
    """Share of the picture's pixels that make up a change."""
    highest_foot_m: float = 0.12
    """Things on a table do not hang higher above it than this."""
    longest_m: float = 0.35
    least_pixels: int = 12
    most: int = 8
    """Things that are followed, those that changed most."""
    together_m: float = 0.012
    """Mean difference of their ways up to which two neighbouring pieces are one thing."""
    gap_m: float = 0.03
    """Distance between two pieces of one thing."""

    def __post_init__(self) -> None:
        if not 0 < self.changed_share <= 1 or not 0 < self.first_share <= 1 or self.most < 1:
            raise UsageError(f"shares must lie in (0, 1] and most be at least 1, got {self}")


def moved_objects(
    video: RgbdVideo, config: MovedConfig | None = None, follower: MaskFollower | None = None
) -> tuple[ObjectTrack, ...]:
    """Tracks of the things that were moved, in the order in which they began to move; maybe none.

    `follower`: says where in the later frames things can be seen, in place of their colours.
    """
    config = config or MovedConfig()
    points = video.points(0)
    table = table_of(points)
    if table is None:
        raise NoTable(f"the first frame of camera {video.camera.name!r} shows no level plane")
    ids = things_on(video.rgb[0], points, table, config)
    suspects, early = _suspects(video, ids, points, table, config)
    followed = _followed(video, [ids == identity for identity in suspects], table, config, follower)
    tracks = _untouched([track for track in followed if _went(track, config)], points, early, config)
    groups = _things(tracks, points, config)
    joined = [_joined(video, group, table, config, follower) for group in groups]
    return tuple(sorted(joined, key=lambda track: onset(track, config.least_way_m / 2)))


def table_of(points: Grid) -> Plane | None:
    """The level plane on which things stand: the largest, or a good part as large one higher up."""
    flat = points.reshape(-1, 3)
    table = level_plane(flat)
    while table is not None:
        height = signed_distance(flat, table)
        higher = level_plane(flat[height > TABLE_HEIGHT_M])
        if higher is None or _size(flat, higher) < TABLE_SHARE * _size(flat, table):
            return table
        table = higher
    return None


def things_on(rgb: Image, points: Grid, table: Plane, config: MovedConfig) -> Int[np.ndarray, "y x"]:
    """Pieces of one colour above the table, numbered from 1."""
    above = (signed_distance(points.reshape(-1, 3), table) > config.above_m).reshape(rgb.shape[:2])
    return clusters(points, above, colour_ids(rgb), config.piece_m)


def onset(track: ObjectTrack, way_m: float = 0.01) -> int:
    """The first frame in which the thing has got so far from its place; the last one if it never has."""
    away = np.flatnonzero(track.way_m > way_m)
    return int(away[0]) if len(away) else len(track.way_m) - 1


def _suspects(
    video: RgbdVideo,
    ids: Int[np.ndarray, "y x"],
    points: Float[np.ndarray, "y x 3"],
    table: Plane,
    config: MovedConfig,
) -> tuple[list[int], float]:
    """Things of the first frame whose place changed and that are not the hand, most changed first; and the
    frame up to which only the hand moves."""
    changed, moving = _changes(video, ids, config)
    sizes = np.bincount(ids.ravel(), minlength=changed.shape[1])
    altered = changed @ sizes >= config.first_change * ids.size
    first = int(altered.argmax()) if altered.any() else len(video)
    early = first + config.first_frames * len(video)
    moves = moving >= config.first_share
    begins = np.where(moves.any(axis=0), moves.argmax(axis=0), 2 * len(video))
    arm = _connected(ids, points, begins <= early, config)
    often = np.sort(changed, axis=0)[-min(config.changed_frames, len(changed))]
    found = [
        identity
        for identity in range(1, len(often))
        if often[identity] >= config.changed_share
        and identity not in arm
        and sizes[identity] >= config.least_pixels
        and not _reaches_edge(ids == identity)
        and _stands(points[ids == identity], table, config)
    ]
    return sorted(found, key=lambda identity: -often[identity])[: config.most], early


def _untouched(
    tracks: list[ObjectTrack], points: Grid, early: float, config: MovedConfig
) -> list[ObjectTrack]:
    """Without those that move too early, such as a robot's foot that turns, and their neighbours."""
    moves = [onset(t, ARM_WAY_M) <= early and t.masks[0].sum() >= config.arm_pixels for t in tracks]
    arm = [track for track, early_one in zip(tracks, moves, strict=True) if early_one]
    rest = [track for track, early_one in zip(tracks, moves, strict=True) if not early_one]
    if not arm or not rest:
        return rest
    tree = KDTree(np.concatenate([_thinned(points[track.masks[0]]) for track in arm]))
    return [
        track
        for track in rest
        if np.min(tree.query(_thinned(points[track.masks[0]]))[0]) > 2 * config.arm_gap_m
    ]


def _changes(
    video: RgbdVideo, ids: Int[np.ndarray, "y x"], config: MovedConfig
) -> tuple[Float[np.ndarray, "t n"], Float[np.ndarray, "t n"]]:
    """By frame and id, the share of pixels that look different, and of those with nothing new in front."""
    count = int(ids.max()) + 1
    sizes = np.maximum(np.bincount(ids.ravel(), minlength=count), 1)
    first_rgb, first_m = video.rgb[0].astype(np.int16), video.depth_m[0]
    changed, moving = [], []
    for rgb, depth_m in zip(video.rgb, video.depth_m, strict=True):
        further = depth_m - first_m
        known = (depth_m > 0) & (first_m > 0)
        off = np.abs(rgb.astype(np.int16) - first_rgb).max(axis=2) > config.colour_change
        off |= known & (np.abs(further) > config.depth_change_m)
        away = off & known & (further > -config.cover_m)
        changed.append(np.bincount(ids[off], minlength=count) / sizes)
        moving.append(np.bincount(ids[away], minlength=count) / sizes)
    return np.stack(changed), np.stack(moving)


def _connected(
    ids: Int[np.ndarray, "y x"], points: Grid, hand: Bool[np.ndarray, "n"], config: MovedConfig
) -> set[int]:
    """The hand's pieces and whatever touches them: the arm."""
    pieces = {identity: _thinned(points[ids == identity]) for identity in range(1, len(hand))}
    arm = {identity for identity in pieces if hand[identity]}
    front = list(arm)
    while front and len(arm) < len(pieces):
        near = KDTree(np.concatenate([pieces[identity] for identity in front]))
        front = [
            identity
            for identity, piece in pieces.items()
            if identity not in arm and np.min(near.query(piece)[0]) <= config.arm_gap_m
        ]
        arm.update(front)
    return arm


def _size(points: Float[np.ndarray, "n 3"], plane: Plane) -> int:
    return int((np.abs(signed_distance(points, plane)) < 0.01).sum())


def _reaches_edge(mask: Bool[np.ndarray, "y x"]) -> bool:
    return bool(mask[0].any() or mask[-1].any() or mask[:, 0].any() or mask[:, -1].any())


def _stands(points: Float[np.ndarray, "n 3"], table: Plane, config: MovedConfig) -> bool:
    known = points[np.isfinite(points).all(axis=1)]
    if len(known) < config.least_pixels:
        return False
    low, high = np.quantile(known, (0.02, 0.98), axis=0)
    foot = float(np.quantile(signed_distance(known, table), 0.02))
    return foot < config.highest_foot_m and float((high - low).max()) < config.longest_m


def _went(track: ObjectTrack, config: MovedConfig) -> bool:
    away = track.way_m > config.least_way_m
    return bool(away.any()) and float(np.median(track.seen[away])) >= config.least_seen


def _things(
    tracks: list[ObjectTrack], points: Float[np.ndarray, "y x 3"], config: MovedConfig
) -> list[list[ObjectTrack]]:
    """Tracks of pieces that touch at first and move alike, together."""
    groups: list[list[ObjectTrack]] = []
    for track in tracks:
        group = next((g for g in groups if any(_one_thing(track, o, points, config) for o in g)), None)
        if group is None:
            groups.append([track])
        else:
            group.append(track)
    return groups


def _one_thing(
    one: ObjectTrack, other: ObjectTrack, points: Float[np.ndarray, "y x 3"], config: MovedConfig
) -> bool:
    apart = np.linalg.norm((one.middle - one.middle[0]) - (other.middle - other.middle[0]), axis=1)
    if float(apart.mean()) > config.together_m:
        return False
    a, b = (_thinned(points[track.masks[0]]) for track in (one, other))
    return float(np.linalg.norm(a[:, None] - b[None], axis=2).min()) <= config.gap_m


def _thinned(points: Float[np.ndarray, "n 3"], most: int = 150) -> Float[np.ndarray, "m 3"]:
    known = points[np.isfinite(points).all(axis=1)]
    return known[np.linspace(0, len(known) - 1, min(len(known), most)).round().astype(int)]


def _followed(
    video: RgbdVideo,
    masks: list[Bool[np.ndarray, "y x"]],
    table: Plane,
    config: MovedConfig,
    follower: MaskFollower | None,
) -> Iterator[ObjectTrack]:
    shown = follower.follow(video.rgb, np.stack(masks)) if follower and masks else None
    for index, mask in enumerate(masks):
        own = None if shown is None else shown[:, index]
        yield track_object(video, mask, table, config.track, own)


def _joined(
    video: RgbdVideo,
    group: list[ObjectTrack],
    table: Plane,
    config: MovedConfig,
    follower: MaskFollower | None,
) -> ObjectTrack:
    if len(group) == 1:
        return group[0]
    mask: Bool[np.ndarray, "y x"] = np.any([track.masks[0] for track in group], axis=0)
    (whole,) = _followed(video, [mask], table, config, follower)
    return whole if _went(whole, config) else group[0]
