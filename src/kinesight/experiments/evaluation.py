"""From a trained run to results: the agent and its control rows on the same cases, resumable."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from kinesight.agents.blind_replay import blind_replay
from kinesight.collection.collect import CollectionConfig, collect
from kinesight.data.episodes import EpisodeStore
from kinesight.envs import catalogue as envs
from kinesight.evaluation.recording import Recording
from kinesight.evaluation.results import Results, write_results
from kinesight.evaluation.run import Subject, run_evaluation
from kinesight.experiments.runs import Run, Trained, load_stage, open_run
from kinesight.experiments.spatial_policy import Goals, make_agent
from kinesight.interfaces.agent import Agent
from kinesight.interfaces.environment import Environment
from kinesight.types.camera import Camera
from kinesight.types.case import Case
from kinesight.types.errors import DataError, UsageError, lookup
from kinesight.types.observation import ViewRequest
from kinesight.types.serial import to_json


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a results table."""

    name: str
    goals: Goals | None
    """For rows that are the trained agent with other goals."""
    stages: tuple[str, ...] = ()
    """Trained stages that the row uses."""
    needs_expert: bool = False
    """Whether the expert's episodes of the same cases must be recorded first."""


ROWS: dict[str, Row] = {
    row.name: row
    for row in (
        Row("agent", "imagined", ("imaginer", "policy")),
        Row("expert", None),
        Row("blind replay", None),
        Row("no goal", "none", ("policy",)),
        Row("shuffled goals", "shuffled", ("policy",), needs_expert=True),
        Row("oracle goals", "oracle", ("policy",), needs_expert=True),
    )
}


def run_row(
    run: Run, row: str, cases: Sequence[Case], out: Path, workers: int, limit: int, command: str = ""
) -> Results:
    """Evaluate one row into `out` (results.json, gallery, videos); finished episodes are not run again."""
    chosen = lookup("row", row, ROWS)
    stages = {name: load_stage(run, name) for name in chosen.stages}
    for stage in stages.values():
        check_fit(stage, cases)
    expert_data = record_expert(run, cases, workers) if chosen.needs_expert else None
    make = partial(build_row, run.path, row, expert_data)
    subject = Subject(
        agent=run.recipe.name if row == "agent" else row,
        recipe=run.recipe.name,
        checkpoints={name: stage.digest for name, stage in stages.items()},
        privileged=make().privileged,
        settings={"agent": to_json(run.recipe.agent), "data": run.record().data},
    )
    results = run_evaluation(
        out,
        subject,
        make,
        partial(make_environment, limit),
        cases,
        workers,
        command=command,
        recording=Recording() if row == "agent" else None,
        limit=limit,
    )
    write_results(out, results)
    return results


def make_environment(limit: int, case: Case) -> Environment:
    return envs.make_case(case, limit)


def build_row(run_path: Path, row: str, expert_data: Path | None) -> Agent:
    """The row's agent, built in the process that runs it."""
    run = open_run(run_path)
    chosen = ROWS[row]
    if chosen.goals is not None:
        return make_agent(run, chosen.goals, expert_data)
    if row == "expert":
        return lookup("environment", run.recipe.data.env, envs.ENVIRONMENTS).expert(0.0)
    return blind_replay(EpisodeStore(run.record().data))


def check_fit(trained: Trained, cases: Sequence[Case]) -> None:
    """Refuse an environment whose action space or cameras are not those of the training data."""
    facts, file = trained.facts, trained.path / "config.json"
    seen: set[tuple[str, str]] = set()
    for case in cases:
        if (case.task, case.camera) in seen:
            continue
        seen.add((case.task, case.camera))
        if case.env != facts.env:
            raise DataError(f"{file}: trained on {facts.env}, asked to act in {case.env}")
        environment = envs.make_case(case, 1)
        if environment.action_spec != facts.action:
            raise DataError(f"{file}: trained for {facts.action}, {case.env} takes {environment.action_spec}")
        if case.camera not in facts.cameras:
            raise DataError(f"{file}: trained on cameras {', '.join(facts.cameras)}, not on {case.camera}")
        known = facts.calibration.get(f"{case.task}/{case.camera}")
        if known is None:
            continue  # a task that was not demonstrated: nothing to hold against
        environment.reset()
        height, width = facts.image_size
        request = ViewRequest((case.camera,), height, width, rgb=False, crop=facts.crop)
        now = environment.observe(request).views[case.camera].camera
        if difference := _camera_difference(known, now):
            raise DataError(f"{file}: camera {case.camera} of {case.task} was trained with {difference}")


def _camera_difference(known: Camera, now: Camera) -> str:
    if (known.height, known.width) != (now.height, now.width):
        return f"{known.height} x {known.width} px, the environment gives {now.height} x {now.width} px"
    for name in ("K", "T_world_camera"):
        there, here = getattr(known, name), getattr(now, name)
        if not np.allclose(there, here, atol=1e-3, rtol=1e-3):
            return f"{name} =\n{there}\nthe environment has\n{here}"
    return ""


def record_expert(run: Run, cases: Sequence[Case], workers: int) -> Path:
    """The expert's episodes of the same layouts, successful or not; needed for oracle and shuffled goals."""
    first = cases[0]
    tasks = tuple(dict.fromkeys(case.task for case in cases))
    seeds = sorted({case.seed for case in cases})
    if seeds != list(range(seeds[0], seeds[-1] + 1)):
        raise UsageError(f"oracle and shuffled goals need consecutive seeds, got {seeds}")
    data = run.recipe.data
    config = CollectionConfig(
        env=first.env,
        tasks=tasks,
        episodes=len(seeds),
        cameras=tuple(dict.fromkeys(case.camera for case in cases)),
        height=data.height,
        width=data.width,
        crop=data.crop,
        starts=(first.start,),
        first_seed=seeds[0],
        hold_steps=data.hold_steps,
        only_successes=False,
    )
    digest = hashlib.sha256(to_json(config).encode()).hexdigest()[:8]
    path = Path("data") / f"expert-{digest}"
    collect(config, path, workers=workers)
    return path


RowProgress = Callable[[str], None]


def run_rows(
    run: Run,
    rows: Sequence[str],
    cases: Sequence[Case],
    out: Path,
    workers: int,
    limit: int,
    command: str = "",
    announce: RowProgress = print,
) -> dict[str, Results]:
    """Evaluate several rows; the agent's lies in `out` itself, the others in `out/row-NAME`."""
    found = {}
    for row in rows:
        announce(f"{row}: {len(cases)} episodes")
        folder = out if row == "agent" else out / f"row-{row.replace(' ', '-')}"
        found[row] = run_row(run, row, cases, folder, workers, limit, command)
    return found
