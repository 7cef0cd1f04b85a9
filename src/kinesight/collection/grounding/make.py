"""`ground`: simulate once, then draw every episode from several sides under several looks, with records.

The trajectories are a collection of their own (`collect`, without pictures): an expert that does not reach
the goal leaves none. Each of them then becomes one file of frames. Workers draw; this process drops frames
that are nearly the same as an earlier one, in the order of the episodes, and writes. So the files are equal
whatever the workers and interruptions, and a folder left unfinished is completed by the same command.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from importlib.metadata import version
from pathlib import Path

from kinesight.collection.collect import CollectionConfig, collect
from kinesight.collection.grounding import metaworld, tabletop
from kinesight.collection.grounding.card import write_card
from kinesight.collection.grounding.drawing import Drawing, DrawnEpisode, draw_episode, without
from kinesight.collection.grounding.metaworld import MetaWorldScene
from kinesight.collection.grounding.near import SeenFrames
from kinesight.collection.grounding.scene import GroundScene
from kinesight.collection.grounding.tabletop import TableTopScene
from kinesight.collection.grounding.templates import ABSENT, TEMPLATES
from kinesight.data.episodes import Episode, EpisodeStore
from kinesight.data.ground_file import CODECS, FrameFile, write_frames
from kinesight.data.ground_set import GroundSet, frame_files, read_ground_info
from kinesight.data.parallel import ordered_map
from kinesight.data.progress import ProgressLine
from kinesight.envs import catalogue
from kinesight.types.case import STARTS
from kinesight.types.errors import DataError, UsageError, lookup
from kinesight.types.files import write_atomic
from kinesight.types.ground import MOST_RECORDS, GroundFrame, GroundInfo
from kinesight.types.serial import differences, from_jsonable, to_json, to_jsonable

MODALITIES = ("rgb", "depth", "segmentation")
SMALLEST = 32
"""Pixels a side: in smaller pictures nothing shows `LEAST_PIXELS`."""
PACKAGES = ("kinesight", "numpy", "mujoco", "opencv-python-headless", "safetensors")


@dataclass(frozen=True, slots=True)
class Source:
    """What an environment brings."""

    scene: Callable[[Episode], GroundScene]
    check: Callable[[Sequence[str], Sequence[str]], None]
    """Raises for cameras and looks that there are not."""
    cameras: tuple[str, ...]
    """Where none are named."""
    tasks: tuple[str, ...]
    """Whose things have names for people."""
    without_records: tuple[str, ...] = ()
    """Splits in which things happen that the actions do not tell."""


SOURCES: Mapping[str, Source] = {
    "metaworld": Source(MetaWorldScene, metaworld.check_views, metaworld.VIEWS, tuple(metaworld.TASKS)),
    "tabletop": Source(
        TableTopScene,
        tabletop.check_views,
        tabletop.VIEWS,
        catalogue.tasks("tabletop"),
        ("interference", "new-instruction"),
    ),
}


@dataclass(frozen=True, slots=True)
class GroundConfig:
    """What to simulate, and how to draw it."""

    env: str
    tasks: tuple[str, ...]
    """Empty: all that have spatial records."""
    episodes: int
    """By task; attempts at which the expert fails do not count."""
    cameras: tuple[str, ...] = ()
    """Empty: those of the environment."""
    looks: tuple[str, ...] = ("own", "random")
    """Each camera draws every moment under each of them."""
    height: int = 128
    width: int = 128
    moments: int = 8
    """Of each episode, at least; where an action begins is always one."""
    most_records: int = MOST_RECORDS
    """By frame."""
    env_split: str = "train"
    codec: str = "jpeg"
    modalities: tuple[str, ...] = ("rgb", "depth")
    starts: tuple[str, ...] = STARTS
    first_seed: int = 1000

    def __post_init__(self) -> None:
        source = lookup("environment with spatial records", self.env, SOURCES)
        source.check(self.cameras, self.looks)
        for task in self.tasks:
            lookup(f"{self.env} task with spatial records", task, dict.fromkeys(source.tasks))
        lookup("form of pictures", self.codec, CODECS)
        for name in self.modalities:
            lookup("modality", name, dict.fromkeys(MODALITIES))
        if not self.looks:
            raise UsageError("Frames need a look, got none.")
        if "rgb" not in self.modalities:
            raise UsageError(f"Records are about pictures: modalities must name rgb, got {self.modalities}.")
        if self.height < SMALLEST or self.width < SMALLEST:
            raise UsageError(f"Pictures need {SMALLEST} pixels a side, got {self.height} x {self.width}.")
        if not 1 <= self.most_records <= MOST_RECORDS:
            raise UsageError(f"A frame has 1 to {MOST_RECORDS} records, got {self.most_records}.")
        if self.moments < 2:
            raise UsageError(f"An episode has 2 moments at least, its begin and its end, got {self.moments}.")
        if self.env_split in source.without_records:
            raise UsageError(
                f"In split {self.env_split!r} things happen that the actions do not tell; it has no records."
            )

    def plans(self) -> CollectionConfig:
        """The collection of the trajectories."""
        return CollectionConfig(
            env=self.env,
            tasks=self.tasks or SOURCES[self.env].tasks,
            episodes=self.episodes,
            cameras=catalogue.cameras(self.env)[:1],
            rgb=False,
            starts=self.starts,
            first_seed=self.first_seed,
            fps=catalogue.fps(self.env),
            split=self.env_split,
        )

    def drawing(self) -> Drawing:
        return Drawing(
            cameras=self.cameras or SOURCES[self.env].cameras,
            looks=self.looks,
            height=self.height,
            width=self.width,
            moments=self.moments,
            most_records=self.most_records,
            codec=self.codec,
            depth="depth" in self.modalities,
            segmentation="segmentation" in self.modalities,
        )


def ground(
    config: GroundConfig, path: Path | str, workers: int = 1, command: str = "", plans: Path | None = None
) -> GroundSet:
    """Make the set, or complete it. `plans`: trajectories of another set, to be drawn again differently."""
    path = Path(path)
    _open(config, path, command)
    store = collect(config.plans(), plans or path / "plans", workers, command)
    seen = SeenFrames()
    done = len(frame_files(path))
    for index in range(done):
        _remember(seen, path / "frames" / f"{index:06d}.safetensors")
    draw = partial(draw_one, store.path, config.env, config.drawing())
    frames = records = 0
    with ProgressLine("ground", len(store), done=done) as line:
        for drawn in ordered_map(draw, range(done, len(store)), workers):
            kept = [frame for frame in drawn.frames if seen.add(_group(frame.frame), frame.thumbnail)]
            drawn = without(drawn, kept)
            file = path / "frames" / f"{drawn.episode.index:06d}.safetensors"
            write_frames(file, drawn.episode, drawn.frames, drawn.names)
            frames += len(kept)
            records += sum(len(frame.records) for frame in kept)
            line.update(drawn.episode.index + 1, f"{frames} frames, {records} records")
    made = GroundSet(path)
    if len(made):
        write_card(path)
    else:
        raise DataError(
            f"No frame in {path} shows anything to ask about: cameras {', '.join(config.drawing().cameras)}, "
            f"{config.height} x {config.width} pixels. Larger pictures or another camera may help."
        )
    return made


def draw_one(plans: Path, env: str, drawing: Drawing, index: int) -> DrawnEpisode:
    episode = _store(plans)[index]
    return draw_episode(episode, SOURCES[env].scene(episode), drawing)


@lru_cache(maxsize=2)
def _store(path: Path) -> EpisodeStore:
    return EpisodeStore(path)


def _group(frame: GroundFrame) -> tuple[str, ...]:
    """Frames from other sides or under other looks are other frames, however alike they are."""
    return frame.camera.name, frame.look


def _remember(seen: SeenFrames, file: Path) -> None:
    opened = FrameFile.open(file)
    for number, small in enumerate(opened.thumbnails):
        seen.add(_group(from_jsonable(GroundFrame, opened.document("frame", number))), small)


def _open(config: GroundConfig, path: Path, command: str) -> None:
    if not (path / "ground.json").exists():
        info = GroundInfo(
            config=to_jsonable(config),
            templates=TEMPLATES,
            absent=ABSENT,
            command=command,
            versions={name: version(name) for name in PACKAGES},
        )
        write_atomic(path / "ground.json", to_json(info))
        return
    if differing := differences(read_ground_info(path).config, to_jsonable(config)):
        raise DataError(
            f"{path} holds another ground set: {'; '.join(differing)}. Name another folder, or the same "
            "settings to complete it."
        )
