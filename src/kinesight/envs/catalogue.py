"""Every environment by name. Importing this file loads no simulator; `make` does."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from kinesight.envs import metaworld_looks, metaworld_tables, opengl, tabletop_splits, tabletop_tasks
from kinesight.interfaces.agent import Agent
from kinesight.interfaces.environment import Environment
from kinesight.types.case import Case
from kinesight.types.errors import UnknownName, UsageError, lookup
from kinesight.types.observation import Scene

DEFAULT_LIMIT = 500


@dataclass(frozen=True, slots=True)
class Entry:
    """What is known of an environment without starting it, and how to start it."""

    tasks: tuple[str, ...]
    task_sets: dict[str, tuple[str, ...]]
    cameras: tuple[str, ...]
    make: Callable[[Case, int], Environment]
    expert: Callable[[float], Agent]
    """Noise's standard deviation -> the scripted expert."""
    fps: float = 80.0
    """Steps in a second of simulated time."""
    limit: int = DEFAULT_LIMIT
    """Steps of an episode, unless stated."""
    splits: tuple[str, ...] = ("train",)
    """From what a case may be drawn; a case that names none is drawn as in training."""
    parts: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """Task that is several in turn -> those, which are tasks of `parts_of`."""
    parts_of: str = ""
    """Environment."""
    counterparts: Mapping[str, str] = field(default_factory=dict)
    """Task -> the one that begins alike in the same scene."""
    revised: tuple[str, ...] = ()
    """Tasks whose pictures are not what they were in earlier versions."""
    guessing: Callable[[], Agent] | None = None
    """The expert that never heard the sentence; None where the sentence leaves nothing to choose."""
    misled: Callable[[Agent], Agent] | None = None
    """The same agent, told another sentence of the right kind; None where tasks have one sentence each."""


def _metaworld(case: Case, limit: int) -> Environment:
    if "MUJOCO_GL" in os.environ:
        opengl.platform()  # says what to install, before MuJoCo fails to load
    from kinesight.envs.metaworld import MetaWorld

    return MetaWorld(case, limit)


def _metaworld_expert(noise_std: float) -> Agent:
    from kinesight.envs.metaworld_expert import ScriptedExpert

    return _noisy(ScriptedExpert(), noise_std)


def _metaworld_chain(case: Case, limit: int) -> Environment:
    if "MUJOCO_GL" in os.environ:
        opengl.platform()
    from kinesight.envs.metaworld_chains import MetaWorldChain

    return MetaWorldChain(case, limit)


def _metaworld_chain_expert(noise_std: float) -> Agent:
    from kinesight.envs.metaworld_chains import ChainExpert

    return _noisy(ChainExpert(), noise_std)


def _noisy(agent: Agent, noise_std: float) -> Agent:
    from kinesight.envs.noisy import Noisy

    return Noisy(agent, noise_std) if noise_std else agent


def _tabletop(case: Case, limit: int) -> Environment:
    if "MUJOCO_GL" in os.environ:
        opengl.platform()
    from kinesight.envs.tabletop import TableTop

    return TableTop(case, limit)


def _tabletop_expert(noise_std: float) -> Agent:
    from kinesight.envs.tabletop_expert import TableTopExpert

    return _noisy(TableTopExpert(), noise_std)


def _tabletop_guessing() -> Agent:
    from kinesight.envs.tabletop_guess import GuessingExpert

    return GuessingExpert()


def _tabletop_misled(agent: Agent) -> Agent:
    from kinesight.envs.tabletop_guess import ToldOtherwise

    return ToldOtherwise(agent)


ENVIRONMENTS: dict[str, Entry] = {
    "metaworld": Entry(
        tasks=tuple(metaworld_tables.INSTRUCTIONS),
        task_sets=metaworld_tables.TASK_SETS,
        cameras=metaworld_tables.CAMERAS,
        make=_metaworld,
        expert=_metaworld_expert,
        splits=tuple(split for split in metaworld_looks.SPLITS if split),
        counterparts=metaworld_tables.COUNTERPARTS,
        revised=metaworld_tables.REVISED,
    ),
    "metaworld-chains": Entry(
        tasks=tuple(metaworld_tables.CHAIN_FAMILIES),
        task_sets={"all": tuple(metaworld_tables.CHAIN_FAMILIES)},
        cameras=metaworld_tables.CAMERAS,
        make=_metaworld_chain,
        expert=_metaworld_chain_expert,
        limit=metaworld_tables.chain_limit(),
        parts=metaworld_tables.CHAIN_FAMILIES,
        parts_of="metaworld",
        splits=tuple(split for split in metaworld_looks.SPLITS if split),
    ),
    "tabletop": Entry(
        tasks=tuple(tabletop_tasks.TASKS),
        task_sets=tabletop_tasks.TASK_SETS,
        cameras=("front", "left", "right"),
        make=_tabletop,
        expert=_tabletop_expert,
        fps=20.0,
        splits=tuple(tabletop_splits.SPLITS),
        guessing=_tabletop_guessing,
        misled=_tabletop_misled,
    ),
}


