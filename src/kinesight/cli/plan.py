"""`kinesight plan`"""

from pathlib import Path
from typing import Annotated

from kinesight.cli.arguments import Name, Start, shown


def plan(
    task: Name,
    seed: int = 0,
    env: Name = "metaworld",
    camera: Name = "corner",
    start: Start = "standard",
    out: Annotated[Path | None, shown("FILE", "none")] = None,
) -> None:
    """Print the geometric planner's spatial plan of a scene.

    Args:
        task: task (see kinesight list)
        seed: layout
        env: simulator (see kinesight list)
        camera: the plan's directions follow this view's axes
        start: whether a constant action moves the arm away first
        out: PNG that shows the scene with the plan under it
    """
    from kinesight.cli.console import path, say
    from kinesight.experiments.pictures import plan_picture, write_png
    from kinesight.language.plan_text import format_plan
    from kinesight.types.case import Case

    made, picture = plan_picture(Case(env, task, seed, camera, start))
    print(format_plan(made))
    if out is not None:
        write_png(out, picture)
        say(path(out))
