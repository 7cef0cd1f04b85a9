"""Paired comparison: its numbers, its refusals, its three forms."""

import json
from dataclasses import replace

import pytest
from evaluation_samples import results
from rich.console import Console

from kinesight.cli.console import CONSOLE, show_results
from kinesight.evaluation.compare import Comparison, compare, tabulate, to_group_table, to_table
from kinesight.evaluation.compare_record import to_json
from kinesight.evaluation.results import Results, pooled
from kinesight.evaluation.statistics import PairedCounts, Proportion, mcnemar
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


def test_trainings_are_paired_by_their_seed() -> None:
    base = pooled({seed: results("base", solved) for seed, solved in enumerate((0.5, 0.5, 1.0))})
    other = pooled({seed: results("other", solved) for seed, solved in enumerate((1.0, 0.5, 0.5))})
    comparison = tabulate({"base": base, "other": other})
    first, second = comparison.rows
    assert (comparison.trainings, len(comparison.cases), comparison.layouts) == (3, 12, 12)
    assert [rate.rate for rate in first.per_training.values()] == [0.5, 0.5, 1.0]
    assert first.success == second.success == Proportion(24, 36)
    assert second.differences == {0: 0.5, 1: 0.0, 2: -0.5}
    assert second.paired == PairedCounts(18, 6, 6, 6)
    assert second.paired is not None
    assert second.paired.mcnemar_p == 1.0
    record = to_json(comparison)
    assert record["trainings"] == 3
    assert record["rows"][1]["per_training"]["2"]["difference"] == -0.5
    assert "difference" not in record["rows"][0]["per_training"]["2"]


def test_a_layout_is_one_unit_over_all_trainings() -> None:
    once = tabulate({"base": results("base", 0.5), "other": results("other", 1.0)}).rows[1]
    same = {name: pooled(dict.fromkeys(range(3), results(name, s))) for name, s in (("a", 0.5), ("b", 1.0))}
    thrice = tabulate(same).rows[1]
    assert once.paired is not None
    assert thrice.paired is not None
    assert thrice.paired.mcnemar_p < once.paired.mcnemar_p  # a copy of what was measured is no evidence
    assert thrice.p == thrice.layout_p == pytest.approx(once.paired.mcnemar_p)


def test_rows_are_compared_over_the_trainings_that_both_have() -> None:
    three = pooled({seed: results("base", 0.5) for seed in range(3)})
    one = pooled({2: results("other", 1.0)})
    none = pooled({7: results("apart", 1.0)})
    base, other, apart = tabulate({"base": three, "other": one, "apart": none}).rows
    assert (base.success.episodes, other.success.episodes) == (36, 12)
    assert other.differences == {2: 0.5}
    assert other.paired is not None
    assert other.paired.pairs == 12
    assert other.p == pytest.approx(2 * 0.5**6)
    assert (apart.paired, apart.p, apart.holm_p) == (None, None, None)
    assert other.holm_p == other.p  # there is one comparison


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


def solving(name: str, easy: float, medium: float) -> Results:
    """Shares of the seeds of door-open and of hammer."""
    made = results(name, seeds=10)
    share = {"door-open": 10 * easy, "hammer": 10 * medium}
    episodes = tuple(replace(e, success=e.case.seed < share[e.case.task]) for e in made.episodes)
    return replace(made, episodes=episodes)


def test_every_group_is_compared_on_its_own() -> None:
    comparison = compare([solving("agent", 1.0, 0.2), solving("control", 0.3, 0.4)])
    assert list(comparison.groups) == ["easy", "medium"]
    easy, medium = (group.rows[1] for group in comparison.groups.values())
    assert (easy.success.successes, medium.success.successes) == (3, 4)
    assert easy.paired is not None
    assert medium.paired is not None
    assert (easy.paired.only_first, easy.paired.only_second) == (0, 7)
    assert easy.paired.mcnemar_p == mcnemar(0, 7)
    assert (medium.paired.difference, medium.paired.mcnemar_p) == (0.2, mcnemar(2, 0))
    _, record = json.loads(json.dumps(to_json(comparison)))["rows"]
    assert record["per_task"]["door-open"]["successes"] == 3
    assert record["per_group"]["easy"]["mcnemar_p"] == mcnemar(0, 7)
    assert record["per_group"]["medium"]["episodes"] == 10
    assert record["successes"] == sum(group["successes"] for group in record["per_group"].values())


