"""The dialects that there are. Add one here: a grid, a grammar, and the form in a sentence."""

from collections.abc import Mapping
from dataclasses import replace

from kinesight.language.dialects import codec
from kinesight.language.dialects.box_tokens import BoxTokens
from kinesight.language.dialects.codec import Dialect
from kinesight.language.dialects.grid import Grid, ResizedPixels, original_pixels, shares, thousandths
from kinesight.language.dialects.marks_json import JsonMarks
from kinesight.language.dialects.marks_xml import XmlMarks
from kinesight.language.dialects.records import Conversation, HumanRecord, SwiftRecord
from kinesight.language.dialects.sketch import Prompt
from kinesight.language.dialects.tuples import PeekAnswer, TupleList
from kinesight.types.errors import lookup
from kinesight.types.spatial import KINDS, Answer, ImageSize, Kind

RESIZED = Grid(ResizedPixels(), "pixels of the resized picture", 0)
THOUSANDTHS = Grid(thousandths, "thousandths of the side", 0)
QWEN3 = replace(THOUSANDTHS, spare=1)
HUNDREDTH_SHARES = Grid(shares, "shares of the side", 2)
THOUSANDTH_SHARES = Grid(shares, "shares of the side", 3)
FINE_SHARES = Grid(shares, "shares of the side", 4)
PIXELS = Grid(original_pixels, "pixels of the picture", 1)

_ROBOPOINT = TupleList(kinds=KINDS)
_LIST = "Answer with a list of tuples [(x1, y1), (x2, y2), ...], x and y between 0 and 1."

_ALL = (
    Dialect("qwen2.5-vl", RESIZED, JsonMarks(), "Answer in JSON, in pixels of the picture you see."),
    Dialect("qwen2.5-vl-xml", RESIZED, XmlMarks(), "Answer in XML, in pixels of the picture you see."),
    Dialect("qwen3-vl", QWEN3, JsonMarks(), "Answer in JSON, coordinates from 0 to 1000."),
    Dialect("qwen2-vl", THOUSANDTHS, BoxTokens(), "Answer with box tokens, coordinates from 0 to 1000."),
    Dialect("ms-swift", FINE_SHARES, SwiftRecord("norm1"), "A record for training with ms-swift."),
    Dialect("ms-swift-real", PIXELS, SwiftRecord("real"), "A record for training with ms-swift, in pixels."),
    Dialect("st-human", THOUSANDTHS, HumanRecord(), "A record of ST-Human."),
    Dialect(
        "llava", THOUSANDTH_SHARES, Conversation(_ROBOPOINT), "A LLaVA conversation with RoboPoint's answer."
    ),
    Dialect(
        "llava-qwen2.5-vl", RESIZED, Conversation(JsonMarks()), "A LLaVA conversation with Qwen's answer."
    ),
    Dialect("robopoint", THOUSANDTH_SHARES, _ROBOPOINT, _LIST),
    Dialect(
        "hamster",
        HUNDREDTH_SHARES,
        TupleList("<ans>", "</ans>", gripper=True),
        f"{_LIST} Put the list between <ans> and </ans>; add <action>Open Gripper</action> or"
        " <action>Close Gripper</action> after the point where it happens.",
    ),
    Dialect(
        "peek",
        HUNDREDTH_SHARES,
        PeekAnswer(),
        "Answer with TRAJECTORY: <ans>[(x1, y1), ...]</ans> MASK: <ans>[(x1, y1), ...]</ans>, x and y between"
        " 0 and 1: the gripper's path, and points that must stay visible.",
    ),
    Dialect(
        "st-vla",
        THOUSANDTHS,
        TupleList("<answer_start>", "<answer_end>", path_points=8, separator=","),
        "Answer with <answer_start>[(x1,y1), (x2,y2), ...]<answer_end>, coordinates from 0 to 1000; a path"
        " has exactly 8 points.",
    ),
    Dialect("json", FINE_SHARES, JsonMarks(), "Answer in JSON, coordinates as shares from 0 to 1."),
    Dialect("xml", FINE_SHARES, XmlMarks(), "Answer in XML, coordinates as shares from 0 to 1."),
)

DIALECTS: Mapping[str, Dialect] = {dialect.name: dialect for dialect in _ALL}


def dialect(name: str) -> Dialect:
    """The dialect of that name, or the nearest name and the list."""
    return lookup("dialect", name, DIALECTS)


def qwen25_with_budget(min_pixels: int, max_pixels: int, name: str = "qwen2.5-vl") -> Dialect:
    """A dialect of Qwen2.5-VL's pixels for a model that was run with another pixel budget."""
    return replace(dialect(name), grid=replace(RESIZED, extent=ResizedPixels(min_pixels, max_pixels)))


def write(answer: Answer, size: ImageSize, name: str, prompt: Prompt | None = None) -> str:
    """The answer in the named dialect; see `codec.write`."""
    return codec.write(answer, size, dialect(name), prompt)


def read(text: str, kind: Kind, size: ImageSize, name: str) -> Answer:
    """The answer that a reply in the named dialect says; an error says which other dialect it looks like."""
    return codec.read(text, kind, size, dialect(name), DIALECTS.values())
