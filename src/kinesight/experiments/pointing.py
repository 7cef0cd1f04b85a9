"""Training the pointing model on ground sets, and its answers to their test questions.

A ground set is no collection of episodes and answers are no actions, so this is no `Recipe`; the model is
trained by the same loop into the same kind of folder: RUN/pointing/checkpoints, metrics.jsonl, recipe.json.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float

from kinesight.data.ground_set import GroundSet
from kinesight.data.ground_windows import (
    GroundBatches,
    GroundQuestions,
    ground_questions_in_memory,
    joined,
)
from kinesight.evaluation.ground_questions import question_of
from kinesight.evaluation.spatial_questions import Question, task_of
from kinesight.language.dialects.catalogue import dialect, write
from kinesight.language.words import Vocabulary
from kinesight.models.pointing import Pointing, PointingConfig, PointingFacts
from kinesight.nn.checkpoint import load_into, load_tensors
from kinesight.training.checkpoints import last_checkpoint, read_description
from kinesight.training.config import TrainingConfig
from kinesight.training.loop import train
from kinesight.types.errors import DataError
from kinesight.types.files import write_atomic
from kinesight.types.ground import PathAnswer, RegionAnswer
from kinesight.types.serial import differences, from_jsonable, parse_json, to_json, to_jsonable
from kinesight.types.spatial import ImagePath, ImagePoint, ImageSize

DIALECT = "json"
STAGE = "pointing"


@dataclass(frozen=True, slots=True)
class PointingRecipe:
    """What is learned, by what, and how."""

    name: str
    types: tuple[str, ...]
    """Of record; those that a point or a path answers."""
    model: PointingConfig
    training: TrainingConfig
    summary: str = ""


SMALL = PointingRecipe(
    name="pointing-small",
    types=("point", "gripper-path", "next-path", "object-path"),
    model=PointingConfig(),
    training=TrainingConfig(
        steps=1300, learning_rate=3e-3, weight_decay=1e-4, warmup=60, ema=0.995, log_every=50, save_every=250
    ),
    summary="pointing and paths on ground records, half an hour on one core; needs --data",
)
RECIPES: dict[str, PointingRecipe] = {SMALL.name: SMALL}


def read_questions(
    folders: Sequence[Path], subset: str, recipe: PointingRecipe, most_frames: int = 0
) -> GroundQuestions:
    """The questions of one subset of all the sets, in memory."""
    config = recipe.model
    parts = [
        ground_questions_in_memory(
            GroundSet(path, subset, recipe.types), config.image, config.grid, most_frames
        )
        for path in folders
    ]
    return joined(parts)


def train_pointing(recipe: PointingRecipe, folders: Sequence[Path], run: Path) -> Path:
    """Train, or go on; returns the last checkpoint. Test and validation questions are not read."""
    described = to_jsonable({"recipe": recipe, "data": [str(path) for path in folders]})
    file = run / "recipe.json"
    if file.exists():
        if differing := differences(parse_json(file.read_text(), str(file)), described):
            raise DataError(f"{run} holds another run: {'; '.join(differing)}. Name another folder.")
    else:
        write_atomic(file, to_json(described))
    data = read_questions(folders, "train", recipe)
    vocabulary = Vocabulary.from_sentences(data.questions)
    facts = PointingFacts(vocabulary.words)
    torch.manual_seed(recipe.training.seed)
    model = recipe.model.build(facts)
    source = GroundBatches.of(data, vocabulary, recipe.model.per_image)
    description = {
        "recipe": described["recipe"],
        "facts": to_jsonable(facts),
        "questions": len(data),
        "pictures": len(data.images),
    }
    batches = dict.fromkeys(model.streams, source)
    return train(model, batches, recipe.training, run / STAGE, description, name=recipe.name).checkpoint


def load_pointing(run: Path) -> Pointing:
    """The averaged weights of the run's last checkpoint."""
    checkpoint = last_checkpoint(run / STAGE / "checkpoints")
    if checkpoint is None:
        raise DataError(f"{run / STAGE} holds no checkpoint; train it first")
    description, where = read_description(checkpoint), f"{checkpoint}/config.json"
    recipe = from_jsonable(PointingRecipe, description["recipe"], where)
    model = recipe.model.build(from_jsonable(PointingFacts, description["facts"], where))
    weights = checkpoint / "ema.safetensors"
    load_into(model, {**load_tensors(checkpoint / "model.safetensors"), **load_tensors(weights)}, weights)
    return model.eval()


@dataclass(frozen=True, slots=True, eq=False)
class Examined:
    """Test questions with their truths, and what the model is shown of them."""

    data: GroundQuestions
    questions: tuple[Question, ...]
    """In the order of `data`."""
    scenes: tuple[str, ...]
    """Of each picture: the episode that it is from."""


def examined(folders: Sequence[Path], subset: str, recipe: PointingRecipe) -> Examined:
    spoken = dialect(DIALECT)
    questions, scenes = [], []
    for number, path in enumerate(folders):
        ground = GroundSet(path, subset, recipe.types)
        before, shown = -1, None
        for index in range(len(ground)):
            record = ground.record(index)
            if not isinstance(record.answer, RegionAnswer | PathAnswer):
                continue
            if (frame := ground.frame_of(index)) != before:
                before, shown = frame, ground.frame(frame)
                scenes.append(f"{number}/{shown.episode}")
            assert shown is not None, "read with the first record"
            asked = question_of(record, shown, spoken)
            questions.append(replace(asked, name=f"{number}/{asked.name}", text=record.question))
    return Examined(read_questions(folders, subset, recipe), tuple(questions), tuple(scenes))


def replies(
    model: Pointing, exam: Examined, pictures: Sequence[int] | None = None, batch: int = 64
) -> dict[str, str]:
    """The model's answer to each question as text; `pictures` are shown instead of the questions' own."""
    data = exam.data
    shown = data.frames if pictures is None else np.asarray(pictures)
    said = {}
    for start in range(0, len(data), batch):
        rows = range(start, min(start + batch, len(data)))
        asked = [data.questions[row] for row in rows]
        points, paths = model.answer(data.images[shown[list(rows)]], asked)
        for row, point, path in zip(rows, points, paths, strict=True):
            answer = (ImagePoint(float(point[0]), float(point[1])),)
            size = ImageSize(*data.images.shape[1:3])
            if exam.questions[row].group != "point":
                answer = ImagePath(path.astype(np.float64))
            said[exam.questions[row].name] = write(answer, size, DIALECT)
    return said


def other_pictures(exam: Examined, seed: int = 0) -> list[int]:
    """For each question a picture of another scene: what words alone can answer."""
    generator = np.random.default_rng(seed)
    scenes = np.array(exam.scenes)
    found = []
    for frame in exam.data.frames:
        others = np.flatnonzero(scenes != scenes[frame])
        if not len(others):
            raise DataError("pictures of one scene only cannot be exchanged")
        found.append(int(generator.choice(others)))
    return found


def terms(said: Mapping[str, str], questions: Sequence[Question], metric: str) -> Float[np.ndarray, "n"]:
    """The metric of each reply, all of which must be readable."""
    spoken = dialect(DIALECT)

    def measured(question: Question) -> float:
        task = task_of(question)
        value = task.read(said[question.name], question.truth, question.size, spoken)
        return task.measure(value, question.truth, question.size)[metric]

    return np.array([measured(question) for question in questions])
