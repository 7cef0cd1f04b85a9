import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kinesight.language.plan_text import (
    PlanError,
    decode_plan,
    direction_id,
    direction_signs,
    encode_plan,
    format_plan,
    parse_plan,
)
from kinesight.types.plan import DIRECTIONS, MAX_ROWS, PAD_VERB, VERBS, PlanRow, SpatialPlan

laws = settings(max_examples=50, deadline=None)
signs = st.sampled_from((-1, 0, 1))
raw_rows = st.tuples(
    st.sampled_from([verb for verb in VERBS if verb != "pad"]),
    st.tuples(signs, signs, signs),
    st.floats(0, 50),
)
raw_plans = st.lists(raw_rows, max_size=13)


def plan_of(raw: list) -> SpatialPlan:
    return SpatialPlan(tuple(PlanRow(*row) for row in raw))


SAMPLE = "Plan:\n1. move [1, -1, -1] [0.07]\n2. grasp [0, 0, 0] [0.00]\n3. pull [0, 0, 1] [0.06]"
PAPERS = "Plan:\n1. move [-1, 0, 0] [0.19]\n2. move [0, 0, -1] [0.21]\n3. push [0, 0, 0] [0.00]"


@laws
@given(raw_plans)
def test_text_round_trip_is_exact_to_the_centimetre(raw):
    plan = plan_of(raw)
    back = parse_plan(format_plan(plan))
    assert [(row.verb, row.direction) for row in back.rows] == [
        (row.verb, row.direction) for row in plan.rows
    ]
    assert [row.distance_m for row in back.rows] == [float(f"{row.distance_m:.2f}") for row in plan.rows]
    assert parse_plan(format_plan(back)) == back


@laws
@given(raw_plans)
def test_id_round_trip_keeps_the_first_ten_rows(raw):
    plan = plan_of(raw)
    encoded = encode_plan(plan)
    assert [len(column) for column in (encoded.verbs, encoded.directions, encoded.distances_m)] == [
        MAX_ROWS
    ] * 3
    back = decode_plan(encoded)
    kept = plan.rows[:MAX_ROWS]
    assert [(row.verb, row.direction) for row in back.rows] == [(row.verb, row.direction) for row in kept]
    distances = ([row.distance_m for row in these] for these in (back.rows, kept))
    np.testing.assert_allclose(*distances, rtol=1e-6, atol=1e-30)


def test_direction_ids_cover_all_27():
    assert [direction_id(direction_signs(identity)) for identity in range(DIRECTIONS)] == list(
        range(DIRECTIONS)
    )
    assert direction_id((0, 0, 0)) == 13
    with pytest.raises(ValueError, match="27"):
        direction_signs(27)


@pytest.mark.parametrize(
    ("text", "verbs", "directions", "distances"),
    [
        (SAMPLE, [0, 2, 4], [18, 13, 14], [0.07, 0, 0.06]),
        (PAPERS, [0, 0, 3], [4, 12, 13], [0.19, 0.21, 0]),
    ],
)
def test_published_plans(text, verbs, directions, distances):
    plan = parse_plan(text)
    encoded = encode_plan(plan)
    assert encoded.verbs.tolist() == verbs + [PAD_VERB] * 7
    assert encoded.directions.tolist() == directions + [13] * 7
    np.testing.assert_allclose(encoded.distances_m, distances + [0] * 7, atol=1e-7)
    assert format_plan(plan) == text


@pytest.mark.parametrize(
    "text",
    [
        "\n Plan: \n\n  1.  move [ -1,0 , 0 ][0.19] \r\n",
        "Plan:\n1. move [-1, 0, 0] [0.190]",
        "Plan:\n1. move[-1,0,0] [00.19]",
    ],
)
def test_spaces_do_not_matter(text):
    assert parse_plan(text) == SpatialPlan((PlanRow("move", (-1, 0, 0), 0.19),))


