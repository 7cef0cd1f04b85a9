"""`kinesight plan`"""

from pathlib import Path
from typing import Annotated

from kinesight.cli.arguments import LOCAL_CHAT, ChatKey, ChatModel, ChatUrl, Name, Start, shown


def plan(
    task: Name,
    seed: int = 0,
    env: Name = "metaworld",
    camera: Name = "corner",
    start: Start = "standard",
    planner: Name = "geometric",
    chat_model: ChatModel = "",
    chat_url: ChatUrl = LOCAL_CHAT,
    chat_key: ChatKey = "",
    out: Annotated[Path | None, shown("FILE", "none")] = None,
) -> None:
    """Print a planner's spatial plan of a scene.

    Args:
        task: task (see kinesight list)
        seed: layout
        env: simulator (see kinesight list)
        camera: the plan's directions follow this view's axes
        start: whether a constant action moves the arm away first
        planner: who plans (see kinesight list)
        chat_model: vision-language model that the planner asks, if it asks one
        chat_url: its OpenAI-compatible endpoint
        chat_key: environment variable that holds the endpoint's key
        out: PNG that shows the scene with the plan under it
    """
    from kinesight.agents.spatial_policy import SpatialPolicyConfig
    from kinesight.cli.console import path, say
    from kinesight.experiments.pictures import plan_picture, write_png
    from kinesight.experiments.planners import make_planners
    from kinesight.language.chat import ChatConfig
    from kinesight.language.plan_text import format_plan
    from kinesight.types.case import Case

    chat = ChatConfig(chat_model, chat_url, chat_key) if chat_model else None
    planners = make_planners(SpatialPolicyConfig(planner=planner, chat=chat))
    made, picture = plan_picture(Case(env, task, seed, camera, start), planners)
    print(format_plan(made))
    for note in made.notes:
        say(f"{note.kind}: {note.reason}")
    if out is not None:
        write_png(out, picture)
        say(path(out))
