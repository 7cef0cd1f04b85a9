"""A map over worker processes that yields results in the order of the items.

Items are handed out one by one to processes started by spawn (simulators and threads survive no fork). A
worker whose parent died reads the end of its pipe and leaves.
"""

import os
import pickle
import signal
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Any, TypeVar

from kinesight.types.errors import KinesightError

Item = TypeVar("Item")
Result = TypeVar("Result")

THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "OPENCV_FOR_THREADS_NUM",
)
LOOK_AHEAD = 3
"""Results by worker that may wait for an earlier one."""


def ordered_map(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    workers: int,
    initializer: Callable[[Any], None] | None = None,
    state: Any = None,
) -> Iterator[Result]:
    """`map(function, items)` on `workers` processes; with one or none, in this process.

    `initializer(state)` runs once in each process. An error carries the item it came from as a note. The
    function, the state, the items and the results must pickle; items are taken only as they are needed.
    """
    if workers <= 1:
        if initializer is not None:
            initializer(state)
        for item in items:
            with _naming(item):
                result = function(item)
            yield result
        return
    pool: list[_Worker] = []
    try:
        yield from _in_order(pool, workers, partial(_start, function, initializer, state), iter(items))
    finally:
        _stop(pool)


@dataclass(slots=True, eq=False)
class _Worker:
    process: SpawnProcess
    connection: Connection
    number: int = -1
    """The item it works on, -1 for none."""
    item: Any = None


def _in_order(
    pool: list[_Worker], workers: int, start: Callable[[], _Worker], items: Iterator[Any]
) -> Iterator[Any]:
    """Fills the pool as there are items: a process takes seconds to start."""
    finished: dict[int, Any] = {}
    given = yielded = 0
    exhausted = False
    while True:
        while not exhausted and given - yielded < LOOK_AHEAD * workers:
            idle = [worker for worker in pool if worker.number < 0]
            if not idle and len(pool) == workers:
                break
            try:
                item = next(items)
            except StopIteration:
                exhausted = True
                break
            if not idle:
                pool.extend(idle := [start()])
            idle[0].item = item
            _hand_out(idle[0], given)
            given += 1
        if yielded in finished:
            result = finished.pop(yielded)
            yielded += 1
            yield result
            continue
        busy = {worker.connection: worker for worker in pool if worker.number >= 0}
        if not busy:
            return
        for connection in wait(list(busy)):
            worker = busy[connection]  # type: ignore[index]
            finished[worker.number] = _receive(worker)
            worker.number, worker.item = -1, None


def _hand_out(worker: _Worker, number: int) -> None:
    worker.number = number
    try:
        worker.connection.send(worker.item)
    except OSError as error:
        raise _death(worker) from error


def _receive(worker: _Worker) -> Any:
    try:
        outcome = worker.connection.recv()
    except (EOFError, OSError) as error:
        raise _death(worker) from error
    if isinstance(outcome, _Failure):
        outcome.error.add_note(f"while working on {worker.item!r}")
        outcome.error.add_note(outcome.trace)
        raise outcome.error
    return outcome


def _death(worker: _Worker) -> KinesightError:
    worker.process.join(timeout=5)
    code = worker.process.exitcode
    cause = f"signal {-code} (often too little memory)" if code is not None and code < 0 else f"status {code}"
    return KinesightError(f"A worker process ended with {cause} while working on {worker.item!r}.")


@dataclass(frozen=True, slots=True)
class _Failure:
    error: Exception
    trace: str


def _start(function: Any, initializer: Any, state: Any) -> _Worker:
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_work, args=(theirs, function, initializer, state), daemon=True)
    with _one_thread_each(), _ctrl_c_held_back():
        process.start()
    theirs.close()
    return _Worker(process, ours)


def _stop(pool: list[_Worker]) -> None:
    for worker in pool:
        worker.connection.close()
        if worker.number >= 0:
            worker.process.terminate()
    for worker in pool:
        worker.process.join(timeout=5)
        if worker.process.is_alive():
            worker.process.kill()
            worker.process.join()
        worker.process.close()


def _work(connection: Connection, function: Any, initializer: Any, state: Any) -> None:
    """A worker's life."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    failure = None
    if initializer is not None:
        failure = _outcome(initializer, state)
    try:
        while True:
            item = connection.recv()
            outcome = failure if isinstance(failure, _Failure) else _outcome(function, item)
            _send(connection, outcome)
    except (EOFError, OSError):
        return


def _outcome(function: Any, argument: Any) -> Any:
    try:
        return function(argument)
    except Exception as error:
        return _Failure(_portable(error), traceback.format_exc())


def _send(connection: Connection, outcome: Any) -> None:
    try:
        connection.send(outcome)
    except OSError:
        raise
    except Exception as error:  # a result that does not pickle
        connection.send(_Failure(_portable(error), traceback.format_exc()))


def _portable(error: Exception) -> Exception:
    """The error itself, or one of the nearest base class that can cross the border between processes."""
    candidates = [lambda: error, *((lambda cls=cls: cls(str(error))) for cls in type(error).__mro__[:-2])]
    for make in candidates:
        try:
            return pickle.loads(pickle.dumps(make()))
        except Exception:
            continue
    return RuntimeError(f"{type(error).__name__}: {error}")


@contextmanager
def _naming(item: Any) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        error.add_note(f"while working on {item!r}")
        raise


@contextmanager
def _ctrl_c_held_back() -> Iterator[None]:
    """A process inherits which signals are blocked: Ctrl-C reaches no worker, not even a starting one."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Workers share the processor, so that each of them computes on one thread."""
    before = {name: os.environ.get(name) for name in THREAD_VARIABLES}
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name)
            else:
                os.environ[name] = value