def names() -> tuple[str, ...]:
    return tuple(ENVIRONMENTS)


def tasks(name: str) -> tuple[str, ...]:
    return lookup("environment", name, ENVIRONMENTS).tasks


def cameras(name: str) -> tuple[str, ...]:
    return lookup("environment", name, ENVIRONMENTS).cameras


def fps(name: str) -> float:
    return lookup("environment", name, ENVIRONMENTS).fps


def limit(name: str) -> int:
    """Steps of an episode, unless stated."""
    return lookup("environment", name, ENVIRONMENTS).limit


def revised(name: str, tasks: Sequence[str]) -> tuple[str, ...]:
    """Those of the tasks whose pictures are not what they were in earlier versions."""
    entry = lookup("environment", name, ENVIRONMENTS)
    return tuple(task for task in tasks if task in entry.revised)


def parts(name: str, task: str) -> tuple[tuple[str, str], ...]:
    """Environment and name of the tasks that a task consists of; of most it is the task itself."""
    entry = ENVIRONMENTS.get(name)
    if entry is None or task not in entry.parts:
        return ((name, task),)
    return tuple((entry.parts_of, part) for part in entry.parts[task])


def splits(name: str) -> tuple[str, ...]:
    """What the cases of an environment may be drawn from."""
    return lookup("environment", name, ENVIRONMENTS).splits


def holds_several(name: str) -> bool:
    """Whether a case of the environment holds several tasks in a row."""
    return bool(lookup("environment", name, ENVIRONMENTS).parts)


def same_scene(name: str, task: str) -> tuple[str, ...]:
    """Other tasks that could be asked for in the scene of a task: its counterpart, or its mates in chains."""
    if other := lookup("environment", name, ENVIRONMENTS).counterparts.get(task):
        return (other,)
    made_of = [
        pair
        for entry in ENVIRONMENTS.values()
        for pair in entry.parts.values()
        if entry.parts_of == name and task in pair
    ]
    return tuple(dict.fromkeys(other for pair in made_of for other in pair if other != task))


def task_set(name: str, text: str) -> tuple[str, ...]:
    """The tasks of a comma-separated list that may hold names of sets, each once, in order."""
    entry = lookup("environment", name, ENVIRONMENTS)
    known = {**{task: (task,) for task in entry.tasks}, **entry.task_sets}
    chosen: dict[str, None] = {}
    for word in text.split(","):
        if word.strip():
            chosen |= dict.fromkeys(lookup(f"{name} task or set", word.strip(), known))
    if not chosen:
        raise UsageError(f"No task is named in {text!r}. Sets: {', '.join(entry.task_sets)}.")
    return tuple(chosen)


def make(
    name: str,
    task: str,
    seed: int,
    *,
    camera: str = "",
    start: str = "standard",
    limit: int | None = None,
) -> Environment:
    """An environment of one case; `camera` "" is its first, `limit` None what it says itself."""
    return make_case(Case(name, task, seed, camera or cameras(name)[0], start), limit)


def make_case(case: Case, limit: int | None = None) -> Environment:
    entry = lookup("environment", case.env, ENVIRONMENTS)
    lookup(f"{case.env} task", case.task, dict.fromkeys(entry.tasks))
    if case.camera not in entry.cameras:
        raise UnknownName(f"{case.env} camera", case.camera, entry.cameras)
    if case.split not in ("", *entry.splits):
        raise UnknownName(f"{case.env} split", case.split, entry.splits)
    return entry.make(case, entry.limit if limit is None else limit)


def expert(name: str, case: Case, noise_std: float = 0.0) -> Agent:
    """The scripted expert, reset to `case`; with noise its decisions carry the clean action as label."""
    agent = lookup("environment", name, ENVIRONMENTS).expert(noise_std)
    agent.reset(case)
    return agent


def counterpart_expert(name: str, case: Case, noise_std: float = 0.0) -> Agent:
    """The scripted expert of the case's counterpart, in the case's own scene."""
    from kinesight.envs.counterpart import CounterpartExpert

    entry = lookup("environment", name, ENVIRONMENTS)
    agent = CounterpartExpert(entry.expert(noise_std), entry.counterparts)
    agent.reset(case)
    return agent


def scene_told(case: Case, told: Case, scene: Scene) -> Scene:
    """The scene of a case with target and goal of the task that somebody takes it for.

    Known for counterparts alone; of any other two tasks it is the scene as it is, with the true points.
    """
    from kinesight.envs.counterpart import counterpart_scene

    counterparts = lookup("environment", case.env, ENVIRONMENTS).counterparts
    return counterpart_scene(case.task, scene) if counterparts.get(case.task) == told.task else scene
