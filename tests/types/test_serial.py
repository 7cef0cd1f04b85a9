"""What is written is read back; anything else is refused with its place and the nearest name."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from jaxtyping import Float

from kinesight.types.camera import Camera
from kinesight.types.case import Case
from kinesight.types.errors import DataError
from kinesight.types.results import EpisodeResult
from kinesight.types.serial import differences, from_json, from_jsonable, parse_json, to_json, to_jsonable


@dataclass(frozen=True)
class Left:
    width: int = 1


@dataclass(frozen=True)
class Right:
    width: int = 1
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Recipe:
    stage: Left | Right
    second: Left | Right | None = None
    stages: tuple[Left | Right, ...] = ()
    pair: tuple[int, float] = (1, 0.5)
    ids: Mapping[int, str] | None = None
    rate: float = 1.0
    kind: Literal["a", "b"] = "a"
    case: Case | None = None
    where: Path = Path("x")
    rest: Any = None


recipes = st.builds(
    Recipe,
    stage=st.builds(Left, width=st.integers()) | st.builds(Right, names=st.tuples(st.text())),
    second=st.none() | st.builds(Left),
    stages=st.tuples(st.builds(Left), st.builds(Right)),
    pair=st.tuples(st.integers(), st.floats(allow_nan=False)),
    ids=st.none() | st.dictionaries(st.integers(), st.text()),
    rate=st.floats(allow_nan=False),
    kind=st.sampled_from(["a", "b"]),
    case=st.none() | st.builds(Case, start=st.sampled_from(["standard", "shifted"])),
    where=st.just(Path("a/b")),
    rest=st.none() | st.lists(st.integers()) | st.dictionaries(st.text(), st.booleans()),
)


@settings(deadline=None)
@given(recipe=recipes)
def test_round_trip(recipe):
    text = to_json(recipe)
    json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert from_json(Recipe, text) == recipe
    assert to_json(from_json(Recipe, text)) == text


@settings(deadline=None)
@given(
    array=hnp.arrays(
        st.sampled_from([np.dtype(t) for t in ("float64", "float32", "uint8", "int64", "bool")]),
        hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4),
    )
)
def test_arrays_keep_type_shape_and_bits(array):
    back = from_json(np.ndarray, to_json(array))
    assert back.dtype == array.dtype
    np.testing.assert_array_equal(back, array)


def test_camera_round_trip_is_exact():
    camera = Camera("corner", np.eye(3) * 0.1 + 1 / 3, np.eye(4), 96, 128)
    back = from_json(Camera, to_json(camera))
    assert np.array_equal(back.K, camera.K)
    assert (back.name, back.height, back.width) == ("corner", 96, 128)


def test_results_round_trip():
    result = EpisodeResult(
        Case("m", "t", 3, "c"), True, 9, {"plans": 2}, {"wall": 0.25}, {"jerk": float("inf")}
    )
    assert from_json(EpisodeResult, to_json(result)) == result


CASE = {"env": "m", "task": "t", "seed": 1, "camera": "c"}
GOOD = to_jsonable(Recipe(Left()))
BAD = [
    (Case, {**CASE, "sed": 1}, "'sed'. Did you mean 'seed'?"),
    (Case, {"env": "m", "task": "t", "camera": "c"}, "'seed' is missing"),
    (Case, {**CASE, "seed": "1"}, "expected a whole number, got '1' @ Case.seed"),
    (Case, {**CASE, "seed": True}, "expected a whole number"),
    (Case, {**CASE, "start": "odd"}, "start must be one of standard, shifted"),
    (Case, [1], "expected an object with the fields of Case"),
    (Recipe, {**GOOD, "stage": {"type": "Lft"}}, "Did you mean 'Left'"),
    (Recipe, {**GOOD, "stage": {"width": 1}}, "one of Left, Right"),
    (Recipe, {**GOOD, "stages": [{"type": "Right", "names": "abc"}]}, "expected a list, got 'abc'"),
    (Recipe, {**GOOD, "stages": [{"type": "Left"}, 3]}, "@ Recipe.stages[1]"),
    (Recipe, {**GOOD, "pair": [1]}, "expected 2 values, got 1"),
    (Recipe, {**GOOD, "ids": {"one": "x"}}, "expected a whole number, got 'one'"),
    (Recipe, {**GOOD, "kind": "c"}, "Unknown value 'c'. Available: a, b."),
    (Recipe, {**GOOD, "rate": "fast"}, "expected a number"),
]


@pytest.mark.parametrize(("cls", "data", "message"), BAD, ids=[message for _, _, message in BAD])
def test_bad_documents_are_answered(cls, data, message):
    with pytest.raises(DataError, match=re.escape(message)) as raised:
        from_jsonable(cls, data, "recipe.json")
    assert str(raised.value).startswith("recipe.json: ")


def test_arrays_of_another_shape_are_refused():
    with pytest.raises(DataError, match="3 3"):
        from_jsonable(Float[np.ndarray, "3 3"], to_jsonable(np.zeros(4)))
    with pytest.raises(DataError, match="dtype, shape, values"):
        from_jsonable(np.ndarray, [1, 2])


def test_text_that_is_no_json_names_its_file():
    with pytest.raises(DataError, match=r"recipe.json: no valid JSON"):
        parse_json("{", "recipe.json")


def test_objects_without_a_json_form_are_refused():
    with pytest.raises(TypeError, match="object has no JSON form"):
        to_jsonable({"a": object()})


def test_lists_of_other_members_differ_by_their_names():
    there = {"stages": [{"name": "lam", "steps": 1}], "seeds": [1, 2]}
    here = {"stages": [{"name": "lam", "steps": 2}, {"name": "policy"}], "seeds": [1]}
    assert differences(there, here) == [
        "stages are lam there and lam, policy here",
        "seeds is [1, 2] there and [1] here",
    ]
    assert differences(there, {**there, "stages": here["stages"][:1]}) == [
        "stages.lam.steps is 1 there and 2 here"
    ]
