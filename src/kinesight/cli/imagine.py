"""`kinesight imagine`"""

from pathlib import Path
from typing import Annotated

import tyro

from kinesight.cli.arguments import LOCAL_CHAT, ChatKey, ChatModel, ChatUrl, Name, Start, place, shown


def imagine(
    run: Annotated[tyro.conf.Positional[Path], place("RUN")],
    task: Name,
    seed: int = 0,
    camera: Name = "corner",
    start: Start = "standard",
    planner: Annotated[str, shown("NAME", "the recipe's")] = "",
    chat_model: ChatModel = "",
    chat_url: ChatUrl = LOCAL_CHAT,
    chat_key: ChatKey = "",
    out: Annotated[Path, shown("FILE")] = Path("imagined.png"),
) -> None:
    """Imagine the future of a scene and show it against the expert's frames.

    A system that imagines the next frame alone, with its depth, does so at moments of the expert's episode.

    Args:
        run: a trained run
        task: task (see kinesight list)
        seed: layout
        camera: view
        start: whether a constant action moves the arm away first
        planner: who plans (see kinesight list)
        chat_model: vision-language model that the planner asks, if it asks one
        chat_url: its OpenAI-compatible endpoint
        chat_key: environment variable that holds the endpoint's key
        out: PNG: imagined frames above the expert's
    """
    from kinesight.cli.console import path, say
    from kinesight.experiments.evaluation import with_agent
    from kinesight.experiments.pictures import imagined_against_expert, write_png
    from kinesight.experiments.runs import open_run
    from kinesight.language.chat import ChatConfig
    from kinesight.language.plan_text import format_plan
    from kinesight.types.case import Case

    chat = ChatConfig(chat_model, chat_url, chat_key) if chat_model else None
    opened = with_agent(open_run(run), planner=planner, chat=chat)
    shown = imagined_against_expert(opened, Case(opened.recipe.data.env, task, seed, camera, start))
    write_png(out, shown.picture)
    if shown.plan is not None:
        print(format_plan(shown.plan))
        for note in shown.plan.notes:
            say(f"{note.kind}: {note.reason}")
    say(f"mean error where things move: {shown.error:.3f} of the full range")
    say(f"the same for the {'first' if shown.plan else 'present'} frame, repeated: {shown.copy_error:.3f}")
    below = "; below the same of depth" if shown.depth else ""
    say(f"{path(out)} shows imagined frames (above) against the expert's{below}")
