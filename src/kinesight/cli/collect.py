"""`kinesight collect`"""

from pathlib import Path
from typing import Annotated

from kinesight.cli.arguments import Name, Names, Workers, shown


def collect(
    out: Annotated[Path, shown("DIR")],
    tasks: Names,
    env: Name = "metaworld",
    episodes: int = 20,
    cameras: Names = "corner",
    size: int = 128,
    depth: bool = False,
    segmentation: bool = False,
    full_view: bool = False,
    starts: Names = "standard,shifted",
    split: Name = "train",
    noise_std: float = 0.0,
    recovery: Names = "none",
    hold_steps: int = 0,
    first_seed: int = 1000,
    workers: Workers = 0,
) -> None:
    """Record demonstrations of the scripted expert, in parallel; a killed collection resumes.

    Args:
        out: folder of the data set
        tasks: tasks or sets of tasks (see kinesight list)
        env: simulator (see kinesight list)
        episodes: successful episodes of each task
        cameras: recorded views
        size: height and width of the pictures in pixels
        depth: record depth
        segmentation: record segmentation
        full_view: the cameras' whole view instead of the task's crop window
        starts: standard, shifted or both, dealt to the seeds of a task in turn
        split: what the cases are drawn from (see kinesight list), such as several looks
        noise_std: noise on the executed actions; the labels stay the expert's
        recovery: push, slip, stop: disturb the expert and record its correction; none stays plain
        hold_steps: steps kept after the first success
        first_seed: seeds of demonstrations begin here
        workers: processes
    """
    from kinesight.cli import arguments
    from kinesight.cli.console import path, say
    from kinesight.collection.collect import CollectionConfig
    from kinesight.collection.collect import collect as collect_episodes
    from kinesight.envs import catalogue as envs
    from kinesight.experiments.training import processes

    config = CollectionConfig(
        env=env,
        tasks=envs.task_set(env, tasks),
        episodes=episodes,
        cameras=arguments.names(cameras),
        height=size,
        width=size,
        depth=depth,
        segmentation=segmentation,
        crop=not full_view,
        starts=arguments.names(starts),
        noise_std=noise_std,
        recovery=arguments.names(recovery),
        hold_steps=hold_steps,
        first_seed=first_seed,
        limit=envs.limit(env),
        fps=envs.fps(env),
        split=split,
    )
    store = collect_episodes(config, out, workers or processes(), arguments.command())
    failed = sum(len(seeds) for seeds in store.info.failed.values())
    note = f"; the expert failed at {failed} seeds, left out" if failed else ""
    say(f"{len(store)} episodes in {path(out)}{note}")
