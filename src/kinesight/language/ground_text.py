"""Ground records as text: the question with its form of answer, and the true answer, in one dialect.

Places are written by the dialect. What is no place (a choice, progress, depths, a sentence) has one form for
all of them, `kinesight.language.dialects.answers`, which the scores read again.
"""

from collections.abc import Mapping

from kinesight.language.dialects import answers, codec
from kinesight.language.dialects.catalogue import dialect as named_dialect
from kinesight.language.dialects.codec import Dialect
from kinesight.language.dialects.sketch import Prompt
from kinesight.types.ground import (
    BoxAnswer,
    ChoiceAnswer,
    GroundAnswer,
    MetresAnswer,
    OffsetsAnswer,
    PathAnswer,
    ProgressAnswer,
    Record,
    RegionAnswer,
    SentenceAnswer,
)
from kinesight.types.spatial import Answer, ImageSize, kind_of

SPOKEN: Mapping[str, str] = {
    "ms-swift": "json",
    "ms-swift-real": "json",
    "st-human": "st-vla",
    "llava": "robopoint",
    "llava-qwen2.5-vl": "qwen2.5-vl",
}
"""Dialects whose answers are whole records -> the dialect of a path inside a question's sentence."""


def places(answer: GroundAnswer) -> Answer | None:
    """The points, box or path of an answer; None for what is no place."""
    match answer:
        case RegionAnswer(points):
            return points
        case BoxAnswer(box):
            return (box,)
        case PathAnswer(path):
            return path
    return None


def has_form(record: Record, dialect: Dialect) -> bool:
    """Whether the dialect can say the record's question and answer."""
    found = places(record.answer)
    if found is not None and kind_of(found) not in dialect.grammar.kinds:
        return False
    return record.given is None or "path" in spoken(dialect).grammar.kinds


def spoken(dialect: Dialect) -> Dialect:
    """The dialect for places inside a sentence."""
    return named_dialect(SPOKEN.get(dialect.name, dialect.name))


def question_text(record: Record, size: ImageSize, dialect: Dialect) -> str:
    """The question, its options where there are some, and the form in which the answer is expected."""
    text, inside = record.question, spoken(dialect)
    if record.given is not None:
        given = codec.write(codec.without_uncarried(record.given, inside), size, inside)
        text = text.replace("{given}", given)
    match record.answer:
        case RegionAnswer() | BoxAnswer() | PathAnswer():
            is_record = dialect.name in SPOKEN
            return text if is_record else f"{text} {dialect.instruction}"
        case ChoiceAnswer(_, options):
            listed = " ".join(
                f"{letter}. {option}" for letter, option in zip(answers.LETTERS, options, strict=False)
            )
            return f"{text} {listed}"
        case MetresAnswer():
            return f"{text} Answer in metres, such as {answers.write_metres(1.23)}."
        case OffsetsAnswer(depth_m):
            form = f"{answers.OPENING}[0.00, …]{answers.CLOSING}"
            return f"{text} Answer with {form}, {len(depth_m)} numbers in metres."
        case ProgressAnswer():
            return f"{text} Answer such as: {answers.write_progress(answers.Progress(2, False))}."
    return text


def answer_text(answer: GroundAnswer, size: ImageSize, dialect: Dialect, prompt: Prompt | None = None) -> str:
    """The true answer; less the labels and gripper events that the dialect has no place for."""
    found = places(answer)
    if found is not None:
        return codec.write(codec.without_uncarried(found, dialect), size, dialect, prompt)
    match answer:
        case ChoiceAnswer(option, options):
            return answers.write_choice(option, options)
        case MetresAnswer(metres):
            return answers.write_metres(metres)
        case OffsetsAnswer(depth_m):
            return answers.write_depth_offsets(depth_m)
        case ProgressAnswer(completed, finished):
            return answers.write_progress(answers.Progress(completed, finished))
        case SentenceAnswer(text):
            return text
    raise TypeError(f"{type(answer).__name__} is no answer of a ground record")
