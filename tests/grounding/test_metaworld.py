"""Meta-World's trajectories drawn again: what is moved, the named parts, other lights."""

from pathlib import Path

import numpy as np
import pytest

from kinesight.collection.grounding.make import GroundConfig, ground
from kinesight.collection.grounding.metaworld import TASKS
from kinesight.collection.grounding.scene import GRIPPER
from kinesight.collection.grounding.templates import TEMPLATES
from kinesight.data.episodes import EpisodeStore
from kinesight.data.ground_set import GroundSet
from kinesight.envs import catalogue
from kinesight.envs.metaworld import segment_names
from kinesight.envs.metaworld_tables import INSTRUCTIONS
from kinesight.geometry.camera import project
from kinesight.types.errors import UnknownName
from kinesight.types.ground import PathAnswer
from kinesight.types.observation import ViewRequest


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> GroundSet:
    config = GroundConfig(
        "metaworld", ("door-open",), 1, ("corner",), ("own", "random"), 96, 96, 2, codec="png"
    )
    return ground(config, tmp_path_factory.mktemp("metaworld") / "door")


def test_the_first_frame_is_what_the_environment_shows(door: GroundSet):
    environment = catalogue.make_case(door.episodes[0].case)
    environment.reset()
    seen = environment.observe(ViewRequest(cameras=("corner",), height=96, width=96)).views["corner"].rgb
    np.testing.assert_array_equal(door.image(0), seen)
    assert door.frame(1).look == "random"
    assert np.abs(door.image(1).astype(int) - seen).mean() > 3
    assert door.frame(1).things == door.frame(0).things, "another light moves nothing"


def test_its_handle_is_asked_for_and_its_path_is_the_recorded_one(door: GroundSet):
    records = [door.record(i) for i in range(len(door))]
    (action,) = door.episodes[0].actions
    assert (action.template, action.text) == ("open", "open the door")
    assert any(r.type == "part" and "the handle of the door" in r.question for r in records)
    arrays = EpisodeStore(door.path / "plans")[0].arrays
    ends = {"object-path": arrays["scene.target"], "gripper-path": arrays["proprio"][:, :3]}
    compared = 0
    for i, record in enumerate(records):
        if record.type in ends and isinstance(record.answer, PathAnswer):
            camera = door.frame(door.frame_of(i)).camera
            expected = project(ends[record.type][[0, -1]].astype(np.float64), camera)
            np.testing.assert_allclose(record.answer.path.points[[0, -1]] * 96, expected, atol=0.01)
            compared += 1
    assert compared >= 2
    assert GRIPPER in {thing.name for thing in door.frame(0).things}


def test_tasks_and_templates_of_the_tables_exist():
    assert set(TASKS) <= set(INSTRUCTIONS)
    assert {words.template for words in TASKS.values()} <= set(TEMPLATES)
    for words in TASKS.values():
        assert words.moved in words.things
        assert {thing for thing, _ in words.parts} <= set(words.things)


def test_looks_of_the_table_top_are_not_its(tmp_path: Path):
    with pytest.raises(UnknownName, match=r"look 'slate'.*Available: own, random"):
        GroundConfig("metaworld", ("door-open",), 1, looks=("slate",))
    with pytest.raises(UnknownName, match=r"Did you mean 'door-open'"):
        GroundConfig("metaworld", ("door-opn",), 1)


@pytest.mark.slow
@pytest.mark.parametrize("task", TASKS)
def test_every_named_body_is_in_the_model(task: str):
    names = {name.partition("/")[::2] for name in segment_names(task).values()}
    assert set(TASKS[task].things) <= {thing for thing, _ in names}
    found = set(TASKS[task].parts) & names
    assert {TASKS[task].parts[part] for part in found} == set(TASKS[task].parts.values())
