"""The record of a run: what several processes write into it is all there."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from kinesight.experiments import catalogue
from kinesight.experiments.recipe import override
from kinesight.experiments.runs import Taken, check_recipe, create_run, open_run
from kinesight.types.errors import DataError
from kinesight.types.files import write_atomic
from kinesight.types.serial import to_json

TINY = catalogue.recipe("spatial-policy-tiny")
OTHER = override(TINY, ("stages.policy.training.steps=5",))


def test_stages_that_are_trained_at_the_same_time_lose_nothing_of_the_record(tmp_path: Path) -> None:
    run = create_run(tmp_path, catalogue.recipe("spatial-policy-tiny"))

    def noted(number: int) -> None:
        with open_run(tmp_path).phase(f"phase {number}"):
            run.note_extra_data(f"stage {number}", Path(f"data/{number}"))

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(noted, range(6)))
    record = run.record()
    assert set(record.seconds) == {f"phase {number}" for number in range(6)}
    assert set(record.extra_data) == {f"stage {number}" for number in range(6)}


def test_a_run_that_is_not_there_is_answered_with_those_that_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match=r"tiny: no run here \(recipe\.json is missing\)$"):
        open_run(Path("tiny"))
    create_run(Path("runs/tiny"), TINY)
    for name in ("tiny", "runs/tyny"):
        with pytest.raises(DataError, match=r"; there are runs/tiny$"):
            open_run(Path(name))


def test_a_run_in_which_nothing_was_trained_takes_another_recipe(tmp_path: Path) -> None:
    first = create_run(tmp_path, TINY)
    first.note_data(Path("data/first"))
    second = create_run(tmp_path, OTHER)
    assert open_run(tmp_path).recipe == OTHER
    assert not second.record().data
    with pytest.raises(DataError, match=r"stages\.policy\.training\.steps is 5 there and 4 here"):
        check_recipe(first)
    (tmp_path / "policy").mkdir()
    with pytest.raises(DataError, match="holds a run of another recipe"):
        create_run(tmp_path, TINY)
    assert create_run(tmp_path, OTHER) == second


def test_a_run_of_taken_stages_keeps_its_recipe(tmp_path: Path) -> None:
    run = create_run(tmp_path, TINY)
    taken = {stage.name: Taken("elsewhere", "0") for stage in TINY.stages}
    write_atomic(tmp_path / "run.json", to_json(replace(run.record(), taken=taken)))
    with pytest.raises(DataError, match="holds a run of another recipe"):
        create_run(tmp_path, OTHER)
