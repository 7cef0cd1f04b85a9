"""An episode as people look at it: frames at its key poses, paths, names; from a data set or the expert.

The expert's episode is played twice: once to learn where its key poses are, once to look there. An episode
is a pure function of its case and the actions, so both are the same.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float

from kinesight.agents.episode import run_episode
from kinesight.data.episodes import Episode, EpisodeStore
from kinesight.envs import catalogue as envs
from kinesight.geometry.keyposes import found_keyposes
from kinesight.interfaces.environment import Environment
from kinesight.types.arrays import Depth, Image, Point, Segmentation
from kinesight.types.camera import Camera
from kinesight.types.case import Case
from kinesight.types.decision import Decision
from kinesight.types.errors import DataError, UnknownName, UsageError
from kinesight.types.observation import Observation, StepResult, ViewRequest
from kinesight.types.results import EpisodeResult

JUMP_M = 0.06
"""A target that is further from one step to the next is another thing: its path begins anew."""


@dataclass(frozen=True, slots=True)
class Mark:
    """Something with words that begins or is reached at a step."""

    step: int
    text: str


@dataclass(frozen=True, slots=True, eq=False)
class ShownFrame:
    """One moment, from one camera."""

    step: int
    camera: Camera
    rgb: Image
    depth_m: Depth | None = None
    segmentation: Segmentation | None = None


@dataclass(frozen=True, slots=True, eq=False)
class ShownEpisode:
    """Positions are metres in the world frame; `hand` has the rows of `PROPRIO_NAMES`."""

    case: Case
    source: str
    """Who acted, or where it is stored."""
    instruction: str
    success: bool
    hand: Float[np.ndarray, "t 8"]
    gripper_m: Float[np.ndarray, "t 3"]
    """Between the fingers."""
    target_m: Float[np.ndarray, "t 3"] | None
    """What the task acts on; None where no scene was recorded."""
    goal_m: Point | None
    """Where that has to go in the end."""
    keyposes: tuple[Mark, ...]
    subtasks: tuple[Mark, ...]
    frames: tuple[ShownFrame, ...]
    names: Mapping[int, str] = field(default_factory=dict)
    """Segmentation id -> "object/part"; empty where there is no segmentation."""

    @property
    def length(self) -> int:
        """Number of actions."""
        return len(self.hand) - 1


def expert_episode(case: Case, size: int, frames: int, limit: int = envs.DEFAULT_LIMIT) -> ShownEpisode:
    """The scripted expert's episode of a case, with pictures of `size` pixels a side."""
    watcher = _Watcher()
    result = run_episode(envs.make_case(case, limit), envs.expert(case.env, case), (watcher,))
    seen, tracks = watcher.seen, _tracks(watcher.seen)
    keyposes = _keyposes([(e.step, e.kind, e.reason) for e in result.events], (), tracks[0])
    request = ViewRequest((case.camera,), size, size, depth=True, segmentation=True)
    environment = envs.make_case(case, limit)
    environment.reset()
    pictures, names = [], {}
    wanted = shown_steps(result.steps, [mark.step for mark in keyposes], frames)
    for step in range(result.steps + 1):
        if step in wanted:
            view = environment.observe(request).views[case.camera]
            assert view.rgb is not None, "asked for"
            pictures.append(ShownFrame(step, view.camera, view.rgb, view.depth_m, view.segmentation))
            names |= view.names
        if step < result.steps:
            environment.step(watcher.actions[step])
    return ShownEpisode(
        case, "scripted expert", seen[0].instruction, result.success, *tracks, keyposes,
        _subtasks([(e.step, e.kind, e.reason) for e in result.events]), tuple(pictures), names,
    )  # fmt: skip


def stored_episode(store: EpisodeStore, index: int, camera: str, frames: int) -> ShownEpisode:
    """A recorded episode, as far as it was recorded; `camera` "" is the case's own."""
    if not 0 <= index < len(store):
        raise UsageError(f"{store.path} holds the episodes 0 … {len(store) - 1}, got {index}")
    episode = store[index]
    name = camera or episode.case.camera
    if f"rgb.{name}" in episode.arrays and not (name in episode.cameras and "proprio" in episode.arrays):
        raise DataError(
            f"{store.path}: episodes are shown with the hand's way drawn in; that needs 'proprio' and a "
            f"calibrated camera, of {name} there is no more than video"
        )
    if name not in episode.cameras:
        raise UnknownName(f"camera of {store.path}", name, episode.cameras)
    if f"rgb.{name}" not in episode.arrays:
        raise DataError(f"{store.path}: holds no pictures of camera {name!r}")
    arrays = episode.arrays
    hand = arrays["proprio"].astype(np.float64)
    gripper = arrays.get("scene.gripper", arrays["proprio"][:, :3]).astype(np.float64)
    target, goal = arrays.get("scene.target"), arrays.get("scene.goal")
    events = [(int(step), str(kind), str(text)) for step, kind, text in episode.text.get("events", ())]
    keyposes = _keyposes(events, episode.keyframes, hand)
    names = episode.text.get("segmentation_names", {}).get(name, {})
    return ShownEpisode(
        case=episode.case,
        source=f"{store.path}, episode {index}",
        instruction=episode.instruction,
        success=bool(arrays["success"].any()),
        hand=hand,
        gripper_m=gripper,
        target_m=None if target is None else target.astype(np.float64),
        goal_m=None if goal is None else goal[-1].astype(np.float64),
        keyposes=keyposes,
        subtasks=_subtasks(events),
        frames=tuple(
            _stored_frame(episode, name, step)
            for step in shown_steps(episode.length, [mark.step for mark in keyposes], frames)
        ),
        names={int(number): str(text) for number, text in names.items()},
    )


