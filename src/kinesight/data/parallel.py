"""A map over worker processes that yields results in the order of the items.

Items are handed out one by one to processes started by spawn (simulators and threads survive no fork). A
worker whose parent died reads the end of its pipe and leaves. The death of a worker (memory, a signal) ends
the map, or only the item it was at, where the caller says what the item's result is then.
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


class WorkerDied(KinesightError):
    """A process ended without an exception: killed, out of memory, a crash in a library."""


def ordered_map(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    workers: int,
    initializer: Callable[[Any], None] | None = None,
    state: Any = None,
    on_death: Callable[[Item, WorkerDied], Result] | None = None,
) -> Iterator[Result]:
    """`map(function, items)` on `workers` processes; with one or none, in this process.

    `initializer(state)` runs once in each process. An error carries the item it came from as a note. The
    function, the state, the items and the results must pickle; items are taken only as they are needed.

    A worker that dies at an item ends the map with `WorkerDied`; with `on_death` the item's result is what
    that returns, and another worker takes the place. One that dies before its first item ends the map in any
    case, since no item did that; one that dies between two items is replaced.
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
        yield from _in_order(
            pool, workers, partial(_start, function, initializer, state), iter(items), on_death
        )
    finally:
        _stop(pool)


@dataclass(slots=True, eq=False)
class _Worker:
    process: SpawnProcess
    connection: Connection
    number: int = -1
    """The item it works on, -1 for none."""
    item: Any = None
    ready: bool = False
    """Whether its initializer has run."""


@dataclass(frozen=True, slots=True)
class _Ready:
    """What a worker says before it begins with its first item."""


def _in_order(
    pool: list[_Worker],
    workers: int,
    start: Callable[[], _Worker],
    items: Iterator[Any],
    on_death: Callable[[Any, WorkerDied], Any] | None,
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
            _hand_out(pool, idle, start, given, item)
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
            try:
                outcome = _receive(worker)
            except WorkerDied as death:
                if on_death is None or not worker.ready:
                    raise
                outcome = on_death(worker.item, death)
                pool.remove(worker)
                _end(worker)
            if isinstance(outcome, _Ready):
                worker.ready = True
                continue
            finished[worker.number] = outcome
            worker.number, worker.item = -1, None


def _hand_out(
    pool: list[_Worker], idle: list[_Worker], start: Callable[[], _Worker], number: int, item: Any
) -> None:
    """To one that is idle, or to a new one where there is none, or those have died while they waited."""
    for worker in idle:
        if _send_item(worker, number, item):
            return
        pool.remove(worker)
        _end(worker)
    pool.append(start())
    _send_item(pool[-1], number, item)  # if it is dead already, that is found when its answer is waited for


def _send_item(worker: _Worker, number: int, item: Any) -> bool:
    """Whether its end of the pipe is open."""
    worker.number, worker.item = number, item
    try:
        worker.connection.send(item)
    except OSError:
        return False
    return True


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


def _death(worker: _Worker) -> WorkerDied:
    worker.process.join(timeout=5)
    code = worker.process.exitcode
    cause = f"status {code}"
    if code is not None and code < 0:
        cause = f"signal {-code}" + (" (often too little memory)" if -code == signal.SIGKILL else "")
    doing = "working on" if worker.ready else "starting for"
    return WorkerDied(f"A worker process ended with {cause} while {doing} {worker.item!r}.")


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
        _end(worker)


def _end(worker: _Worker) -> None:
    worker.connection.close()
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
        connection.send(_Ready())
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
