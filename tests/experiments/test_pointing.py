"""From ground sets to a trained pointing model and its examined answers, on drawn squares."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from kinesight.cli.ground_training import train_on_ground
from kinesight.data.ground_file import DrawnFrame, encode_image, write_frames
from kinesight.data.ground_set import GroundSet
from kinesight.data.ground_windows import PATH, ground_questions_in_memory
from kinesight.evaluation.spatial_questions import RegionTruth
from kinesight.evaluation.spatial_score import score
from kinesight.experiments import pointing
from kinesight.experiments.pointing import (
    DIALECT,
    PointingRecipe,
    examined,
    load_pointing,
    other_pictures,
    replies,
    terms,
    train_pointing,
)
from kinesight.models.pointing import PointingConfig
from kinesight.training.config import TrainingConfig
from kinesight.types.camera import Camera
from kinesight.types.case import Case
from kinesight.types.errors import DataError, UsageError
from kinesight.types.files import write_atomic
from kinesight.types.ground import (
    Action,
    GroundEpisode,
    GroundFrame,
    GroundInfo,
    PathAnswer,
    Record,
    Region,
    RegionAnswer,
)
from kinesight.types.serial import to_json
from kinesight.types.spatial import ImagePath, ImagePoint

COLOURS = {"red": (220, 30, 30), "blue": (30, 60, 220)}
RECIPE = PointingRecipe(
    "tiny",
    ("point", "object-path"),
    PointingConfig(batch_size=4, image=32, width=8, features=16, hidden=8, shift=0),
    TrainingConfig(steps=2, warmup=1, log_every=1, save_every=1),
)


def make_set(path: Path, episodes: int = 4) -> Path:
    """One picture an episode: two squares, a point for each, a path between them; the last two are tests."""
    write_atomic(path / "ground.json", to_json(GroundInfo(config={}, templates={}, absent=())))
    camera = Camera("front", np.array([[40.0, 0, 32], [0, 40, 32], [0, 0, 1]]), np.eye(4), 64, 64)
    generator = np.random.default_rng(0)
    for index in range(episodes):
        picture = np.full((64, 64, 3), 90, np.uint8)
        records, centres = [], []
        subset = "train" if index < episodes - 2 else "test"
        for (name, colour), cell in zip(COLOURS.items(), generator.permutation(16)[:2], strict=True):
            mask = np.zeros((64, 64), bool)
            mask[16 * (cell // 4) :, 16 * (cell % 4) :][:16, :16] = True
            picture[mask] = colour
            centres.append(((cell % 4 + 0.5) / 4, (cell // 4 + 0.5) / 4))
            answer = RegionAnswer((ImagePoint(*centres[-1], name),), Region.of(mask))
            records.append(("point", f"Point at the {name} square.", answer))
        path_answer = PathAnswer(ImagePath(np.linspace(*centres, 8)))
        records.append(("object-path", "Move the red square to the blue one.", path_answer))
        episode = GroundEpisode(
            index, Case("tabletop", "pick-place", index, "front"), subset, "move it", 5,
            (Action("put", {}, "move it", 0, 5),),
        )  # fmt: skip
        drawn = DrawnFrame(
            GroundFrame(index, 0, camera, 0, "plain", {}, ()),
            encode_image(picture, "png"),
            np.zeros((16, 16, 3), np.uint8),
            np.zeros(3, np.float32),
            tuple(
                Record(f"{index:06d}/0.0/{kind}/{i}", kind, question, answer, subset, "train")
                for i, (kind, question, answer) in enumerate(records)
            ),
        )
        write_frames(path / "frames" / f"{index:06d}.safetensors", episode, [drawn])
    return path


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    root = tmp_path_factory.mktemp("ground")
    return [make_set(root / "a"), make_set(root / "b", 5)]


@pytest.fixture(scope="module")
def run(folders: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("run")
    train_pointing(RECIPE, folders, path)
    return path


def test_sets_are_read_as_they_are_written(folders: list[Path]) -> None:
    data = ground_questions_in_memory(GroundSet(folders[0], "train", RECIPE.types), 32, 8)
    assert (len(data), data.images.shape) == (6, (2, 32, 32, 3))
    assert data.frames.tolist() == [0, 0, 0, 1, 1, 1]
    for row in range(6):
        if data.kinds[row] == PATH:
            assert not data.regions[row].any()
            continue
        assert data.regions[row].sum() == 4 * 255
        colour = COLOURS[data.questions[row].split()[3]]
        inside = np.kron(data.regions[row] > 0, np.ones((4, 4), bool))
        assert (data.images[data.frames[row]][inside] == colour).all()


def test_test_questions_are_examined_in_order_and_answered_readably(folders: list[Path], run: Path) -> None:
    exam, model = examined(folders, "test", RECIPE), load_pointing(run)
    assert [question.text for question in exam.questions] == list(exam.data.questions)
    assert len(exam.questions) == 12
    assert len(set(exam.scenes)) == len(exam.scenes) == 4
    said = replies(model, exam)
    result = score(said, exam.questions, DIALECT)
    assert result.failures == ()
    points = [question for question in exam.questions if isinstance(question.truth, RegionTruth)]
    found = terms(said, points, "hit_rate").mean()
    assert found == pytest.approx(next(row.value for row in result.rows if row.metric == "hit_rate"))


def test_the_control_shows_every_question_another_scene(folders: list[Path]) -> None:
    exam = examined(folders, "test", RECIPE)
    shown = other_pictures(exam)
    assert shown == other_pictures(exam)
    pairs = zip(exam.data.frames, shown, strict=True)
    assert all(exam.scenes[own] != exam.scenes[other] for own, other in pairs)


def test_a_run_goes_on_and_refuses_other_data(folders: list[Path], run: Path) -> None:
    train_pointing(RECIPE, folders, run)
    with pytest.raises(DataError, match="holds another run"):
        train_pointing(RECIPE, folders[:1], run)
    with pytest.raises(DataError, match="holds another run"):
        train_pointing(replace(RECIPE, model=replace(RECIPE.model, hidden=16)), folders, run)
    with pytest.raises(DataError, match="holds no checkpoint"):
        load_pointing(run / "elsewhere")


def test_the_command_trains_it(folders: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(pointing.RECIPES, "tiny", RECIPE)
    train_on_ground("tiny", str(folders[0]), tmp_path / "run", more=False)
    assert load_pointing(tmp_path / "run").config == RECIPE.model
    with pytest.raises(UsageError, match="--data DIR"):
        train_on_ground("tiny", "", None, more=False)
    with pytest.raises(UsageError, match="without --stage"):
        train_on_ground("tiny", str(folders[0]), None, more=True)
