"""Questions of a ground set as training batches: pictures, words, and where the answers lie.

The set is read once into memory: one small picture a frame, and for each question its words, the region
that is right (a coarse map) or the eight points of the path. An example is a picture with a few of its
questions, so that one look at the picture serves them all. A batch is a pure function of its seed.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from jaxtyping import Float32, Int64, UInt8

from kinesight.data.ground_set import GroundSet
from kinesight.geometry.paths import PATH_POINTS
from kinesight.interfaces.model import Windows
from kinesight.language.words import Vocabulary
from kinesight.types.arrays import Image
from kinesight.types.errors import DataError
from kinesight.types.ground import PathAnswer, Record, RegionAnswer

POINT, PATH = 0, 1
"""Kinds of question: point at something, give a path."""
LONGEST_QUESTION = 32
"""Words."""


@dataclass(frozen=True, slots=True, eq=False)
class GroundQuestions:
    """Pictures and questions in memory; rows of one frame follow each other."""

    names: tuple[str, ...]
    """Of the records."""
    questions: tuple[str, ...]
    images: UInt8[np.ndarray, "f y x 3"]
    frames: Int64[np.ndarray, "r"]
    """Picture of each question."""
    kinds: Int64[np.ndarray, "r"]
    """POINT or PATH."""
    regions: UInt8[np.ndarray, "r g g"]
    """Share of each cell of the picture that is right to point at, 0-255; zeros for paths."""
    paths: Float32[np.ndarray, "r 8 2"]
    """Shares of width and height; zeros for points."""

    def __len__(self) -> int:
        return len(self.names)

    def restricted(self, rows: Sequence[int]) -> "GroundQuestions":
        """These questions only, in this order; the pictures stay."""
        chosen = np.asarray(rows, np.int64)
        return GroundQuestions(
            tuple(self.names[row] for row in rows),
            tuple(self.questions[row] for row in rows),
            self.images,
            self.frames[chosen],
            self.kinds[chosen],
            self.regions[chosen],
            self.paths[chosen],
        )


def joined(parts: Sequence[GroundQuestions]) -> GroundQuestions:
    """Several sets as one; names get the number of their set."""
    offsets = np.cumsum([0, *(len(part.images) for part in parts)])
    return GroundQuestions(
        tuple(f"{number}/{name}" for number, part in enumerate(parts) for name in part.names),
        tuple(question for part in parts for question in part.questions),
        np.concatenate([part.images for part in parts]),
        np.concatenate([part.frames + offset for part, offset in zip(parts, offsets, strict=False)]),
        np.concatenate([part.kinds for part in parts]),
        np.concatenate([part.regions for part in parts]),
        np.concatenate([part.paths for part in parts]),
    )


@dataclass(frozen=True, slots=True, eq=False)
class GroundBatches:
    """What the training loop draws from: `batches(seeds, size)`."""

    data: GroundQuestions
    vocabulary: Vocabulary
    per_image: int
    """Questions of a picture in one example, drawn with replacement."""
    words: Int64[np.ndarray, "r n"]
    first: Int64[np.ndarray, "f"]
    """First row of each picture that has questions."""
    count: Int64[np.ndarray, "f"]

    @classmethod
    def of(cls, data: GroundQuestions, vocabulary: Vocabulary, per_image: int) -> "GroundBatches":
        if not len(data):
            raise DataError("there is no question to train on")
        if (np.diff(data.frames) < 0).any():
            raise DataError("questions must be in the order of their pictures")
        _, first, count = np.unique(data.frames, return_index=True, return_counts=True)
        return cls(data, vocabulary, per_image, encoded(data.questions, vocabulary), first, count)

    def __call__(self, seeds: Sequence[tuple[int, ...]], size: int) -> Iterator[Windows]:
        return (self.batch(seed, size) for seed in seeds)

    def batch(self, seed: tuple[int, ...], size: int) -> Windows:
        generator = np.random.default_rng(np.random.SeedSequence(seed))
        pictures = generator.integers(len(self.first), size=size)
        place = (generator.random((size, self.per_image)) * self.count[pictures, None]).astype(np.int64)
        rows = self.first[pictures, None] + place
        frames = self.data.frames[self.first[pictures]]
        arrays = {
            "image": self.data.images[frames],
            "words": self.words[rows],
            "kind": self.data.kinds[rows],
            "region": self.data.regions[rows],
            "path": self.data.paths[rows],
        }
        values = {name: torch.from_numpy(array)[:, None] for name, array in arrays.items()}
        valid = {name: torch.ones(size, 1, dtype=torch.bool) for name in values}
        return Windows(values, valid, tuple(self.data.questions[row] for row in rows[:, 0]))


def encoded(questions: Sequence[str], vocabulary: Vocabulary) -> Int64[np.ndarray, "r n"]:
    return np.stack([vocabulary.encode(question, LONGEST_QUESTION) for question in questions])


def ground_questions_in_memory(
    ground: GroundSet, size: int, grid: int, most_frames: int = 0
) -> GroundQuestions:
    """Every question of the set that is answered by a region or a path; pictures of `size` x `size` pixels.

    `most_frames` reads the first so many pictures only; 0 reads all.
    """
    rows: list[tuple[Record, int]] = []
    images: list[np.ndarray] = []
    number = -1
    for index in range(len(ground)):
        record = ground.record(index)
        if not isinstance(record.answer, RegionAnswer | PathAnswer):
            continue
        if ground.frame_of(index) != number:  # records of a frame follow each other
            if most_frames and len(images) == most_frames:
                break
            number = ground.frame_of(index)
            images.append(small(ground.image(number), size))
        rows.append((record, len(images) - 1))
    if not rows:
        raise DataError("the ground set has no question that a region or a path answers")
    return GroundQuestions(
        names=tuple(record.name for record, _ in rows),
        questions=tuple(record.question for record, _ in rows),
        images=np.stack(images),
        frames=np.array([frame for _, frame in rows], np.int64),
        kinds=np.array([PATH if isinstance(r.answer, PathAnswer) else POINT for r, _ in rows], np.int64),
        regions=np.stack([_region(record, grid) for record, _ in rows]),
        paths=np.stack([_path(record) for record, _ in rows]),
    )


def small(picture: Image, size: int) -> UInt8[np.ndarray, "height width 3"]:
    """The picture stretched to a square, averaged over what falls into a pixel."""
    if picture.shape[:2] == (size, size):
        return picture
    return np.asarray(cv2.resize(picture, (size, size), interpolation=cv2.INTER_AREA), np.uint8)


def _region(record: Record, grid: int) -> UInt8[np.ndarray, "g g"]:
    if not isinstance(record.answer, RegionAnswer):
        return np.zeros((grid, grid), np.uint8)
    mask = record.answer.region.mask().astype(np.float32) * 255
    shares = cv2.resize(mask, (grid, grid), interpolation=cv2.INTER_AREA)
    if not shares.any():  # a thing of a few pixels
        row, column = np.unravel_index(int(mask.argmax()), mask.shape)
        shares[int(row * grid / mask.shape[0]), int(column * grid / mask.shape[1])] = 255
    return np.ceil(shares).astype(np.uint8)


def _path(record: Record) -> Float32[np.ndarray, "8 2"]:
    if not isinstance(record.answer, PathAnswer):
        return np.zeros((PATH_POINTS, 2), np.float32)
    points = record.answer.path.points
    if len(points) != PATH_POINTS:
        raise DataError(f"{record.name}: a path of {PATH_POINTS} points was expected, got {len(points)}")
    return points.astype(np.float32)
