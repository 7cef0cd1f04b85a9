"""The lines of a results table: which there are for a recipe, and the agent of each.

The trained agent, and beside it what it has to be told apart from: no eyes, no instruction, other
goals, another one who follows them.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal

from kinesight.agents.blind_replay import blind_replay
from kinesight.agents.misled import Misled
from kinesight.agents.unspoken import Unspoken
from kinesight.collection.collect import CollectionConfig, collect
from kinesight.data.episodes import EpisodeStore
from kinesight.envs import catalogue as envs
from kinesight.experiments.avdc import make_avdc
from kinesight.experiments.instructions import another_instruction
from kinesight.experiments.recipe import Recipe
from kinesight.experiments.runs import Run
from kinesight.experiments.spatial_policy import Goals, reads_plans
from kinesight.experiments.systems import system_of
from kinesight.experiments.training import own_folder
from kinesight.interfaces.agent import Agent
from kinesight.types.case import Case
from kinesight.types.errors import UsageError, lookup

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


def rows_of(recipe: Recipe, env: str = "", tasks: Iterable[str] = ()) -> tuple[str, ...]:
    """Rows that the recipe's system has in an environment ("": its own), in the order of the table.

    `tasks`: those to be measured, none for the recipe's own. Goals can be swapped where all have a
    counterpart. AVDC follows videos of an imaginer that reads no plan; any other never learned to do without.
    """
    own = system_of(recipe).rows
    entry = lookup("environment", env or recipe.measured_in, envs.ENVIRONMENTS)
    lacking = {
        "avdc": reads_plans(recipe),
        "avdc-replan": reads_plans(recipe),
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


def demonstrated(recipe: Recipe) -> tuple[str, ...]:
    """The single tasks that the recipe learns from."""
    data = recipe.data
    return tuple(dict.fromkeys(name for task in data.tasks for _, name in envs.parts(data.env, task)))


def build_row(run: Run, row: str, expert_data: Path | None, env: str = "") -> Agent:
    """The row's agent, built in the process that runs it; `env` is where it acts, "" the recipe's."""
    chosen = ROWS[row]
    if chosen.follower != "own":
        return make_avdc(run, chosen.follower == "avdc-replan", expert_data)
    entry = lookup("environment", env or run.recipe.measured_in, envs.ENVIRONMENTS)
    if chosen.goals is not None:
        agent = system_of(run.recipe).make_agent(run, chosen.goals, expert_data)
        if chosen.told == "nothing":
            return Unspoken(agent)
        if chosen.told == "another":
            tell = partial(another_instruction, demonstrated(run.recipe))
            return entry.misled(agent) if entry.misled else Misled(agent, tell, envs.scene_told)
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
