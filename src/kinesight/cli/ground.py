"""`kinesight ground`"""

from pathlib import Path
from typing import Annotated

from kinesight.cli.arguments import Name, Names, Workers, shown


def ground(
    out: Annotated[Path, shown("DIR")],
    tasks: Names = "all",
    env: Name = "tabletop",
    episodes: int = 20,
    cameras: Annotated[str, shown("A,B,…", "every one of the environment")] = "",
    looks: Names = "own,random",
    size: int = 128,
    moments: int = 8,
    env_split: Name = "train",
    modalities: Names = "rgb,depth",
    codec: Annotated[str, shown("jpeg|png")] = "jpeg",
    plans: Annotated[Path | None, shown("DIR", "DIR/plans")] = None,
    dialect: Annotated[str, shown("NAME", "no export")] = "",
    form: Annotated[str, shown("swift|llava")] = "swift",
    workers: Workers = 0,
) -> None:
    """Make questions about simulated pictures with their true answers; a killed run resumes.

    Args:
        out: folder of the set
        tasks: tasks or sets of tasks (see kinesight list); all: all that have spatial records
        env: simulator
        episodes: trajectories of each task that reach the goal
        cameras: views; "free" is drawn anew for each episode
        looks: table tops, walls and lights; "own" is the episode's, "random" drawn for each view
        size: height and width of the pictures in pixels
        moments: of each episode, at least
        env_split: the environment's split that layouts are drawn from
        modalities: what is stored: rgb, depth, segmentation
        codec: of the colour pictures
        plans: trajectories made before, to be drawn again
        dialect: also write the records for training, places as this dialect writes them
        form: of the records for training, where the dialect names none
        workers: processes
    """
    from kinesight.cli import arguments, console
    from kinesight.collection.grounding import export, make
    from kinesight.envs import catalogue as envs
    from kinesight.experiments.training import processes

    export.check_dialect(dialect or "json", form)  # before anything is simulated
    config = make.GroundConfig(
        env, () if tasks == "all" else envs.task_set(env, tasks), episodes,
        arguments.names(cameras) if cameras else (), arguments.names(looks), size, size, moments,
        env_split=env_split, codec=codec, modalities=arguments.names(modalities),
    )  # fmt: skip
    made = make.ground(config, out, workers or processes(), arguments.command(), plans)
    console.say(f"{len(made)} records about {made.frame_count} frames, see {console.path(out / 'card.md')}")
    for name, count in export.export(out, dialect, form).files.items() if dialect else ():
        console.say(f"{count} records in {console.path(out / 'export' / name)}")
