"""The record of a run: what several processes write into it is all there."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from kinesight.experiments import catalogue
from kinesight.experiments.runs import create_run, open_run


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