def shown_steps(length: int, keyposes: Sequence[int], most: int) -> tuple[int, ...]:
    """At most `most` steps in rising order: first and last, key poses between them, else evenly spread."""
    if most < 2:
        raise UsageError(f"first and last frame are always shown, so at least 2 are needed, got {most}")
    inner = sorted({step for step in keyposes if 0 < step < length})
    if len(inner) > most - 2:
        chosen = np.rint(np.linspace(0, len(inner) - 1, most - 2)).astype(int)
        inner = [inner[i] for i in dict.fromkeys(chosen.tolist())]
    spread = np.rint(np.linspace(0, length, most)).astype(int).tolist()
    taken = {0, length, *inner}
    for step in sorted(spread, key=lambda s: -min(abs(s - other) for other in taken)):
        if len(taken) >= most:
            break
        taken.add(step)
    return tuple(sorted(taken))


def broken_path(points_m: Float[np.ndarray, "t 3"]) -> Float[np.ndarray, "n 3"]:
    """The path with a row of NaN wherever it jumps."""
    jumps = np.flatnonzero(np.linalg.norm(np.diff(points_m, axis=0), axis=1) > JUMP_M)
    return np.insert(points_m, jumps + 1, np.nan, axis=0)


def _keyposes(
    events: Sequence[tuple[int, str, str]], keyframes: Sequence[int], hand: Float[np.ndarray, "t 8"]
) -> tuple[Mark, ...]:
    """By the actor's own account; else the frames that were stored, else those found in the motion."""
    named = [Mark(step, text) for step, kind, text in events if kind == "keypose"]
    return tuple(named) or tuple(
        Mark(int(step), "") for step in keyframes or found_keyposes(hand[:, :3], hand[:, 7])
    )


def _subtasks(events: Sequence[tuple[int, str, str]]) -> tuple[Mark, ...]:
    return tuple(Mark(step, text) for step, kind, text in events if kind == "subtask")


def _tracks(
    seen: Sequence[Observation],
) -> tuple[Float[np.ndarray, "t 8"], Float[np.ndarray, "t 3"], Float[np.ndarray, "t 3"], Point]:
    """Proprioception, gripper and target over time, and the goal at the end."""
    scenes = [observation.scene for observation in seen]
    points = [scene.points for scene in scenes if scene is not None]
    hand = np.stack([observation.proprio for observation in seen]).astype(np.float64)
    gripper, target = (np.stack([p[name] for p in points]) for name in ("gripper", "target"))
    return hand, gripper, target, points[-1]["goal"]


def _stored_frame(episode: Episode, name: str, step: int) -> ShownFrame:
    arrays, first = episode.arrays, episode.cameras[name]
    depth, ids = arrays.get(f"depth_mm.{name}"), arrays.get(f"segmentation.{name}")
    camera = Camera(
        name, arrays[f"K.{name}"][step], arrays[f"T_world_camera.{name}"][step], first.height, first.width
    )
    return ShownFrame(
        step,
        camera,
        arrays[f"rgb.{name}"][step],
        None if depth is None else (depth[step] / 1000).astype(np.float32),
        None if ids is None else ids[step].astype(np.int32),
    )


class _Watcher:
    """A subscriber that keeps the scene, which needs no picture, and what was done."""

    def __init__(self) -> None:
        self.seen: list[Observation] = []
        self.actions: list[np.ndarray] = []

    def start(self, case: Case, environment: Environment) -> None:
        self._environment = environment
        self.seen = [environment.observe(ViewRequest(scene=True))]

    def step(self, observation: Observation, decision: Decision, result: StepResult) -> None:
        self.actions.append(decision.action)
        self.seen.append(self._environment.observe(ViewRequest(scene=True)))

    def end(self, result: EpisodeResult) -> None:
        return None
