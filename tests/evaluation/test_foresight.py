"""Foresight over episodes: each counts once, and the summary of results has it."""

from dataclasses import replace
from pathlib import Path

import pytest

from kinesight.evaluation.foresight import foresight_of, foresight_table
from kinesight.evaluation.report import write_report
from kinesight.evaluation.results import Results, read_results, summarize
from kinesight.types.case import Case
from kinesight.types.decision import Event
from kinesight.types.results import EpisodeResult
from kinesight.types.serial import to_jsonable


def foreseen(**values: float) -> Event:
    named = {name.replace("__", "/").replace("_", " "): value for name, value in values.items()}
    return Event(4, "foresight", "predicted at step 0", values=named)


def episode(seed: int, *events: Event) -> EpisodeResult:
    return EpisodeResult(Case("toy", "push", seed, "front"), True, 9, {}, {}, {}, events)


EPISODES = (
    episode(
        0,
        foreseen(present__4=0.2, true_codes__4=0.1),
        foreseen(present__4=0.4, codes_right=0.5, other_codes_right=0.25),
    ),
    episode(1, foreseen(present__4=0.5, present__8=0.7), Event(1, "judge", "", values={"present/4": 9.0})),
    episode(2),
)


def test_an_episode_counts_once_however_many_moments_it_has() -> None:
    found = foresight_of(EPISODES)
    assert {name: (mean.mean, mean.episodes) for name, mean in found.items()} == {
        "present/4": (pytest.approx(0.4), 2),
        "true codes/4": (pytest.approx(0.1), 1),
        "codes right": (0.5, 1),
        "other codes right": (0.25, 1),
        "present/8": (0.7, 1),
    }
    assert found["present/4"].bootstrap_95 == (pytest.approx(0.3), pytest.approx(0.5))
    assert foresight_of(EPISODES[2:]) == {}
    assert foresight_table(EPISODES[2:]) is None


def test_the_table_has_a_row_for_every_distance() -> None:
    deep = (
        *EPISODES,
        episode(3, Event(4, "foresight", "", values={"depth_m/4": 0.03, "depth_m present/4": 0.01})),
    )
    table = foresight_table(deep)
    assert table is not None
    assert table.columns == ("present", "true codes")
    values = [(steps, [mean and round(mean.mean, 6) for mean in means]) for steps, means in table.rows]
    assert values == [(4, [0.4, 0.1]), (8, [0.7, None])]
    assert table.codes_right is not None
    assert table.other_right is not None
    assert (table.codes_right.mean, table.other_right.mean) == (0.5, 0.25)
    ((steps, mean, present),) = table.depth_m
    assert present is not None
    assert (steps, mean.mean, present.mean) == (4, 0.03, 0.01)


def test_values_of_before_are_passed_over() -> None:
    old = episode(0, Event(4, "foresight", "", values={"frame_error": 0.1, "codes_right": 1.0, "a/b": 2.0}))
    assert foresight_of([old]) == {}
    assert foresight_table([old]) is None


def test_results_and_page_have_it(tmp_path: Path) -> None:
    results = Results("ssm", "shifted", EPISODES)
    assert to_jsonable(summarize(results))["foresight"]["present/8"] == {
        "episodes": 1,
        "mean": 0.7,
        "bootstrap_95": [0.7, 0.7],
    }
    text = write_report(tmp_path, results).read_text()
    assert "What was foreseen" in text
    assert "0.400 (0.300–0.500)" in text
    assert (
        "50.0 % of the predicted codes are the true ones, and 25.0 % of those of the moment compared before."
        in text
    )
    assert read_results(tmp_path).episodes[0].events[0].values["present/4"] == 0.2
    nothing = write_report(tmp_path / "none", replace(results, episodes=EPISODES[2:])).read_text()
    assert "What was foreseen" not in nothing
