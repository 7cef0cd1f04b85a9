"""Runs an agent on cases: in case order, on any number of processes, to the same results.

Every process builds the agent once and computes on one thread: the sums of a tensor product depend on how
many threads share it. Only `timings_s` differs from run to run.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import torch

from kinesight.data.parallel import ordered_map
from kinesight.data.progress import ProgressLine
from kinesight.evaluation.attempt import attempt, lost
from kinesight.evaluation.compare import layout
from kinesight.evaluation.errors import FOLDER, died, ended_by_error, error_of, told
from kinesight.evaluation.journal import Journal
from kinesight.evaluation.recording import Recording, Shelf
from kinesight.evaluation.results import from_record, to_record
from kinesight.evaluation.statistics import proportion
from kinesight.interfaces.agent import Agent
from kinesight.interfaces.environment import Environment
from kinesight.types.case import Case
from kinesight.types.errors import KinesightError, UsageError
from kinesight.types.results import EpisodeResult

MakeAgent = Callable[[], Agent]
MakeEnvironment = Callable[[Case], Environment]
BROKEN_LAYOUTS = 5
"""So many layouts whose episodes all end by an error, before any other episode, make a broken set-up.

So do as many in a row, at any time, whose processes died: the machine is to blame, not the episodes.
"""


class BrokenSetUp(KinesightError):
    """Every episode so far ended by an error, or one process after the other died; none of these is kept."""


def cases(
    env: str,
    tasks: Sequence[str],
    seeds: Sequence[int],
    cameras: Sequence[str],
    start: str = "standard",
    split: str = "",
) -> list[Case]:
    """Every task with every seed from every camera, in this order of nesting."""
    for name, values in (("task", tasks), ("seed", seeds), ("camera", cameras)):
        if not values:
            raise UsageError(f"an evaluation needs one {name} at least")
        if len(set(values)) < len(values):
            raise UsageError(f"a {name} stands twice in {', '.join(map(str, values))}")
    return [
        Case(env, task, seed, camera, start, split) for task in tasks for seed in seeds for camera in cameras
    ]


def evaluate(
    make_agent: MakeAgent,
    make_environment: MakeEnvironment,
    cases: Sequence[Case],
    workers: int = 1,
    *,
    journal: Journal | None = None,
    recording: Recording | None = None,
    limit: int | None = None,
    progress: bool = True,
) -> list[EpisodeResult]:
    """One result a case, in the order of the cases.

    An episode that an error ends is a failure (see `attempt`) and kept like others, and so is one whose
    process died, which takes several of them: with one worker the episodes run in this process. If there is
    nothing but errors, or one process after the other dies, `BrokenSetUp` ends the evaluation. With a
    journal, finished episodes are kept in its folder and not run again; a `recording` goes to the same
    folder. With several workers both callables must pickle: a module's function or a `functools.partial`.
    """
    if recording is not None and journal is None:
        raise ValueError("a recording needs a journal, whose folder it is written to")
    done = {} if journal is None else journal.finished()
    remaining = [case for case in cases if case not in done]
    out = None if journal is None else journal.out
    job = _Job(make_agent, make_environment, out, recording, limit)
    shelf = None if recording is None or out is None else Shelf(recording, out)
    results: list[EpisodeResult] = []
    unwritten: list[EpisodeResult] = []
    works = any(not error_of(result) for result in done.values())
    finished = len(cases) - len(remaining)
    with _one_thread(), ProgressLine("evaluate", len(cases), finished, progress) as line:
        fresh = ordered_map(_run, remaining, workers, _build, job, partial(lost, out=out))
        for case in cases:
            known = done.get(case)
            result = next(fresh) if known is None else known
            assert result.case == case, f"asked for {case}, got {result.case}"
            if shelf is not None:
                shelf.place(result)
            results.append(result)
            if known is None:
                unwritten.append(result)
                finished += 1
            works = works or not error_of(result)
            if not works:
                _stop_if_broken(results, len(cases), out)
            else:
                _stop_if_dying(unwritten, out)
                if case == cases[-1] or not all(map(died, unwritten)):
                    _write(unwritten, journal)
                    unwritten.clear()
            line.update(finished, _success(results))
    return results


@dataclass(frozen=True, slots=True)
class _Job:
    """What a process needs to run episodes."""

    make_agent: MakeAgent
    make_environment: MakeEnvironment
    out: Path | None
    recording: Recording | None
    limit: int | None


_process: tuple[_Job, Agent] | None = None
"""The job and the agent of this process, built once by `_build`."""


def _build(job: _Job) -> None:
    global _process
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    _process = (job, job.make_agent())


def _run(case: Case) -> EpisodeResult:
    assert _process is not None, "every process starts with _build"
    job, agent = _process
    result = attempt(case, job.make_environment, agent, job.limit, job.out, job.recording)
    # Imagined videos have been drawn by now; they would only burden the way between processes.
    return from_record(to_record(result))


@contextmanager
def _one_thread() -> Iterator[None]:
    """This process may run the episodes itself: it gets the workers' thread count, and its own back."""
    global _process
    threads, opencv_threads = torch.get_num_threads(), cv2.getNumThreads()
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        cv2.setNumThreads(opencv_threads)
        _process = None


def _stop_if_broken(results: Sequence[EpisodeResult], cases: int, out: Path | None) -> None:
    """Without this a set-up that cannot work would give a table of zeros."""
    if len(results) == cases or len({layout(result.case) for result in results}) >= BROKEN_LAYOUTS:
        where = "" if out is None else f" (tracebacks in {out / FOLDER})"
        raise BrokenSetUp(
            f"nothing but errors in the first {len(results)} of {cases} episodes: the set-up is taken for "
            f"broken, and none of them is kept{where}; the first: {told(results[0])}"
        )


def _stop_if_dying(last: Sequence[EpisodeResult], out: Path | None) -> None:
    """Some machines run out of memory for good after a while: the rest would be a table of zeros."""
    if all(map(died, last)) and len({layout(result.case) for result in last}) >= BROKEN_LAYOUTS:
        where = "" if out is None else f" (see {out / FOLDER})"
        raise BrokenSetUp(
            f"the processes of {len(last)} episodes died one after the other: the machine is taken for "
            f"broken, and none of them is kept{where}; fewer workers need less memory; the first: "
            f"{told(last[0])}"
        )


def _write(results: Sequence[EpisodeResult], journal: Journal | None) -> None:
    if journal is not None:
        for result in results:
            journal.append(result)


def _success(results: Sequence[EpisodeResult]) -> str:
    share = proportion(result.success for result in results)
    interval = share.wilson_95
    text = f"success {100 * share.rate:.0f} % ({100 * interval.low:.0f}–{100 * interval.high:.0f})"
    errors = len(ended_by_error(results))
    return f"{text}, {errors} ended by an error" if errors else text
