"""`kinesight show`"""

from pathlib import Path
from typing import Annotated

import tyro

from kinesight.cli.arguments import Name, Start, shown


def show(
    data: Annotated[tyro.conf.Positional[Path | None], shown("DATA", "the expert plays --task")] = None,
    task: Annotated[str, shown("NAME", "that of the data")] = "",
    seed: int = 0,
    env: Name = "metaworld",
    camera: Annotated[str, shown("NAME", "the environment's first, or the recorded case's")] = "",
    start: Start = "standard",
    split: Annotated[str, shown("NAME", "as in training")] = "",
    variation: int = 0,
    episode: int = 0,
    frames: int = 7,
    size: int = 560,
    out: Annotated[Path, shown("FILE")] = Path("episode.png"),
) -> None:
    """Show an episode: boxes, masks, names, key poses and paths, drawn on its frames.

    Args:
        data: a data set, of which an episode is shown as far as it was recorded
        task: task that the scripted expert plays (see kinesight list)
        seed: layout
        env: simulator (see kinesight list)
        camera: view
        start: whether a constant action moves the arm away first
        split: from what the case is drawn (see kinesight list)
        variation: what the task fixes of the layout; 0 leaves it to the seed
        episode: number of the episode in the data set
        frames: how many frames are shown, at key poses first of all
        size: pixels a side of the expert's frames
        out: FILE.png, a self-contained FILE.html, or FILE.rrd for Rerun (extra "viewer")
    """
    from kinesight.cli.console import path, say
    from kinesight.data.episodes import EpisodeStore
    from kinesight.envs import catalogue as envs
    from kinesight.evaluation.episode_files import writer
    from kinesight.evaluation.shown_episode import expert_episode, stored_episode
    from kinesight.types.case import Case
    from kinesight.types.errors import UsageError

    if (data is None) == (not task):
        raise UsageError(
            "show either a data set (kinesight show DATA --episode 0) or the expert (--task NAME)"
        )
    write = writer(out)
    if data is not None:
        found = stored_episode(EpisodeStore(data), episode, camera, frames)
    else:
        case = Case(env, task, seed, camera or envs.cameras(env)[0], start, split, variation)
        found = expert_episode(case, size, frames)
    write(out, found)
    say(path(out))