def test_tasks_of_one_group_are_not_grouped() -> None:
    one = replace(results(), episodes=results().of_task("hammer"))
    comparison = compare([one, one])
    assert comparison.groups == {}
    assert to_json(comparison)["rows"][1]["per_group"] == {}


def test_p_is_corrected_for_the_number_of_rows() -> None:
    rows = [
        solving("agent", 1.0, 1.0),
        solving("a", 0.0, 1.0),
        solving("b", 1.0, 0.9),
        solving("c", 0.9, 0.4),
    ]
    first, *others = compare(rows).rows
    assert first.holm_p is None
    raw = [row.paired.mcnemar_p for row in others if row.paired is not None]
    assert raw == [mcnemar(0, 10), mcnemar(0, 1), mcnemar(0, 7)]
    assert [row.holm_p for row in others] == pytest.approx([3 * raw[0], 1.0, 2 * raw[2]])
    assert all(row.holm_p is None for group in compare(rows).groups.values() for row in group.rows)


def test_tasks_can_be_chosen() -> None:
    rows = [solving("agent", 1.0, 0.2), solving("control", 0.3, 0.4)]
    chosen = compare(rows, tasks=["hammer"])
    assert chosen.tasks == ("hammer",)
    first, second = compare(rows).groups["medium"].rows
    assert chosen.rows == (first, replace(second, holm_p=mcnemar(2, 0)))
    # One that was not measured is named; of what all have, only on demand.
    with pytest.raises(UsageError, match="agent was not measured on door-close; it was on door-open"):
        compare(rows, tasks=["door-open", "door-close"])
    assert compare(rows, tasks=["door-open", "door-close"], common=True).tasks == ("door-open",)
    with pytest.raises(UsageError, match="not measured on door-close"):
        compare(rows, tasks=["door-close"], common=True)


def test_other_tasks_do_not_stand_in_the_way_of_the_chosen() -> None:
    whole, part = results("whole"), results("part")
    part = replace(part, episodes=part.of_task("hammer"))
    with pytest.raises(UsageError, match="6 only in whole"):
        compare([whole, part])
    assert compare([whole, part], tasks=["hammer"]).cases == part.cases


def test_a_table_of_one_row_compares_nothing() -> None:
    only = tabulate({"alone": solving("agent", 1.0, 0.2)})
    (row,) = only.rows
    assert (row.name, row.paired, row.holm_p) == ("alone", None, None)
    assert [group.rows[0].success.rate for group in only.groups.values()] == [1.0, 0.2]


def test_the_terminal_shows_every_row_by_group(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    rows = {"agent": solving("agent", 1.0, 0.2), "shuffled goals": solving("shuffled goals", 0.3, 0.4)}
    with CONSOLE.capture() as capture:
        show_results(rows)
    lines = [line.rstrip() for line in capture.get().splitlines()]
    assert max(map(len, lines)) <= 80
    # The agent's own groups stand under its tasks, those of all rows in a table of their own.
    own = [
        line.split()[:2] for line in lines if line.split()[:1] in (["hammer"], ["easy"], ["medium"], ["all"])
    ]
    assert own == [["hammer", "2/10"], ["easy", "10/10"], ["medium", "2/10"], ["all", "12/20"]]
    assert next(line for line in reversed(lines) if "shuffled goals*" in line).split("*")[1].split() == [
        "30", "(11–60)", "40", "(17–69)",
    ]  # fmt: skip


def test_four_groups_fit_in_80_columns() -> None:
    part = compare([solving("agent", 1.0, 0.2), solving("avdc-replan oracle", 0.3, 1.0)])
    names = ("easy", "medium", "hard", "very hard")
    four = replace(part, groups=dict.fromkeys(names, part.groups["medium"]))
    console = Console(width=80)
    with console.capture() as capture:
        console.print(to_group_table(four))
    text = capture.get()
    assert "…" not in text, text
    for name in (*names, "avdc-replan oracle*", "100 (72–100)"):
        assert name in text


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