def test_a_header_alone_is_the_empty_plan():
    assert parse_plan("Plan:\n") == SpatialPlan(())
    assert format_plan(SpatialPlan(())) == "Plan:"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "plan: expected the header 'Plan:'"),
        (" \n\t\n", "plan: expected the header"),
        ("1. move [0, 0, 0] [0.10]", "plan line 1: expected the header 'Plan:', got '1. move"),
        ("plan:\n1. move [0, 0, 0] [0.10]", "plan line 1: expected the header"),
        ("Sure!\nPlan:\n1. move [0, 0, 0] [0.10]", "plan line 1: expected the header"),
        ("Plan:\n1. pusch [0, 0, 0] [0.10]", r"plan line 2: .*\(nearest: push\), got 'pusch'"),
        ("Plan:\n1. Move [0, 0, 0] [0.10]", r"\(nearest: move\), got 'Move'"),
        ("Plan:\n1. pad [0, 0, 0] [0.00]", "one of the verbs .* got 'pad'"),
        ("Plan:\n1. xyzzy [0, 0, 0] [0.10]", "verbs move, reach, grasp, .* rotate, got 'xyzzy'"),
        ("Plan:\n1. move 0, 0, 0 [0.10]", "plan line 2: expected a row such as"),
        ("Plan:\n1. move [0, 0, 0 [0.10]", "expected a row such as"),
        ("Plan:\n1. move [0, 0, 0]", "expected a row such as"),
        ("Plan:\n1. move [0, 0, 0] [0.10] [0.20]", "expected a row such as"),
        ("Plan:\n1. move [0, 0, 0] [0.10] slowly", "expected a row such as"),
        ("Plan:\nmove [0, 0, 0] [0.10]", "expected a row such as"),
        ("Plan:\n1. move [0, 0, 2] [0.10]", r"each -1, 0 or 1, got '\[0, 0, 2\]'"),
        ("Plan:\n1. move [0, 0] [0.10]", "three signs"),
        ("Plan:\n1. move [0, 0, 0, 0] [0.10]", "three signs"),
        ("Plan:\n1. move [] [0.10]", "three signs"),
        ("Plan:\n1. move [0, 0.5, 0] [0.10]", "three signs"),
        ("Plan:\n1. move [left, 0, 0] [0.10]", "three signs"),
        ("Plan:\n1. move [0, 0, 0] [far]", "a distance in metres"),
        ("Plan:\n1. move [0, 0, 0] []", "a distance in metres"),
        ("Plan:\n1. move [0, 0, 0] [nan]", "a distance in metres"),
        ("Plan:\n1. move [0, 0, 0] [inf]", "a distance in metres"),
        ("Plan:\n1. move [0, 0, 0] [" + "9" * 400 + "]", "a distance in metres"),
        ("Plan:\n1. move [0, 0, 0] [-0.10]", "not negative"),
        ("Plan:\n1. move [0, 0, 0] [0.1 m]", "a distance in metres"),
        ("Plan:\n1. move [0, 0, 0] [٣]", "a distance in metres"),
        (SAMPLE.replace("2.", "1."), "plan line 3: expected row number '2.', got '1.'"),
        (SAMPLE.replace("3.", "4."), "plan line 4: expected row number '3.', got '4.'"),
        (SAMPLE + "\nGood luck!", "plan line 5: expected a row"),
        ("Plan:\n" + "1. move [0, 0, 0] [0.10]\n" * 5000, "at most 10000 characters"),
    ],
)
def test_bad_text_names_line_and_expectation(text, message):
    with pytest.raises(PlanError, match=message):
        parse_plan(text)


@laws
@given(st.text(max_size=200))
def test_any_text_is_a_plan_or_a_plan_error(text):
    for candidate in (text, "Plan:\n1. move " + text, SAMPLE + text):
        try:
            plan = parse_plan(candidate)
        except PlanError:
            continue
        assert parse_plan(format_plan(plan)).rows == plan.rows or any(r.distance_m % 0.01 for r in plan.rows)


def test_long_lines_are_shortened_in_the_message():
    with pytest.raises(PlanError) as error:
        parse_plan("Plan:\n" + "x" * 9000)
    assert len(str(error.value)) < 200
