"""A shown episode as one self-contained page, in the look of the reports."""

import base64

from jinja2 import Environment, PackageLoader, StrictUndefined

from kinesight.evaluation.episode_sheet import caption, drawn_frame, legend_entries, object_colours
from kinesight.evaluation.gallery import encode_jpeg
from kinesight.evaluation.shown_episode import ShownEpisode
from kinesight.geometry.overlay import Colour
from kinesight.types.arrays import Image


def episode_page(episode: ShownEpisode) -> str:
    """The first frame large, then every frame with its caption, then what happened when."""
    environment = Environment(
        loader=PackageLoader("kinesight.evaluation"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    colours = object_colours(episode)
    first = episode.frames[0]
    case = episode.case
    facts = {
        "environment": case.env,
        "task": case.task,
        "seed": case.seed,
        "camera": first.camera.name,
        "start": case.start,
        "split": case.split or "as in training",
        "key poses": len(episode.keyposes),
    }
    marks = [(m.step, "subtask", m.text) for m in episode.subtasks]
    marks += [(m.step, "key pose", m.text) for m in episode.keyposes]
    return environment.get_template("episode.html.j2").render(
        episode=episode,
        facts=facts,
        large=_address(drawn_frame(episode, first, colours, named=True)),
        frames=[
            (caption(episode, frame), _address(drawn_frame(episode, frame, colours)))
            for frame in episode.frames
        ],
        legend=[(_css(colour), text) for colour, text in legend_entries(episode, colours)],
        events=sorted(marks, key=lambda mark: mark[0]),
    )


def _address(picture: Image) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(encode_jpeg(picture)).decode()


def _css(colour: Colour) -> str:
    return f"rgb({colour[0]}, {colour[1]}, {colour[2]})"
