"""Pages of several tables: what they say is what was measured, and what was not run is said."""

import json
import xml.etree.ElementTree as ET
from dataclasses import replace

import pytest
from evaluation_samples import chain, results
from rich.console import Console

from kinesight.evaluation.results import pooled
from kinesight.evaluation.tables import Minutes, ResultTable, to_tables, write_tables
from kinesight.types.decision import Event
from kinesight.types.errors import UsageError


@pytest.fixture
def tables() -> list[ResultTable]:
    rows = {"global": results(solved=0.5), "local": results(solved=1.0), "text": None}
    return [
        ResultTable("injection", "Injection", "Where the plan enters.", rows),
        ResultTable("one", "One row", "", {"global": results(solved=0.5), "other": None}),
        ResultTable("none", "Nothing yet", "", {"a": None}),
    ]


def test_record_holds_rates_differences_and_what_was_not_run(tmp_path, tables):
    write_tables(tmp_path, "Ablations", "by test", tables)
    record = json.loads((tmp_path / "tables.json").read_text())
    first, second = record["injection"]["rows"]
    assert (first["success_rate"], second["success_rate"]) == (0.5, 1.0)
    assert second["difference"] == 0.5
    assert second["only_this"] == 6
    assert record["injection"]["not_run"] == ["text"]
    assert record["one"]["rows"][0]["episodes"] == 12
    assert record["none"]["not_run"] == ["a"]


def test_page_names_every_row(tmp_path, tables):
    page = write_tables(tmp_path, "Ablations", "by <test>", tables).read_text()
    for name in ("global", "local", "text", "other", "Nothing yet", "not run", "by &lt;test&gt;"):
        assert name in page


def test_rows_of_several_commits_say_so(tmp_path):
    """Cells are found again by their recipes, whatever the code has become since."""
    old, new = (
        replace(results(solved=0.5), versions={"commit": commit}) for commit in ("0ddba11", "feedbee")
    )
    mixed = ResultTable("mixed", "Mixed", "", {"a": old, "b": new, "c": old})
    page = write_tables(tmp_path, "Ablations", "", [mixed]).read_text()
    assert "Measured at commit 0ddba11: a · c; commit feedbee: b." in page
    record = json.loads((tmp_path / "tables.json").read_text())
    assert record["mixed"]["commits"] == {"a": "0ddba11", "b": "feedbee", "c": "0ddba11"}
    assert pooled({0: old, 1: new}).versions["commit"] == "0ddba11, feedbee"
    alone = ResultTable("alone", "Alone", "", {"a": old})
    assert "Measured at commit 0ddba11." in write_tables(tmp_path, "Ablations", "", [alone]).read_text()


def test_errors_are_told_under_their_table(tmp_path):
    whole = results(solved=0.5)
    first, *others = whole.episodes
    events = (*first.events, Event(7, "error", "ValueError: <lost>"))
    broken = replace(first, success=False, steps=7, counts={"error": 1}, events=events)
    rows = {"global": whole, "local": replace(whole, episodes=(broken, *others))}
    page = write_tables(tmp_path, "Ablations", "", [ResultTable("a", "A", "", rows)]).read_text()
    told = "local: 1 of 12 episodes ended by an error, which counts as failure; the first: door-open, seed 0"
    assert told in page
    assert "ValueError: &lt;lost&gt;" in page
    (line,) = json.loads((tmp_path / "tables.json").read_text())["a"]["errors"]
    assert line.startswith(told)


def test_charts_are_pictures_of_their_own(tmp_path, tables):
    write_tables(tmp_path, "Ablations", "", tables)
    drawn = ET.parse(tmp_path / "injection.svg").getroot()
    space = "{http://www.w3.org/2000/svg}"
    dots = [float(dot.get("cx", "0")) for dot in drawn.iter(f"{space}circle")]
    assert len(dots) == 2
    assert dots[0] < dots[1]  # 50 % lies left of 100 %
    assert not (tmp_path / "none.svg").exists()


def test_terminal_shows_every_table(tables):
    shown = to_tables(tables)
    assert [table.row_count for table in shown] == [3, 2, 1]


