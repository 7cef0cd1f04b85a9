"""The data card of a ground set: what is in it, how answers are spread, what a constant answer reaches."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kinesight.collection.grounding.baselines import Baseline, answer_word, baseline, row_of
from kinesight.data.ground_file import FrameFile
from kinesight.data.ground_set import frame_files, read_ground_info
from kinesight.types.files import write_atomic
from kinesight.types.ground import RECORD_TYPES, SUBSETS, GroundInfo
from kinesight.types.serial import to_json

SHOWN_ANSWERS = 8


@dataclass(frozen=True, slots=True)
class TypeCard:
    """One type of record."""

    group: str
    asks: str
    records: Mapping[str, int]
    """By subset."""
    answers: Mapping[str, int]
    """The most frequent ones, of types whose answers are words."""
    different: int
    """How many different words there are."""
    letters: Mapping[str, int]
    """Where in the list the right option stands, of choices."""
    constant: Baseline | None


@dataclass(frozen=True, slots=True)
class GroundCard:
    """`card.json`"""

    config: Mapping[str, Any]
    privileged: tuple[str, ...]
    absent: tuple[str, ...]
    episodes: Mapping[str, int]
    """By subset, as the next two."""
    frames: Mapping[str, int]
    records: Mapping[str, int]
    by_task: Mapping[str, int]
    """Episodes."""
    actions: Mapping[str, int]
    """By template."""
    looks: Mapping[str, int]
    """Frames, as the next one."""
    cameras: Mapping[str, int]
    duplicates: int
    """Frames left out because another one is nearly the same."""
    megabytes: float
    types: Mapping[str, TypeCard]


def write_card(path: Path) -> GroundCard:
    """Count the set, and write `card.json` and `card.md` into it."""
    card = count(path)
    write_atomic(path / "card.json", to_json(card))
    write_atomic(path / "card.md", markdown(card, read_ground_info(path)))
    return card


def count(path: Path) -> GroundCard:
    info = read_ground_info(path)
    tallies: dict[str, Counter[str]] = defaultdict(Counter)
    rows: dict[str, dict[str, list[Any]]] = {name: {each: [] for each in SUBSETS} for name in RECORD_TYPES}
    words: dict[str, Counter[str]] = defaultdict(Counter)
    letters: dict[str, Counter[str]] = defaultdict(Counter)
    duplicates, size = 0, 0
    for name in frame_files(path):
        file = FrameFile.open(path / "frames" / name)
        episode = file.episode
        size += file.file.path.stat().st_size
        duplicates += episode.duplicates
        tallies["episodes"][episode.subset] += 1
        tallies["frames"][episode.subset] += file.frames
        tallies["tasks"][episode.case.task] += 1
        tallies["actions"].update(action.template for action in episode.actions)
        for number in range(file.frames):
            frame = file.document("frame", number)
            tallies["looks"][frame["look"]] += 1
            tallies["cameras"][frame["camera"]["name"]] += 1
        for number in range(len(file.record_types)):
            record = file.document("record", number)
            rows[record["type"]][episode.subset].append(row_of(record))
            tallies["records"][episode.subset] += 1
            if word := answer_word(record):
                words[record["type"]][word] += 1
            if record["answer"]["type"] == "ChoiceAnswer":
                letters[record["type"]]["ABCDEFGHIJKLMNOPQRSTUVWXYZ"[record["answer"]["option"]]] += 1
    types = {
        name: TypeCard(
            group=RECORD_TYPES[name].group,
            asks=RECORD_TYPES[name].asks,
            records={subset: len(found) for subset, found in rows[name].items()},
            answers=dict(words[name].most_common(SHOWN_ANSWERS)),
            different=len(words[name]),
            letters=dict(sorted(letters[name].items())),
            constant=baseline(name, rows[name]),
        )
        for name in RECORD_TYPES
    }
    in_order = {
        name: {each: tallies[name][each] for each in SUBSETS} for name in ("episodes", "frames", "records")
    }
    return GroundCard(
        config=info.config,
        privileged=info.privileged,
        absent=info.absent,
        **in_order,
        by_task=dict(tallies["tasks"]),
        actions={name: tallies["actions"][name] for name in info.templates},
        looks=dict(tallies["looks"].most_common()),
        cameras=dict(tallies["cameras"].most_common()),
        duplicates=duplicates,
        megabytes=round(size / 1e6, 1),
        types=types,
    )


def markdown(card: GroundCard, info: GroundInfo) -> str:
    total, frames, episodes = (sum(each.values()) for each in (card.records, card.frames, card.episodes))
    lines = [
        "# Ground set",
        "",
        f"{total} records about {frames} frames of {episodes} episodes, "
        f"{card.megabytes} MB. Environment `{card.config['env']}`, its split `{card.config['env_split']}`.",
        "",
        f"- made by: `{info.command}`" if info.command else "- made by a call of `ground`",
        f"- privileged: the records come from the simulator's {' and '.join(card.privileged)}",
        f"- not in it, as no simulator here shows it: {', '.join(card.absent)}",
        f"- left out: {card.duplicates} frames that are nearly the same as another one",
        "- every trajectory reached its goal; seeds at which the expert failed are in `plans/dataset.json`",
        "",
        *_table(("", *SUBSETS), [
            (name, *(str(getattr(card, name)[each]) for each in SUBSETS))
            for name in ("episodes", "frames", "records")
        ]),
        "",
        *_table(("frames by look", "", "by camera", ""), _side_by_side(card.looks, card.cameras)),
        "",
        *_table(("episodes by task", "", "actions by template", ""),
                _side_by_side(card.by_task, card.actions)),
        "",
        "## Records",
        "",
        "The best constant answer is chosen on train and measured on test (on train where there is no test).",
        "",
        *_table(
            ("type", "", "asks for", *SUBSETS, "constant reaches", "metric"),
            [_type_row(name, each) for name, each in card.types.items()],
        ),
        "",
        "## Answers",
        "",
        *_table(
            ("type", "different", "most frequent", "right option"),
            [_answer_row(name, each) for name, each in card.types.items() if each.answers],
        ),
        "",
    ]  # fmt: skip
    return "\n".join(lines)


def _type_row(name: str, card: TypeCard) -> tuple[str, ...]:
    counts = tuple(str(card.records[each]) for each in SUBSETS)
    if card.constant is None:
        return name, card.group, card.asks, *counts, "–", ""
    value = card.constant.values.get("test", next(iter(card.constant.values.values())))
    shown = f"{value:.1f}" if value > 1 else f"{value:.2f}"
    return name, card.group, card.asks, *counts, shown, card.constant.metric


def _answer_row(name: str, card: TypeCard) -> tuple[str, ...]:
    total = max(sum(card.records.values()), 1)
    frequent = ", ".join(
        f"{word} {100 * count / total:.0f} %" for word, count in list(card.answers.items())[:4]
    )
    letters = ", ".join(f"{letter} {100 * count / total:.0f} %" for letter, count in card.letters.items())
    return name, str(card.different), frequent, letters


def _side_by_side(left: Mapping[str, int], right: Mapping[str, int]) -> list[tuple[str, ...]]:
    ones = [(name, str(count)) for name, count in left.items()]
    others = [(name, str(count)) for name, count in right.items()]
    length = max(len(ones), len(others))
    pad = [("", "")] * length
    return [(*one, *other) for one, other in zip((ones + pad)[:length], (others + pad)[:length], strict=True)]


def _table(header: tuple[str, ...], rows: list[tuple[str, ...]]) -> list[str]:
    return ["| " + " | ".join(cells) + " |" for cells in (header, ("---",) * len(header), *rows)]
