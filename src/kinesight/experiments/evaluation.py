"""From a trained run to results: the agent and its control rows on the same cases, resumable."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal

from kinesight.agents.blind_replay import blind_replay
from kinesight.agents.misled import Misled
from kinesight.agents.spatial_policy import SpatialPolicyConfig
from kinesight.agents.unspoken import Unspoken
from kinesight.collection.collect import CollectionConfig, collect
from kinesight.critics.chat_judge import ChatJudgeConfig
from kinesight.critics.video_judge import VideoJudgeConfig
from kinesight.data.episodes import EpisodeStore
from kinesight.envs import catalogue as envs
from kinesight.evaluation.recording import Recording
from kinesight.evaluation.report import write_report
from kinesight.evaluation.results import Results, write_results
from kinesight.evaluation.rollout import cases as all_cases
from kinesight.evaluation.run import Subject, run_evaluation
from kinesight.experiments.avdc import make_avdc
from kinesight.experiments.critics import critic_stages
from kinesight.experiments.fit import check_fit
from kinesight.experiments.instructions import another_instruction
from kinesight.experiments.planners import PLANNERS
from kinesight.experiments.recipe import Recipe, loop_settings, override
from kinesight.experiments.runs import Run, load_stage
from kinesight.experiments.spatial_policy import Goals
from kinesight.experiments.systems import system_of
from kinesight.experiments.training import own_folder
from kinesight.interfaces.agent import Agent
from kinesight.interfaces.environment import Environment
from kinesight.language.chat import ChatConfig
from kinesight.types.case import Case
from kinesight.types.errors import UsageError, lookup
from kinesight.types.serial import to_json

Announce = Callable[[str], None]
"""Told when a phase begins."""


SWAPPED_STEPS = 120
"""Of an episode of a counterpart's expert: more than it takes to turn a faucet."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a results table."""

    name: str
    goals: Goals | None
    """For rows that are the trained agent, or AVDC, with other goals."""
    needs_expert: bool = False
    """Whether the expert's episodes of the same cases must be recorded first."""
    follower: Literal["own", "avdc", "avdc-replan"] = "own"
    """Who follows the goals; rows of another follower are measured only when they are named."""
    told: Literal["its own", "nothing", "another"] = "its own"
    """The instruction that the trained agent is given."""


ROWS: dict[str, Row] = {
    row.name: row
    for row in (
        Row("agent", "imagined"),
        Row("expert", None),
        Row("blind replay", None),
        Row("guessing expert", None),
        Row("no instruction", "imagined", told="nothing"),
        Row("other instruction", "imagined", told="another"),
        Row("no goal", "none"),
        Row("shuffled goals", "shuffled", needs_expert=True),
        Row("oracle goals", "oracle", needs_expert=True),
        Row("swapped goals", "swapped", needs_expert=True),
        Row("avdc", "imagined", follower="avdc"),
        Row("avdc-replan", "imagined", follower="avdc-replan"),
        Row("avdc oracle", "oracle", needs_expert=True, follower="avdc"),
        Row("avdc-replan oracle", "oracle", needs_expert=True, follower="avdc-replan"),
    )
}


def recipe_cases(
    recipe: Recipe,
    tasks: Sequence[str] = (),
    seeds: Sequence[int] = (),
    cameras: Sequence[str] = (),
    start: str = "",
    env: str = "",
    split: str = "",
) -> list[Case]:
    """The cases that a recipe is measured on, with what is given instead of its own.

    In another environment than the recipe's the tasks must be given.
    """
    plan, env = recipe.evaluation, env or recipe.data.env
    if split:
        lookup(f"{env} split", split, dict.fromkeys(envs.splits(env)))
    for camera in cameras:
        lookup(f"{env} camera", camera, dict.fromkeys(envs.cameras(env)))
    return all_cases(
        env,
        tasks or plan.tasks,
        seeds or range(plan.seeds),
        cameras or plan.cameras,
        start or plan.start,
        split or plan.split,
    )


def demonstrated(recipe: Recipe) -> tuple[str, ...]:
    """The single tasks that the recipe learns from."""
    data = recipe.data
    return tuple(dict.fromkeys(name for task in data.tasks for _, name in envs.parts(data.env, task)))


def known_tasks(run: Run, env: str) -> tuple[str, ...]:
    """Those of an environment that consist of tasks that the run was trained on."""
    learned = load_stage(run, run.recipe.stages[0].name).facts.tasks
    known = [task for task in envs.tasks(env) if {name for _, name in envs.parts(env, task)} <= set(learned)]
    if not known:
        raise UsageError(
            f"{run.path} was trained on {', '.join(learned)}, of which no task of {env} consists; name one "
            f"with --tasks: {', '.join(envs.tasks(env))}"
        )
    return tuple(known)


