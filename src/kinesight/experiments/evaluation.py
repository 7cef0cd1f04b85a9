"""From a trained run to results: the agent and its control rows on the same cases, resumable."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from kinesight.agents.spatial_policy import SpatialPolicyConfig
from kinesight.critics.chat_judge import ChatJudgeConfig
from kinesight.critics.video_judge import VideoJudgeConfig
from kinesight.envs import catalogue as envs
from kinesight.evaluation.recording import Recording
from kinesight.evaluation.report import write_report
from kinesight.evaluation.results import FILE_NAME, Results, read_results, write_results
from kinesight.evaluation.rollout import cases as all_cases
from kinesight.evaluation.run import Subject, run_evaluation
from kinesight.experiments.critics import critic_stages
from kinesight.experiments.devices import CPU
from kinesight.experiments.fit import check_fit
from kinesight.experiments.planners import PLANNERS
from kinesight.experiments.recipe import Recipe, loop_settings, override
from kinesight.experiments.rows import ROWS, Row, build_row, expert_collection, record_expert
from kinesight.experiments.runs import Run, load_stage
from kinesight.experiments.systems import system_of
from kinesight.interfaces.environment import Environment
from kinesight.language.chat import ChatConfig
from kinesight.types.case import Case
from kinesight.types.errors import UsageError, lookup
from kinesight.types.sampling import sampled_as, sampling_settings
from kinesight.types.serial import differences, to_json, to_jsonable

Announce = Callable[[str], None]
"""Told when a phase begins."""


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
    plan = recipe.evaluation
    env = env or recipe.measured_in
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


def known_tasks(run: Run, env: str) -> tuple[str, ...]:
    """Those of an environment that consist of tasks that the run was trained on."""
    stages = (load_stage(run, stage.name).facts for stage in run.recipe.stages)
    learned = next((facts.tasks for facts in stages if facts.action is not None), ())
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
    Assignments come last, so that those of agent.chat… and agent.critic… find what the others have put there.
    """
    recipe = run.recipe
    if planner or chat:
        agent = loop_settings(recipe)
        agent = replace(agent, planner=planner or agent.planner, chat=chat or agent.chat)
        recipe = replace(recipe, agent=agent)
    of_critic = tuple(text for text in assignments if text.startswith("agent.critic"))
    recipe = override(recipe, tuple(text for text in assignments if text not in of_critic))
    _check_learned(run.recipe, recipe)
    if judge:
        agent = loop_settings(recipe)
        recipe = replace(recipe, agent=replace(agent, critic=lookup("judge", judge, JUDGES)(agent)))
    recipe = override(recipe, of_critic)
    if isinstance(recipe.agent, SpatialPolicyConfig):
        lookup("planner", recipe.agent.planner, PLANNERS)
    return replace(run, recipe=recipe)


def _check_learned(trained: Recipe, recipe: Recipe) -> None:
    """The recipes may differ in their agent and in the sampling of their models."""
    stages = tuple(
        replace(mine, model=sampled_as(mine.model, theirs.model))
        for mine, theirs in zip(recipe.stages, trained.stages, strict=True)
    )
    same = replace(recipe, agent=trained.agent, stages=stages)
    if fixed := differences(to_jsonable(trained), to_jsonable(same)):
        free = (
            f"stages.{stage.name}.model.{name}"
            for stage in trained.stages
            for name in sampling_settings(stage.model)
        )
        raise UsageError(
            f"a trained run takes other values for agent.… and {', '.join(free)}; what it learned with is "
            f"fixed: {'; '.join(fixed)}"
        )


def _chat_judge(agent: SpatialPolicyConfig) -> ChatJudgeConfig:
    if agent.chat is None:
        raise UsageError("the judge 'chat' asks a model: name it with --chat-model")
    return ChatJudgeConfig(agent.chat)


JUDGES: dict[str, Callable[[SpatialPolicyConfig], VideoJudgeConfig | ChatJudgeConfig | None]] = {
    "chat": _chat_judge,
    "none": lambda _: None,
}


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
    """Evaluate one row into `out` (results.json, gallery, videos); finished episodes are not run again.

    Its models compute on the run's device in every worker; here they only say what they are.
    """
    here = replace(run, device=CPU)
    chosen = lookup("row", row, ROWS)
    judged = critic_stages(run.recipe) if chosen.goals == "imagined" else ()
    own = system_of(run.recipe).rows
    used = lookup("row", row, own)(run.recipe) if chosen.goals is not None else ()
    stages = {name: load_stage(here, name) for name in (*used, *judged)}
    for stage in stages.values():
        check_fit(stage, cases)
    refuse_other_cases(out, cases)
    expert_data = record_expert(run, cases, workers, chosen.goals) if chosen.needs_expert else None
    make = partial(build_row, run, row, expert_data, cases[0].env)
    subject = Subject(
        agent=run.recipe.name if row == "agent" else row,
        recipe=run.recipe.name,
        checkpoints={name: stage.digest for name, stage in stages.items()},
        privileged=build_row(here, row, expert_data, cases[0].env).privileged,
        settings={
            "agent": _settings(run, chosen),
            "data": run.record().data,
            "sampling": _sampling(run, stages),
            # Sums come out differently there, so that an episode may end otherwise.
            **({} if run.device == CPU else {"device": run.device.partition(":")[0]}),
        },
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
        device=run.device,
        recording=Recording() if row == "agent" else None,
        limit=limit,
    )
    write_results(out, results)
    return results


def _sampling(run: Run, stages: Iterable[str]) -> str:
    return to_json({name: sampling_settings(run.recipe.stage(name).model) for name in stages})


def refuse_other_cases(out: Path, cases: Sequence[Case]) -> None:
    """Raise where a folder holds results of cases that are not among these: they would be replaced.

    More cases than before, or other rows on the same ones, are what a folder is for.
    """
    if not (out / FILE_NAME).exists():
        return
    there, asked = read_results(out).cases, set(cases)
    lost = [case for case in there if case not in asked]
    if lost:
        raise UsageError(
            f"{out / FILE_NAME} holds {len(there)} episodes, of {_what(there)}; {len(lost)} of them are not "
            f"among the {len(cases)} asked for, of {_what(cases)}. Name another folder with --out DIR, or "
            "ask for those too"
        )


def _what(cases: Sequence[Case]) -> str:
    tasks, cameras = dict.fromkeys(c.task for c in cases), dict.fromkeys(c.camera for c in cases)
    seeds = sorted({case.seed for case in cases})
    return f"{', '.join(tasks)} seeds {seeds[0]}-{seeds[-1]} {', '.join(cameras)} {protocol(cases)}"


def _settings(run: Run, row: Row) -> str:
    return to_json(run.recipe.agent if row.follower == "own" else run.recipe.evaluation.avdc)


def protocol(cases: Sequence[Case]) -> str:
    """The cases' start, and what they are drawn from where that is not what training shows."""
    words = (word for case in cases for word in (case.start, case.split) if word not in ("", "train"))
    return ", ".join(dict.fromkeys(words))


def make_environment(limit: int, case: Case) -> Environment:
    return envs.make_case(case, limit)


def report_rows(run: Run, found: Mapping[str, Results], out: Path) -> Path:
    """The page of an evaluation in `out`, with the run's training curves and phase times."""
    main, *others = found
    metrics = {stage.name: run.stage_folder(stage.name) / "metrics.jsonl" for stage in run.recipe.stages}
    curves = {name: file for name, file in metrics.items() if file.exists()}
    rows = {name: found[name] for name in others}
    return write_report(out, found[main], rows, phases=run.record().seconds, curves=curves)
