"""Demonstrations of the scripted expert, recorded in parallel.

Attempts follow a plan that depends on their outcomes alone: in each wave every task gets as many new seeds as
it lacks episodes, one of each task in turn. Episodes are appended in the plan's order. The plan can therefore
be followed again from what is stored: whatever precedes the last stored episode and is not there has failed.
A collection that was killed goes on to the same files, with any number of workers.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import MISSING, dataclass, fields, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path

from kinesight.agents.episode import run_episode
from kinesight.collection.plan import Attempt, AttemptPlan
from kinesight.collection.recorder import Recorder
from kinesight.collection.recovery import DISTURBANCES, MOST_STEPS, PLAIN, Disturbed
from kinesight.data.episodes import DatasetInfo, Episode, EpisodeStore
from kinesight.data.parallel import ordered_map
from kinesight.data.progress import ProgressLine
from kinesight.envs import catalogue
from kinesight.envs.catalogue import parts
from kinesight.interfaces.agent import Agent
from kinesight.interfaces.environment import Environment
from kinesight.types.action import ActionSpec
from kinesight.types.case import STARTS, Case
from kinesight.types.errors import DataError, UsageError, lookup
from kinesight.types.locks import LOCK, waited_for
from kinesight.types.observation import ViewRequest
from kinesight.types.serial import differences, to_jsonable

MakeEnvironment = Callable[[Case, int], Environment]
MakeExpert = Callable[[str, Case, float], Agent]
PACKAGES = ("kinesight", "numpy", "safetensors")


@dataclass(frozen=True, slots=True)
class CollectionConfig:
    """What to demonstrate and what to record of it."""

    env: str
    tasks: tuple[str, ...]
    episodes: int
    """By task; attempts at which the expert fails do not count."""
    cameras: tuple[str, ...]
    """The first one is the case's own."""
    height: int = 128
    width: int = 128
    rgb: bool = True
    depth: bool = False
    segmentation: bool = False
    crop: bool = True
    """Apply the crop window that the environment names for the task and view."""
    scene: bool = True
    """Record object positions and the simulator's state; privileged."""
    starts: tuple[str, ...] = STARTS
    """Dealt to the seeds of a task in turn."""
    split: str = "train"
    """From what the cases are drawn, of the splits that the environment has."""
    noise_std: float = 0.0
    """Of the noise on the executed actions; the recorded ones stay the expert's."""
    first_seed: int = 1000
    hold_steps: int = 0
    """Steps recorded after the first success."""
    recovery: tuple[str, ...] = (PLAIN,)
    """Kinds of disturbance to recover from (see collection/recovery.py), dealt to the seeds in turn,
    each with every start; "none" leaves an episode plain."""
    limit: int = 500
    only_successes: bool = True
    fps: float = 80.0
    """Steps in a second of simulated time; 80 is Meta-World's."""

    def __post_init__(self) -> None:
        if not self.tasks or len(set(self.tasks)) < len(self.tasks):
            raise UsageError(f"A collection needs tasks, each once, got {self.tasks}.")
        if not self.cameras or len(set(self.cameras)) < len(self.cameras):
            raise UsageError(f"A collection needs cameras, each once, got {self.cameras}.")
        if self.episodes < 1 or self.hold_steps < 0 or self.limit < 1:
            raise UsageError(
                "A collection needs episodes >= 1, hold_steps >= 0 and limit >= 1, got "
                f"{self.episodes}, {self.hold_steps} and {self.limit}"
            )
        if not self.starts or not set(self.starts) <= set(STARTS):
            raise UsageError(f"starts must be some of {', '.join(STARTS)}, got {self.starts}.")
        if not self.recovery:
            raise UsageError(f"recovery must name a kind of disturbance or {PLAIN!r}, got none.")
        for kind in self.recovery:
            lookup("kind of recovery", kind, {PLAIN: None, **DISTURBANCES})
        if set(self.recovery) != {PLAIN} and not self.scene:
            raise UsageError("recovery places the hand beside the target; it needs scene=True.")
        chains = any(len(parts(self.env, task)) > 1 for task in self.tasks)
        if set(self.recovery) != {PLAIN} and chains:
            raise UsageError(f"recovery disturbs single tasks; those of {self.env} are several in a row.")

    def request(self) -> ViewRequest:
        return ViewRequest(
            cameras=self.cameras,
            height=self.height,
            width=self.width,
            rgb=self.rgb,
            depth=self.depth,
            segmentation=self.segmentation,
            crop=self.crop,
            scene=self.scene,
        )

    def case(self, task: str, seed: int) -> Case:
        start = self.starts[(seed - self.first_seed) % len(self.starts)]
        return Case(self.env, task, seed, self.cameras[0], start, self.split)

    def disturbance(self, seed: int) -> str:
        """The kind that the seed is dealt: it changes when every start has had its turn."""
        return self.recovery[(seed - self.first_seed) // len(self.starts) % len(self.recovery)]


def collect(
    config: CollectionConfig,
    path: Path | str,
    workers: int = 1,
    command: str = "",
    make_environment: MakeEnvironment = catalogue.make_case,
    make_expert: MakeExpert = catalogue.expert,
) -> EpisodeStore:
    """Record until every task has its episodes; a folder with some of them is completed.

    Of several processes that want the same folder one records, the others wait for it.
    """
    # Made before anything is written: a wrong task or camera is answered here.
    specs = [make_environment(config.case(task, config.first_seed), 1).action_spec for task in config.tasks]
    with waited_for(Path(path) / LOCK, f"data set {path}"):
        store = _open(config, Path(path), command, specs[0])
        _complete(config, store, workers, make_environment, make_expert)
    return store


def _complete(
    config: CollectionConfig,
    store: EpisodeStore,
    workers: int,
    make_environment: MakeEnvironment,
    make_expert: MakeExpert,
) -> None:
    plan = AttemptPlan(config.tasks, config.episodes, config.first_seed)
    stored, begun = stored_attempts(store)
    record = partial(record_episodes, config, make_environment, make_expert)
    total = config.episodes * len(config.tasks)
    with ProgressLine("collect", total, done=len(stored)) as line:
        while wave := plan.next_wave():
            known = plan.resolved(wave, stored)
            for task, seed in wave[:known]:
                plan.note(task, seed, success=(task, seed) in stored)
            cases = [config.case(task, seed) for task, seed in wave[known:]]
            for case, episodes in zip(cases, ordered_map(record, cases, workers), strict=True):
                attempt = case.task, case.seed
                kept = not config.only_successes or all(episode.text["succeeded"] for episode in episodes)
                if kept:
                    for episode in episodes[begun[attempt] :]:
                        store.append(episode)
                    stored.add(attempt)
                plan.note(*attempt, success=kept)
                line.update(len(stored), f"{plan.failures} failed attempts left out" if plan.failures else "")
    failed = {task: tuple(seeds) for task, seeds in plan.failed.items()}
    if store.info.failed != failed:
        store.update_info(replace(store.info, failed=failed))


def stored_attempts(store: EpisodeStore) -> tuple[set[Attempt], Counter[Attempt]]:
    """Attempts whose episodes are all there, and how many are there of each that was cut off between two."""
    there, whole = Counter[Attempt](), dict[Attempt, int]()
    for meta in map(store.meta, range(len(store))):
        chain = meta.text.get("chain", {"task": meta.case.task, "episodes": 1})
        attempt = chain["task"], meta.case.seed
        there[attempt] += 1
        whole[attempt] = chain["episodes"]
    done = {attempt for attempt, count in there.items() if count == whole[attempt]}
    return done, Counter({attempt: count for attempt, count in there.items() if attempt not in done})


def record_episodes(
    config: CollectionConfig, make_environment: MakeEnvironment, make_expert: MakeExpert, case: Case
) -> tuple[Episode, ...]:
    """The expert's episode of a case, or one for each of its tasks; `text["succeeded"]` tells how it ended.

    `text["recovery"]` tells what happened before, where it begins in a disturbed state.
    """
    recorder = Recorder(config.request(), {"noise_std": config.noise_std})
    agent = make_expert(config.env, case, config.noise_std)
    kind = config.disturbance(case.seed)
    if kind == PLAIN:
        environment = make_environment(case, config.limit)
        run_episode(environment, agent, (recorder,), hold_steps=config.hold_steps)
        return _of_chain(case, recorder.episodes())
    environment = Disturbed(
        make_environment(case, 2 * config.limit + MOST_STEPS),
        make_expert(config.env, case, 0.0),
        kind,
        config.limit,
    )
    run_episode(environment, agent, (recorder,), hold_steps=config.hold_steps)
    episode = recorder.episode()
    return (replace(episode, text={**episode.text, "recovery": to_jsonable(environment.disturbance)}),)


def _of_chain(case: Case, episodes: tuple[Episode, ...]) -> tuple[Episode, ...]:
    """With the chain that they are of, where the case holds several tasks."""
    if episodes[0].case.task == case.task:
        return episodes
    text = {"chain": {"task": case.task, "episodes": len(episodes)}}
    return tuple(replace(episode, text={**episode.text, **text}) for episode in episodes)


def _open(config: CollectionConfig, path: Path, command: str, action: ActionSpec) -> EpisodeStore:
    collector = to_jsonable(config)
    if not (path / "dataset.json").exists():
        info = DatasetInfo(
            tasks=tuple(dict.fromkeys(name for task in config.tasks for _, name in parts(config.env, task))),
            cameras=config.cameras,
            fps=config.fps,
            action=action,
            collector=collector,
            command=command,
            versions={name: version(name) for name in PACKAGES},
            failed=dict.fromkeys(config.tasks, ()),
        )
        return EpisodeStore.create(path, info)
    store = EpisodeStore(path)
    # A data set of before a setting was there was made as the setting's default makes it.
    there = dict(store.info.collector)
    for field in fields(config):
        if field.default is not MISSING:
            there.setdefault(field.name, to_jsonable(field.default))
    if differing := differences(there, collector):
        raise DataError(
            f"{path} holds a data set of another collection: {'; '.join(differing)}. Name another folder, or "
            "the same settings to complete it."
        )
    return store
