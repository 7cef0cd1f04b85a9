"""Keeps what an episode looked like: a video, and its imagined futures beside what really happened.

Every recorded episode is written by the process that runs it; `Shelf` then keeps failures and the first
successes of a task in case order, so that what stays does not depend on the number of workers.
"""

import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

from kinesight.evaluation.gallery import (
    FOLDER,
    GalleryItem,
    Segment,
    StripRow,
    case_name,
    encode_strip,
    goal_ends,
    write_item,
)
from kinesight.evaluation.results import to_record
from kinesight.interfaces.environment import Environment
from kinesight.language.plan_text import format_plan
from kinesight.types.arrays import Image, Video
from kinesight.types.case import Case
from kinesight.types.decision import Decision, Event
from kinesight.types.errors import UsageError
from kinesight.types.observation import Observation, StepResult, ViewRequest
from kinesight.types.results import EpisodeResult

VIDEOS = "videos"
GOAL_KINDS = ("goal", "advance", "next_goal")
"""Kinds of event by which an agent says that it went on to the next imagined frame."""
JUDGED_KINDS = ("accept", "accepted", "reject", "rejected", "keep", "judge")
BLIND_FRAMES = 8
"""Real frames shown of an episode in which nothing was imagined."""


@dataclass(frozen=True, slots=True)
class Recording:
    """How much of the episodes is kept."""

    every: int = 4
    """Steps between frames."""
    size: int = 128
    """Height and width of the frames."""
    crop: bool = True
    """The task's crop window, as agents see it, or the camera's whole view."""
    fps: int = 10
    successes: int = 2
    """Kept for each task, the first in case order."""
    failures: int = 25
    """Kept for each task, the first in case order."""

    def __post_init__(self) -> None:
        if self.every < 1 or self.size < 16 or self.fps < 1 or min(self.successes, self.failures) < 0:
            raise UsageError(
                f"a recording needs every >= 1, size >= 16, fps >= 1 and counts >= 0, got {self}"
            )


class Recorder:
    """A subscriber that writes each episode it watched into the evaluation's folder."""

    def __init__(self, recording: Recording, out: Path) -> None:
        self._recording = recording
        self._out = out
        self._environment: Environment | None = None
        self._frames: dict[int, Image] = {}
        self._events: list[Event] = []
        self._instruction = ""

    def start(self, case: Case, environment: Environment) -> None:
        self._environment = environment
        self._frames, self._events = {}, []
        self._see(0)

    def step(self, observation: Observation, decision: Decision, result: StepResult) -> None:
        self._events += decision.events
        if result.step % self._recording.every == 0 or result.success or result.truncated:
            self._see(result.step)

    def end(self, result: EpisodeResult) -> None:
        if not self._frames:  # an error came before anything was seen
            return
        frames = np.stack([self._frames[step] for step in sorted(self._frames)])
        write_video(self._out / VIDEOS / f"{case_name(result.case)}.mp4", frames, self._recording.fps)
        segments, strips = arrange(self._frames, self._events, result.steps, self._recording.size)
        item = GalleryItem(
            case=result.case,
            success=result.success,
            steps=result.steps,
            instruction=self._instruction,
            segments=segments,
            events=to_record(result).events,
        )
        write_item(self._out, item, strips)
        self._environment = None

    def _see(self, step: int) -> None:
        assert self._environment is not None, "start comes first"
        case, size = self._environment.case, self._recording.size
        request = ViewRequest(cameras=(case.camera,), height=size, width=size, crop=self._recording.crop)
        observation = self._environment.observe(request)
        frame = observation.views[case.camera].rgb
        assert frame is not None, "a request with rgb=True is answered with a picture"
        self._frames[step] = frame
        self._instruction = observation.instruction


