"""One episode whose error is its result: an evaluation of hundreds of episodes does not die of one.

What says something about the set-up or the machine and nothing about the episode stops everything as before:
wrong use, a missing package, used-up memory, a lost device, a folder that cannot be written. Of a process
that dies, whoever started it gives the episode's result (`lost`).
"""

import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import torch

from kinesight.agents.episode import chain_metrics, count_events, run_episode
from kinesight.data.parallel import WorkerDied
from kinesight.evaluation.errors import ERROR, FOLDER, in_one_line
from kinesight.evaluation.gallery import case_name
from kinesight.evaluation.recording import Recorder, Recording, remove
from kinesight.interfaces.agent import Agent
from kinesight.interfaces.environment import Environment
from kinesight.language.consult import chat_totals
from kinesight.types.case import Case
from kinesight.types.chain import ChainState
from kinesight.types.decision import Decision, Event
from kinesight.types.errors import KinesightError, MissingDependency, UsageError
from kinesight.types.files import write_atomic
from kinesight.types.observation import Observation, StepResult
from kinesight.types.results import EpisodeResult

STOPPING: tuple[type[Exception], ...] = (
    UsageError,
    MissingDependency,
    MemoryError,
    torch.OutOfMemoryError,
    # After a device's error every later call fails too. Older versions of torch have no name for it.
    getattr(torch, "AcceleratorError", torch.OutOfMemoryError),
)
UNRECORDED = "unrecorded"
"""Kind of event: the episode counts as it ended, only its recording is missing."""


def attempt(
    case: Case,
    make_environment: Callable[[Case], Environment],
    agent: Agent,
    limit: int | None = None,
    out: Path | None = None,
    recording: Recording | None = None,
) -> EpisodeResult:
    """The episode's result; an error ends it as a failure after the steps that were made.

    Its last event then says which error it was. In the folder `out`, if there is one, its traceback lies
    under `errors/`, and the recording holds what was seen until then.
    """
    watch = _Watch(Recorder(recording, out) if recording and out else None)
    trace = _trace(out, case)
    if trace is not None:
        trace.unlink(missing_ok=True)
    began = time.perf_counter()
    try:
        result = run_episode(make_environment(case), agent, (watch,), limit)
    except STOPPING:
        raise
    except Exception as error:
        result = watch.failure(case, error, {"wall": time.perf_counter() - began})
        if trace is not None:
            write_atomic(trace, traceback.format_exc())
    return result if watch.recorder is None or out is None else _recorded(result, watch.recorder, out)


def lost(case: Case, death: WorkerDied, out: Path | None = None) -> EpisodeResult:
    """The result of an episode whose process died: a failure of which no step is known, without recording."""
    if out is not None:
        remove(out, case)
    trace = _trace(out, case)
    if trace is not None:
        write_atomic(trace, f"{death}\n")
    return _Watch(None).failure(case, death, {})


def _trace(out: Path | None, case: Case) -> Path | None:
    return None if out is None else out / FOLDER / f"{case_name(case)}.txt"


def _recorded(result: EpisodeResult, recorder: Recorder, out: Path) -> EpisodeResult:
    """The same result; a recording that cannot be made is removed, and an event says so."""
    try:
        recorder.end(result)
    except (OSError, KinesightError, *STOPPING):
        raise
    except Exception as error:
        remove(out, result.case)
        event = Event(result.steps, UNRECORDED, in_one_line(error))
        counts = {**result.counts, UNRECORDED: 1}
        return replace(result, events=(*result.events, event), counts=counts)
    return result


class _Watch:
    """A subscriber that can tell at any time how far the episode came; the recorder sees through it."""

    def __init__(self, recorder: Recorder | None) -> None:
        self.recorder = recorder
        self._steps = 0
        self._events: list[Event] = []
        self._timings_s: dict[str, float] = {}
        self._chain: ChainState | None = None

    def start(self, case: Case, environment: Environment) -> None:
        if self.recorder is not None:
            self.recorder.start(case, environment)

    def step(self, observation: Observation, decision: Decision, result: StepResult) -> None:
        self._steps += 1
        self._events += (*decision.events, *result.events)
        self._chain = result.chain
        for stage, seconds in decision.timings_s.items():
            self._timings_s[stage] = self._timings_s.get(stage, 0.0) + seconds
        if self.recorder is not None:
            self.recorder.step(observation, decision, result)

    def end(self, result: EpisodeResult) -> None:
        """The recorder is told by `attempt`: only there it is known which result counts."""

    def failure(self, case: Case, error: Exception, timings_s: Mapping[str, float]) -> EpisodeResult:
        """What is known of an episode that broke off."""
        events = (*self._events, Event(self._steps, ERROR, in_one_line(error)))
        return EpisodeResult(
            case=case,
            success=False,
            steps=self._steps,
            counts=count_events(events),
            timings_s={**self._timings_s, **timings_s},
            metrics={**chain_metrics(self._chain), **chat_totals(events)},
            events=events,
        )
