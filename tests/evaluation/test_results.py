"""`results.json`: the round trip, the keys, and what is refused by name."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from evaluation_samples import results

from kinesight.evaluation.provenance import git_commit, hardware, versions
from kinesight.evaluation.results import Results, read_results, summarize, write_results
from kinesight.types.errors import DataError

KEYS = [
    "schema", "agent", "recipe", "checkpoints", "privileged", "protocol",
    "versions", "hardware", "command", "episodes", "summary", "rows",
]  # fmt: skip


def test_round_trip(tmp_path: Path) -> None:
    written = results()
    write_results(tmp_path, written)
    assert read_results(tmp_path) == written
    assert read_results(tmp_path / "results.json") == written


def test_keys_are_those_of_the_design(tmp_path: Path) -> None:
    document = json.loads(write_results(tmp_path, results()).read_text())
    assert list(document) == KEYS
    episode = document["episodes"][0]
    assert list(episode) == ["case", "success", "steps", "counts", "timings_s", "metrics", "events"]
    assert episode["events"][1] == {
        "step": 12,
        "kind": "replan",
        "reason": "stuck: moved 0.4 mm in 15 steps",
        "values": {},
    }
    summary = document["summary"]
    known = ["episodes", "success_rate", "wilson_95", "per_task", "chains", "per_group", "errors"]
    assert list(summary) == [*known, "foresight"]
    assert summary["chains"] is None


def test_summary_follows_from_the_episodes() -> None:
    summary = summarize(results(solved=0.5, seeds=6))
    assert (summary.episodes, summary.success_rate) == (12, 0.5)
    assert summary.per_task["hammer"].episodes == 6
    assert summary.per_task["hammer"].steps == pytest.approx(41)
    assert summarize(results(solved=0.0)).per_task["hammer"].steps is None


def test_groups_are_summed_up_where_there_are_several(tmp_path: Path) -> None:
    made = results(solved=0.5, seeds=6)
    one = replace(made, episodes=made.of_task("hammer"))
    assert summarize(one).per_group == {}
    groups = summarize(made).per_group
    assert groups is not None
    assert {name: (group.successes, group.episodes) for name, group in groups.items()} == {
        "easy": (3, 6),
        "medium": (3, 6),
    }
    file = write_results(tmp_path, made)
    summary = json.loads(file.read_text())["summary"]
    summary["per_group"]["medium"]["successes"] = 4
    change(file, summary=summary)
    with pytest.raises(DataError, match=r"per_group.medium.successes is 4, but the episodes give 3"):
        read_results(file)


def test_files_of_before_there_were_groups_and_rows_are_read(tmp_path: Path) -> None:
    file = write_results(tmp_path, results())
    summary = json.loads(file.read_text())["summary"]
    del summary["per_group"]
    change(file, summary=summary, rows=...)
    assert "per_group" not in file.read_text()
    assert read_results(file) == results()


def change(path: Path, **changes: Any) -> None:
    document = json.loads(path.read_text())
    path.write_text(json.dumps({k: v for k, v in (document | changes).items() if v is not ...}))


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"schema": 2}, "schema 2, this version reads schema 1"),
        ({"schema": ...}, "'schema' is missing"),
        ({"agent": ...}, "agent"),
        ({"extra": 1}, "extra"),
        ({"episodes": []}, "no episode"),
        ({"agent": 3}, "3"),
    ],
)
def test_foreign_files_are_refused_by_name(tmp_path: Path, changes: dict[str, Any], complaint: str) -> None:
    file = write_results(tmp_path, results())
    change(file, **changes)
    with pytest.raises(DataError, match=r"results\.json") as caught:
        read_results(file)
    assert complaint in str(caught.value)


def test_truncated_absent_and_other_json_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="kinesight evaluate"):
        read_results(tmp_path)
    file = write_results(tmp_path, results())
    file.write_text(file.read_text()[:900])
    with pytest.raises(DataError, match=r"results\.json"):
        read_results(file)
    file.write_text("[]")
    with pytest.raises(DataError, match="not the results of an evaluation"):
        read_results(file)


def test_a_summary_that_does_not_follow_is_refused(tmp_path: Path) -> None:
    file = write_results(tmp_path, results())
    summary = json.loads(file.read_text())["summary"]
    change(file, summary=summary | {"success_rate": 0.9})
    with pytest.raises(DataError, match=r"summary.success_rate is 0.9, but the episodes give 0.5"):
        read_results(file)


def test_a_case_twice_is_refused() -> None:
    one = results()
    with pytest.raises(DataError, match="one case twice"):
        replace(one, episodes=one.episodes + one.episodes[:1])
    with pytest.raises(DataError, match="no episode"):
        Results("agent", "standard", ())


def test_provenance_names_software_and_machine(tmp_path: Path) -> None:
    assert {"kinesight", "python", "torch", "date"} <= versions().keys()
    assert {"cpu", "cores"} <= hardware().keys()
    assert git_commit(tmp_path) == ""
