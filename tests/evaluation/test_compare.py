"""Paired comparison: its numbers, its refusals, its three forms."""

import json
from dataclasses import replace

import pytest
from evaluation_samples import results
from rich.console import Console

from kinesight.evaluation.compare import Comparison, compare, to_json, to_table
from kinesight.types.errors import UsageError


def test_the_numbers() -> None:
    comparison = compare([results("first", 0.5), results("second", 1.0)])
    first, second = comparison.rows
    assert first.paired is None
    assert second.paired is not None
    assert second.success.rate == 1.0
    assert second.paired.difference == 0.5
    assert (second.paired.only_first, second.paired.only_second) == (6, 0)
    assert second.paired.mcnemar_p == pytest.approx(2 * 0.5**6)
    assert second.layout_p is None


def test_order_of_the_episodes_does_not_matter() -> None:
    second = results("second", 0.8)
    shuffled = replace(second, episodes=second.episodes[::-1])
    assert compare([results("first"), second]) == compare([results("first"), shuffled])


def test_cameras_of_a_layout_are_swapped_together() -> None:
    cameras = ("corner", "corner2", "corner3")
    one = [results("a", 0.5), results("b", 1.0)]
    three = [results("a", 0.5, cameras=cameras), results("b", 1.0, cameras=cameras)]
    single, repeated = compare(one).rows[1], compare(three).rows[1]
    assert single.paired is not None
    assert repeated.paired is not None
    assert repeated.layout_p == pytest.approx(single.paired.mcnemar_p)
    assert repeated.paired.mcnemar_p < single.paired.mcnemar_p


def test_refusals_say_what_differs() -> None:
    one = results("one")
    with pytest.raises(UsageError, match="'shifted', two on 'standard'"):
        compare([one, replace(results("two"), protocol="standard")])
    fewer = replace(results("two"), episodes=one.episodes[1:])
    with pytest.raises(
        UsageError, match=r"1 only in one .door-open seed 0 corner shifted.; none only in two"
    ):
        compare([one, fewer])
    assert len(compare([one, fewer], common=True).cases) == 11
    with pytest.raises(UsageError, match="two results or more, got 1"):
        compare([one])
    with pytest.raises(UsageError, match="no case is common"):
        compare([replace(one, episodes=one.episodes[:1]), fewer], common=True)


def test_equal_names_are_numbered() -> None:
    assert [row.name for row in compare([results(), results()]).rows] == [
        "spatial policy (1)",
        "spatial policy (2)",
    ]


def test_json_and_table_hold_the_same_numbers() -> None:
    comparison = compare([results("first", 0.5), results("[second]", 1.0)])
    record = to_json(comparison)["rows"][1]
    assert json.loads(json.dumps(record))["difference"] == 0.5
    text = printed(comparison, 80)
    for part in ("[second]*", "+50.0", ".031", "6/0", "privileged: scene"):
        assert part in text
    assert "McNemar" in text


def test_the_table_fits_in_80_columns() -> None:
    cameras = ("corner", "corner2", "corner3")
    names = ("spatial policy", "shuffled goals", "oracle goals")
    rows = [results(name, rate, cameras=cameras) for name, rate in zip(names, (1.0, 0.0, 0.5), strict=True)]
    text = printed(compare(rows), 80)
    assert "…" not in text, text
    for name in names:
        (line,) = [line for line in text.splitlines() if f"{name}*" in line]
        assert len(line.rstrip()) <= 80


def printed(comparison: Comparison, width: int) -> str:
    console = Console(width=width)
    with console.capture() as capture:
        console.print(to_table(comparison))
    return capture.get()
