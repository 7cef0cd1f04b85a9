"""The records of a ground set as questions for `spatial_score.score`, like the public sets.

questions = ground_questions("data/ground", "qwen3-vl", subset="test")
score(replies, questions, "qwen3-vl")        # replies: question.name -> text
"""

from collections.abc import Iterable
from pathlib import Path

from kinesight.data.ground_set import GroundSet
from kinesight.evaluation.spatial_questions import (
    BoxTruth,
    ChoiceTruth,
    DepthTruth,
    MetresTruth,
    PathTruth,
    ProgressTruth,
    Question,
    RegionTruth,
    SentenceTruth,
    Truth,
)
from kinesight.language.dialects.answers import Progress
from kinesight.language.dialects.catalogue import dialect as named_dialect
from kinesight.language.dialects.codec import Dialect
from kinesight.language.ground_text import has_form, question_text
from kinesight.types.ground import (
    BoxAnswer,
    ChoiceAnswer,
    GroundAnswer,
    GroundFrame,
    MetresAnswer,
    OffsetsAnswer,
    PathAnswer,
    ProgressAnswer,
    Record,
    RegionAnswer,
    SentenceAnswer,
)


def ground_questions(
    path: Path | str, dialect: str | Dialect, subset: str = "test", types: Iterable[str] = ()
) -> list[Question]:
    """Every record of the subset that the dialect has a form for; the groups are the records' types."""
    ground = GroundSet(path, subset, types)
    said = named_dialect(dialect) if isinstance(dialect, str) else dialect
    questions = []
    number, frame = -1, None
    for index in range(len(ground)):
        record = ground.record(index)
        if ground.frame_of(index) != number:  # records of a frame follow each other
            number = ground.frame_of(index)
            frame = ground.frame(number)
        assert frame is not None, "read with the first record"
        if has_form(record, said):
            questions.append(question_of(record, frame, said))
    return questions


def question_of(record: Record, frame: GroundFrame, dialect: Dialect) -> Question:
    return Question(
        name=record.name,
        size=frame.size,
        truth=truth_of(record.answer),
        group=record.type,
        text=question_text(record, frame.size, dialect),
    )


def truth_of(answer: GroundAnswer) -> Truth:
    """What a reply is measured against."""
    match answer:
        case RegionAnswer(_, region):
            return RegionTruth(region.mask())
        case BoxAnswer(box):
            return BoxTruth(box)
        case PathAnswer(path):
            return PathTruth(path)
        case MetresAnswer(metres):
            return MetresTruth(metres)
        case OffsetsAnswer(depth_m):
            return DepthTruth(depth_m)
        case ChoiceAnswer(option, options):
            return ChoiceTruth(option, options)
        case ProgressAnswer(completed, finished):
            return ProgressTruth(Progress(completed, finished))
        case SentenceAnswer(text):
            return SentenceTruth(text)
    raise TypeError(f"{type(answer).__name__} is no answer of a ground record")
