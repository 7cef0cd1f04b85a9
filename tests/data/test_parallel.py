"""Order, errors and deaths of the parallel map."""

import time

import data_samples
import pytest

from kinesight.data.parallel import WorkerDied, ordered_map
from kinesight.types.errors import KinesightError, UnknownName, UsageError


@pytest.mark.parametrize("workers", [1, 2])
def test_results_come_in_order_and_quietly(workers, capfd):
    assert list(ordered_map(data_samples.square, range(20), workers)) == [x * x for x in range(20)]
    assert workers == 1 or capfd.readouterr().out == ""


def test_a_slow_item_does_not_change_the_order():
    assert list(ordered_map(data_samples.slow_first, range(8), 2)) == list(range(8))


def test_more_workers_than_items():
    assert list(ordered_map(data_samples.square, [3], 3)) == [9]
    assert list(ordered_map(data_samples.square, [], 2)) == []


def test_no_process_is_started_without_an_item(monkeypatch):
    monkeypatch.setattr("kinesight.data.parallel._start", lambda *_: pytest.fail("a process was started"))
    assert list(ordered_map(data_samples.square, [], 2)) == []


def test_items_are_taken_only_as_they_are_needed():
    taken = []

    def items():
        for x in range(1000):
            taken.append(x)
            yield x

    results = ordered_map(data_samples.square, items(), 2)
    assert next(results) == 0
    results.close()
    assert len(taken) < 10


@pytest.mark.parametrize("workers", [1, 2])
def test_errors_carry_the_item(workers):
    results = ordered_map(data_samples.fail_at_three, range(20), workers)
    with pytest.raises(UsageError, match="Did you mean 'door'") as raised:
        list(results)
    assert "while working on 3" in raised.value.__notes__
    assert workers > 1 or isinstance(raised.value, UnknownName)


def test_a_dying_worker_is_reported_with_its_item():
    with pytest.raises(KinesightError, match="ended with status 7 while working on 3"):
        list(ordered_map(data_samples.die_at_three, range(20), 2))


def test_a_death_can_stand_for_the_result_of_its_item():
    def dead(item, death):
        assert isinstance(death, WorkerDied)
        return -item

    results = list(ordered_map(data_samples.die_at_three, range(20), 2, on_death=dead))
    assert results == [-x if x == 3 else x for x in range(20)]


def test_a_worker_that_dies_between_two_items_is_replaced():
    def items():
        yield from (0, 1)
        time.sleep(1.0)  # the worker that had 0 waits, and is gone before it gets another one
        yield from (2, 3, 4)

    assert list(ordered_map(data_samples.leave_after_zero, items(), 2)) == [0, 1, 2, 3, 4]


def test_a_result_that_does_not_pickle_is_an_error():
    with pytest.raises(Exception, match="pickle"):
        list(ordered_map(data_samples.not_picklable, range(2), 2))


def test_every_worker_is_initialised_and_computes_on_one_thread():
    results = list(ordered_map(data_samples.remembered, range(4), 2, data_samples.remember, 100))
    assert results == [(100 + x, "1") for x in range(4)]
    assert next(ordered_map(data_samples.remembered, [1], 1, data_samples.remember, 7))[0] == 8


def test_abandoning_a_map_ends_its_workers_at_once():
    results = ordered_map(time.sleep, [0, 60, 60, 60], 2)
    next(results)
    start = time.monotonic()
    results.close()
    assert time.monotonic() - start < 4