def test_failures_costs_and_corrected_p_stand_in_record_page_and_terminal(tmp_path):
    rows = {"base": results(solved=1.0), "half": results(), "third": results(solved=1 / 3)}
    table = ResultTable(
        "parts",
        "Parts",
        "",
        {**rows, "broken": None, "later": None},
        {"broken": "ValueError: <bad> [shape]"},
        {"base": Minutes(12.5, 3.25), "half": Minutes(0.0, 2.0)},
    )
    page = write_tables(tmp_path, "Ablations", "", [table]).read_text()
    record = json.loads((tmp_path / "tables.json").read_text())["parts"]
    assert (record["not_run"], record["failed"]) == (["later"], {"broken": "ValueError: <bad> [shape]"})
    assert record["minutes"]["base"] == {"training": 12.5, "evaluation": 3.25}
    base, half, third = record["rows"]
    assert "holm_p" not in base
    assert (half["mcnemar_p"], third["mcnemar_p"]) == (pytest.approx(2 / 2**6), pytest.approx(2 / 2**8))
    assert (half["holm_p"], third["holm_p"]) == (pytest.approx(2 / 2**6), pytest.approx(4 / 2**8))
    for text in (
        "ValueError: &lt;bad&gt; [shape]",
        "12.5 + 3.2",
        "0.0 + 2.0",
        "corrected for the 2 comparisons",
        "Holm",
    ):
        assert text in page, text
    (drawn,) = to_tables([table])
    console = Console(width=80)
    with console.capture() as capture:
        console.print(drawn)
    shown = capture.get()
    lines = {line.split()[0]: line for line in shown.splitlines() if line.strip()}
    assert lines["half*"].split()[-2:] == [".031", ".031"]
    assert lines["third*"].split()[-2:] == [".008", ".016"]
    assert ("failed" in lines["broken"], "not run" in lines["later"]) == (True, True)
    assert "broken failed: ValueError: <bad> [shape]" in shown


def test_trainings_stand_beside_what_they_are_pooled_to(tmp_path):
    rates = {"base": (0.5, 1.0, 1.0), "half": (0.5, 0.5)}
    rows = {
        name: pooled({seed: results(solved=solved) for seed, solved in enumerate(found)})
        for name, found in rates.items()
    }
    failed = {"half": "seed 2: ValueError: <bad>", "broken": "seed 0: no disk"}
    table = ResultTable(
        "parts", "Parts", "", {**rows, "broken": None, "later": None}, failed, seeds=(0, 1, 2)
    )
    page = write_tables(tmp_path, "Ablations", "", [table]).read_text()
    record = json.loads((tmp_path / "tables.json").read_text())["parts"]
    by_training = {
        "base": "50.0 / 100.0 / 100.0, SD 28.9",
        "half": "50.0 / 50.0 / –, SD 0.0, difference +0.0 / −50.0 / –, 2 of 3 seeds",
    }
    assert (record["training_seeds"], record["by_training"]) == ([0, 1, 2], by_training)
    assert (record["not_run"], record["failed"]) == (["later"], failed)
    base, half = record["rows"]
    assert (base["episodes"], half["episodes"], half["difference"]) == (36, 24, -0.25)
    told = "12 cases a row, after the training with each of the seeds 0, 1, 2"
    for text in (
        *by_training.values(),
        told,
        "cameras and trainings of a layout",
        "seed 2: ValueError: &lt;bad&gt;",
    ):
        assert text in page, text
    (drawn,) = to_tables([table])
    console = Console(width=110)
    with console.capture() as capture:
        console.print(drawn)
    shown = " ".join(capture.get().split())
    assert "12 paired cases of 2 tasks after 3 trainings" in shown
    assert f"half by training: {by_training['half']}" in shown
    assert "half failed: seed 2: ValueError: <bad>" in shown
    assert drawn.row_count == 4  # what failed in part stands there once


def test_a_table_with_one_measured_row_tells_its_groups(tmp_path):
    table = ResultTable("one", "One", "", {"only": results(solved=0.5)})
    page = write_tables(tmp_path, "Ablations", "", [table]).read_text()
    (row,) = json.loads((tmp_path / "tables.json").read_text())["one"]["rows"]
    assert {name: group["successes"] for name, group in row["per_group"].items()} == {"easy": 3, "medium": 3}
    assert "difference" not in row
    assert "Differences are to" not in page


def test_a_page_needs_a_table(tmp_path):
    with pytest.raises(UsageError, match="one table"):
        write_tables(tmp_path, "Ablations", "", [])


def test_chains_are_counted_in_record_page_and_terminal(tmp_path):
    chains = [chain(seed, done) for seed, done in enumerate((0, 2, 5))]
    longer = [chain(seed, 5) for seed in range(3)]
    rows = {name: replace(results(), episodes=tuple(some)) for name, some in (("a", chains), ("b", longer))}
    table = ResultTable("chains", "Chains", "", {**rows, "c": None})
    page = write_tables(tmp_path, "Ablations", "", [table]).read_text()
    record = json.loads((tmp_path / "tables.json").read_text())["chains"]
    assert [record["chains"][name]["average"] for name in "ab"] == [pytest.approx(7 / 3), 5]
    assert "Tasks in a row" in page
    assert "2.33" in page
    assert [shown.row_count for shown in to_tables([table])] == [3, 2]