def arrange(
    frames: dict[int, Image], events: Sequence[Event], steps: int, height: int
) -> tuple[tuple[Segment, ...], dict[str, bytes]]:
    """Real frames (by step) put under the imagined ones that were followed at the time; strips by name."""
    drawn = [(index, event) for index, event in enumerate(events) if event.video is not None]
    compared, strips = _comparisons(events, height)
    if not drawn and compared:
        return compared, strips
    if not drawn:
        shown = _nearest(frames, np.linspace(0, steps, BLIND_FRAMES).round().astype(int).tolist())
        segment = Segment(step=0, until=steps, seen="seen-00.jpg", seen_steps=shown)
        return (segment,), {"seen-00.jpg": encode_strip(np.stack([frames[s] for s in shown]), height)}
    tells = any(event.kind in GOAL_KINDS for event in events)
    segments: list[Segment] = [*compared]
    for number, (index, event) in enumerate(drawn):
        video = event.video
        assert video is not None, "filtered above"
        following = drawn[number + 1] if number + 1 < len(drawn) else None
        until = steps if following is None else following[1].step
        own = events[index : None if following is None else following[0]]
        advances = [other.step for other in own if other.kind in GOAL_KINDS] if tells else None
        ends = goal_ends(event.step, until, len(video.frames), advances)
        shown = _nearest(frames, [event.step, *ends]) if ends else ()
        imagined, seen = f"imagined-{number:02d}.jpg", f"seen-{number:02d}.jpg" if shown else ""
        strips[imagined] = encode_strip(np.concatenate([video.first[None], video.frames]), height)
        if shown:
            strips[seen] = encode_strip(np.stack([frames[step] for step in shown]), height)
        judged = next((other for other in own if other.kind in JUDGED_KINDS), None)
        segments.append(
            Segment(
                step=event.step,
                until=until,
                verdict=judged.kind if judged else "",
                reason=judged.reason if judged else "",
                plan="" if video.plan is None else format_plan(video.plan).removeprefix("Plan:\n"),
                imagined=imagined,
                imagined_frames=len(video.frames) + 1,
                seen=seen,
                seen_steps=shown,
            )
        )
    return tuple(sorted(segments, key=lambda segment: segment.step)), strips


def _comparisons(events: Sequence[Event], height: int) -> tuple[tuple[Segment, ...], dict[str, bytes]]:
    """What agents show beside what happened: the first row is shown as the real one, the others under it."""
    segments, strips = [], {}
    for number, event in enumerate(event for event in events if event.comparison is not None):
        comparison = event.comparison
        assert comparison is not None, "filtered above"
        names = [f"compared-{number:02d}-{row}.jpg" for row in range(len(comparison.rows))]
        for name, frames in zip(names, comparison.rows.values(), strict=True):
            strips[name] = encode_strip(frames, height)
        captions = list(comparison.rows.items())
        segments.append(
            Segment(
                step=comparison.steps[0],
                until=event.step,
                verdict=event.kind,
                reason=event.reason,
                seen=names[0],
                seen_steps=comparison.steps,
                rows=tuple(
                    StripRow(caption, name, len(frames))
                    for (caption, frames), name in zip(captions[1:], names[1:], strict=True)
                ),
            )
        )
    return tuple(segments), strips


def _nearest(frames: dict[int, Image], wanted: Sequence[int]) -> tuple[int, ...]:
    """Recorded steps nearest to the wanted ones."""
    recorded = np.array(sorted(frames))
    return tuple(int(recorded[np.abs(recorded - step).argmin()]) for step in wanted)


def write_video(path: Path, frames: Video, fps: int) -> None:
    """H.264 in MP4 (yuv420p, playable in every browser), there as a whole or not at all."""
    height, width = (max(2, size // 2 * 2) for size in frames.shape[1:3])
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial.mp4")
    try:
        _encode(partial, frames, fps, height, width)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _encode(path: Path, frames: Video, fps: int, height: int, width: int) -> None:
    with av.open(str(path), "w", options={"movflags": "faststart"}) as container:
        stream = container.add_stream("libx264", rate=Fraction(fps), options={"crf": "23", "threads": "1"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for image in frames:
            resized = image if image.shape[:2] == (height, width) else cv2.resize(image, (width, height))
            container.mux(stream.encode(av.VideoFrame.from_ndarray(resized, format="rgb24")))
        container.mux(stream.encode())


class Shelf:
    """Keeps the first failures and successes of every task and removes the other recordings."""

    def __init__(self, recording: Recording, out: Path) -> None:
        self._limits = {True: recording.successes, False: recording.failures}
        self._out = out
        self._kept: Counter[tuple[str, bool]] = Counter()

    def place(self, result: EpisodeResult) -> bool:
        """Call in case order; says whether the episode's recording stays."""
        key = (result.case.task, result.success)
        self._kept[key] += 1
        if self._kept[key] <= self._limits[result.success]:
            return True
        remove(self._out, result.case)
        return False


def remove(out: Path, case: Case) -> None:
    name = case_name(case)
    (out / VIDEOS / f"{name}.mp4").unlink(missing_ok=True)
    shutil.rmtree(out / FOLDER / name, ignore_errors=True)