def step_limit(recipe: Recipe, env: str) -> int:
    """The recipe's own; where a case holds several tasks, that of the environment."""
    return envs.limit(env) if envs.holds_several(env) else recipe.evaluation.limit


def with_agent(
    run: Run,
    assignments: tuple[str, ...] = (),
    planner: str = "",
    judge: str = "",
    chat: ChatConfig | None = None,
) -> Run:
    """The run with other settings of its agent; what was trained stays as it is.

    `judge` "chat" asks the model that `chat` names about every video, "none" leaves the recipe's judge out.
    """
    if fixed := [text for text in assignments if not text.startswith("agent.")]:
        raise UsageError(f"a trained run takes other values for agent.… only, got {', '.join(fixed)}")
    recipe = override(run.recipe, assignments)
    if not (planner or judge or chat or isinstance(recipe.agent, SpatialPolicyConfig)):
        return replace(run, recipe=recipe)
    agent = loop_settings(recipe)
    agent = replace(agent, planner=planner or agent.planner, chat=chat or agent.chat)
    if judge:
        agent = replace(agent, critic=lookup("judge", judge, JUDGES)(agent))
    lookup("planner", agent.planner, PLANNERS)
    return replace(run, recipe=replace(recipe, agent=agent))


def _chat_judge(agent: SpatialPolicyConfig) -> ChatJudgeConfig:
    if agent.chat is None:
        raise UsageError("the judge 'chat' asks a model: name it with --chat-model")
    return ChatJudgeConfig(agent.chat)


JUDGES: dict[str, Callable[[SpatialPolicyConfig], VideoJudgeConfig | ChatJudgeConfig | None]] = {
    "chat": _chat_judge,
    "none": lambda _: None,
}


def rows_of(recipe: Recipe, env: str = "", tasks: Iterable[str] = ()) -> tuple[str, ...]:
    """Rows that the recipe's system has in an environment ("": its own), in the order of the table.

    `tasks`: those to be measured, none for the recipe's own. Goals can be swapped where all have a
    counterpart.
    """
    own = system_of(recipe).rows
    entry = lookup("environment", env or recipe.data.env, envs.ENVIRONMENTS)
    lacking = {
        "guessing expert": entry.guessing is None,
        "other instruction": entry.misled is None and len(demonstrated(recipe)) < 2,
        "swapped goals": not {*(tasks or recipe.evaluation.tasks)} <= {*entry.counterparts},
    }
    return tuple(
        name for name, row in ROWS.items() if (row.goals is None or name in own) and not lacking.get(name)
    )


def table_rows(
    names: Sequence[str], recipe: Recipe, env: str = "", tasks: Iterable[str] = ()
) -> tuple[str, ...]:
    """The agent and the named controls ("all": every one) in the order of the table."""
    there = rows_of(recipe, env, tasks)
    wanted = {"agent", *(there if "all" in names else names)}
    for name in wanted:
        lookup(f"row of {recipe.name}", name, dict.fromkeys(there))
    return tuple(name for name in there if name in wanted)


def run_rows(
    run: Run,
    rows: Sequence[str],
    cases: Sequence[Case],
    out: Path,
    workers: int,
    limit: int,
    command: str = "",
    announce: Announce = print,
) -> dict[str, Results]:
    """Evaluate several rows; the agent's lies in `out` itself, the others in `out/row-NAME`."""
    if any(lookup("row", row, ROWS).needs_expert for row in rows):
        expert_collection(run, cases)  # cases that do not fit are answered before hours have passed
    found = {}
    for row in rows:
        announce(f"{row}: {len(cases)} episodes")
        folder = out if row == "agent" else out / f"row-{row.replace(' ', '-')}"
        found[row] = run_row(run, row, cases, folder, workers, limit, command)
    return found


def run_row(
    run: Run, row: str, cases: Sequence[Case], out: Path, workers: int, limit: int, command: str = ""
) -> Results:
    """Evaluate one row into `out` (results.json, gallery, videos); finished episodes are not run again."""
    chosen = lookup("row", row, ROWS)
    judged = critic_stages(run.recipe) if chosen.goals == "imagined" else ()
    own = system_of(run.recipe).rows
    used = lookup("row", row, own)(run.recipe) if chosen.goals is not None else ()
    stages = {name: load_stage(run, name) for name in (*used, *judged)}
    for stage in stages.values():
        check_fit(stage, cases)
    expert_data = record_expert(run, cases, workers, chosen.goals) if chosen.needs_expert else None
    make = partial(build_row, run, row, expert_data, cases[0].env)
    subject = Subject(
        agent=run.recipe.name if row == "agent" else row,
        recipe=run.recipe.name,
        checkpoints={name: stage.digest for name, stage in stages.items()},
        privileged=make().privileged,
        settings={"agent": _settings(run, chosen), "data": run.record().data},
    )
    results = run_evaluation(
        out,
        subject,
        make,
        partial(make_environment, limit),
        cases,
        workers,
        protocol=protocol(cases),
        command=command,
        recording=Recording() if row == "agent" else None,
        limit=limit,
    )
    write_results(out, results)
    return results


def _settings(run: Run, row: Row) -> str:
    return to_json(run.recipe.agent if row.follower == "own" else run.recipe.evaluation.avdc)


def protocol(cases: Sequence[Case]) -> str:
    """The cases' start, and what they are drawn from where that is not what training shows."""
    words = (word for case in cases for word in (case.start, case.split) if word not in ("", "train"))
    return ", ".join(dict.fromkeys(words))


def make_environment(limit: int, case: Case) -> Environment:
    return envs.make_case(case, limit)


def build_row(run: Run, row: str, expert_data: Path | None, env: str = "") -> Agent:
    """The row's agent, built in the process that runs it; `env` is where it acts, "" the recipe's."""
    chosen = ROWS[row]
    if chosen.follower != "own":
        return make_avdc(run, chosen.follower == "avdc-replan", expert_data)
    entry = lookup("environment", env or run.recipe.data.env, envs.ENVIRONMENTS)
    if chosen.goals is not None:
        agent = system_of(run.recipe).make_agent(run, chosen.goals, expert_data)
        if chosen.told == "nothing":
            return Unspoken(agent)
        if chosen.told == "another":
            tell = partial(another_instruction, demonstrated(run.recipe))
            return entry.misled(agent) if entry.misled else Misled(agent, tell)
        return agent
    if row == "expert":
        return entry.expert(0.0)
    if row == "guessing expert":
        return _required(entry.guessing, row)()
    return blind_replay(EpisodeStore(run.data()))


def _required(make: Callable[..., Agent] | None, row: str) -> Callable[..., Agent]:
    assert make is not None, f"table_rows refuses {row!r} here"
    return make


def expert_collection(run: Run, cases: Sequence[Case]) -> CollectionConfig:
    """The expert on the same layouts, successful or not; oracle and shuffled goals are taken from it."""
    seeds = sorted({case.seed for case in cases})
    if seeds != list(range(seeds[0], seeds[-1] + 1)):
        raise UsageError(f"oracle and shuffled goals need consecutive seeds, got {seeds}")
    data = run.recipe.data
    return CollectionConfig(
        env=cases[0].env,
        tasks=tuple(dict.fromkeys(case.task for case in cases)),
        episodes=len(seeds),
        cameras=tuple(dict.fromkeys(case.camera for case in cases)),
        height=data.height,
        width=data.width,
        crop=data.crop,
        starts=(cases[0].start,),
        split=cases[0].split or "train",
        limit=envs.limit(cases[0].env),
        first_seed=seeds[0],
        scene=False,  # tasks with other scene points may share the folder
        hold_steps=data.hold_steps,
        only_successes=False,
    )


def record_expert(run: Run, cases: Sequence[Case], workers: int, goals: Goals | None = "oracle") -> Path:
    """Collect what `expert_collection` names, or find it in `data/expert-HASH`.

    Swapped goals are of the counterpart's expert, who never succeeds at the task: its episodes end after the
    time that a task takes.
    """
    config = expert_collection(run, cases)
    if goals == "swapped":
        config = replace(config, limit=SWAPPED_STEPS)
        path = own_folder("counterpart", config)
        collect(config, path, workers=workers, make_expert=envs.counterpart_expert)
        return path
    path = own_folder("expert", config)
    collect(config, path, workers=workers)
    return path


def report_rows(run: Run, found: Mapping[str, Results], out: Path) -> Path:
    """The page of an evaluation in `out`, with the run's training curves and phase times."""
    main, *others = found
    metrics = {stage.name: run.stage_folder(stage.name) / "metrics.jsonl" for stage in run.recipe.stages}
    curves = {name: file for name, file in metrics.items() if file.exists()}
    rows = {name: found[name] for name in others}
    return write_report(out, found[main], rows, phases=run.record().seconds, curves=curves)
