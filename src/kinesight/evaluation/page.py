"""What the report's template shows, computed from results: plain values and small pictures."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median

from markupsafe import Markup

from kinesight.evaluation import charts
from kinesight.evaluation.chain_comparison import ChainDifference, chain_difference, chain_differences
from kinesight.evaluation.chains import Chains, chains_of
from kinesight.evaluation.chat_facts import chat_facts
from kinesight.evaluation.compare import Comparison, Row, layout, p_text, points, tabulate
from kinesight.evaluation.gallery import GalleryItem, Segment, StripRow, case_name, read_items, read_strip
from kinesight.evaluation.results import Results
from kinesight.evaluation.statistics import Proportion, groups_of, proportion
from kinesight.types.results import EpisodeResult

FAILURES_SHOWN, SUCCESSES_SHOWN = 10, 6
INLINE_BYTES = 7_000_000
"""Pictures and videos on the page; in base64 they grow by a third."""


def percent(rate: float) -> str:
    return f"{100 * rate:.1f}"


def number(value: int | float | None, digits: int = 1) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def duration(seconds: float) -> str:
    """With the two units that matter."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


@dataclass(frozen=True, slots=True)
class Headline:
    success: Proportion
    bar: Markup
    layouts: int
    facts: tuple[tuple[str, str], ...]
    """Label and value of the small figures beside the rate."""


def headline(main: Results) -> Headline:
    solved = [episode.steps for episode in main.episodes if episode.success]
    facts = [("median steps to success", number(median(solved), 0) if solved else "–")]
    for kind, label in (("plan", "plans an episode"), ("imagine", "imagined videos an episode")):
        average = _mean_count(main.episodes, kind)
        facts += [(label, number(average))] if average is not None else []
    rejected = sum(_count(episode, "reject") or 0 for episode in main.episodes)
    facts += [("videos rejected", str(rejected))] if rejected else []
    wall = [episode.timings_s["wall"] for episode in main.episodes if "wall" in episode.timings_s]
    facts += [("time an episode", duration(mean(wall)))] if wall else []
    facts += chat_facts(main.episodes)
    layouts = len({layout(case) for case in main.cases})
    return Headline(main.success, charts.interval_bar(main.success, width=420), layouts, tuple(facts))


COUNT_NAMES: Mapping[str, tuple[str, ...]] = {
    "plan": ("plans", "plan"),
    "imagine": ("videos", "imagine", "imagined"),
    "reject": ("rejected", "reject"),
}


def _count(episode: EpisodeResult, kind: str) -> int | None:
    return next((episode.counts[name] for name in COUNT_NAMES[kind] if name in episode.counts), None)


def _mean_count(episodes: Sequence[EpisodeResult], kind: str) -> float | None:
    """Mean over the episodes; None where no episode counts the kind at all."""
    counts = [_count(episode, kind) for episode in episodes]
    if all(count is None for count in counts):
        return None
    return float(mean(count or 0 for count in counts))


@dataclass(frozen=True, slots=True)
class Phase:
    name: str
    text: str
    share: float


def phases(seconds: Mapping[str, float]) -> tuple[Phase, ...]:
    total = sum(seconds.values()) or 1.0
    return tuple(Phase(name, duration(value), value / total) for name, value in seconds.items())


@dataclass(frozen=True, slots=True)
class ComparisonRow:
    row: Row
    bar: Markup
    difference: str
    difference_bar: Markup
    p: str
    layout_p: str
    holm_p: str
    discordant: str


@dataclass(frozen=True, slots=True)
class ComparisonTable:
    comparison: Comparison
    rows: tuple[ComparisonRow, ...]


def comparison(main: Results, rows: Mapping[str, Results]) -> ComparisonTable | None:
    """The agent above its controls; None without controls."""
    return compared({main.agent: main, **rows}) if rows else None


def compared(rows: Mapping[str, Results]) -> ComparisonTable:
    """Every row beside the first; a table of one row compares nothing."""
    table = tabulate(rows)
    paired = [row.paired for row in table.rows if row.paired is not None]
    limits = [abs(limit) for p in paired for limit in (p.difference_95.low, p.difference_95.high)]
    reach = min(1.0, max(0.1, *limits) * 1.05) if limits else 1.0
    return ComparisonTable(table, tuple(_comparison_row(row, reach) for row in table.rows))


def _comparison_row(row: Row, reach: float) -> ComparisonRow:
    kind = "main" if row.paired is None else "control"
    bar = charts.interval_bar(row.success, kind, 180)
    if row.paired is None:
        return ComparisonRow(row, bar, "", Markup(""), "", "", "", "")
    return ComparisonRow(
        row=row,
        bar=bar,
        difference=points(row.paired.difference),
        difference_bar=charts.difference_bar(row.paired.difference, row.paired.difference_95, reach),
        p=p_text(row.paired.mcnemar_p),
        layout_p="–" if row.layout_p is None else p_text(row.layout_p),
        holm_p="–" if row.holm_p is None else p_text(row.holm_p),
        discordant=f"{row.paired.only_first} / {row.paired.only_second}",
    )


@dataclass(frozen=True, slots=True)
class TaskRow:
    """A task, or a group of tasks in bold."""

    name: str
    group: bool
    success: Proportion
    bar: Markup
    steps: float | None
    plans: float | None
    videos: float | None
    wall_s: float | None
    slowest: str
    """The stage other than the whole that takes the longest, with its seconds an episode."""


def task_rows(main: Results) -> tuple[TaskRow, ...]:
    """By task; under the names of the difficulty groups where the tasks belong to more than one."""
    groups = groups_of(main.tasks)
    shown: list[TaskRow] = []
    for group, tasks in (groups or {"": main.tasks}).items():
        if group:
            together = [episode for task in tasks for episode in main.of_task(task)]
            shown.append(_task_row(group, together, group=True))
        shown += [_task_row(task, main.of_task(task)) for task in tasks]
    return tuple(shown)


def _task_row(name: str, episodes: Sequence[EpisodeResult], *, group: bool = False) -> TaskRow:
    success = proportion(episode.success for episode in episodes)
    steps = [episode.steps for episode in episodes if episode.success]
    stages = {stage for episode in episodes for stage in episode.timings_s}
    seconds = {stage: mean(episode.timings_s.get(stage, 0.0) for episode in episodes) for stage in stages}
    wall = seconds.pop("wall", None)
    slowest = max(seconds, key=lambda stage: seconds[stage], default=None)
    return TaskRow(
        name=name,
        group=group,
        success=success,
        bar=charts.interval_bar(success, "group" if group else "main", 220),
        steps=float(mean(steps)) if steps else None,
        plans=_mean_count(episodes, "plan"),
        videos=_mean_count(episodes, "imagine"),
        wall_s=wall,
        slowest="" if slowest is None else f"{slowest} {seconds[slowest]:.1f} s",
    )


@dataclass(frozen=True, slots=True)
class Strip:
    segment: Segment
    plan: str
    """Empty where it is that of the segment before."""
    imagined: str
    seen: str
    """Data addresses; empty where there is no strip."""
    rows: tuple[tuple[StripRow, str], ...] = ()
    """More strips, each with its data address."""


@dataclass(frozen=True, slots=True)
class Card:
    item: GalleryItem
    name: str
    strips: tuple[Strip, ...]
    video: str
    timeline: Markup


@dataclass(frozen=True, slots=True)
class Gallery:
    cards: tuple[Card, ...]
    failures: int
    successes: int
    kept_failures: int
    kept_successes: int
    imagined: bool
    """Whether any card has imagined frames."""
    compared: bool
    """Whether any card has other rows beside the real frames."""


def gallery(out: Path, main: Results) -> Gallery | None:
    """Failures first, tasks in turn, a share of both within the page's size; None if nothing was kept."""
    evaluated = set(main.cases)
    items = [item for item in read_items(out) if item.case in evaluated]
    if not items:
        return None
    failures = [item for item in items if not item.success]
    successes = [item for item in items if item.success]
    cards: list[Card] = []
    left = INLINE_BYTES
    for item in _both(_in_turn(failures)[:FAILURES_SHOWN], _in_turn(successes)[:SUCCESSES_SHOWN]):
        card, size = _card(out, item)
        if size > left:
            break
        left -= size
        cards.append(card)
    cards.sort(key=lambda card: card.item.success)
    shown = sum(not card.item.success for card in cards)
    return Gallery(
        cards=tuple(cards),
        failures=shown,
        successes=len(cards) - shown,
        kept_failures=len(failures),
        kept_successes=len(successes),
        imagined=any(strip.imagined for card in cards for strip in card.strips),
        compared=any(strip.rows for card in cards for strip in card.strips),
    )


def _in_turn(items: Sequence[GalleryItem]) -> list[GalleryItem]:
    """First of every task, second of every task, …"""
    seen: dict[str, int] = {}
    keyed = []
    for item in items:
        seen[item.case.task] = seen.get(item.case.task, 0) + 1
        keyed.append((seen[item.case.task], item))
    return [item for _, item in sorted(keyed, key=lambda pair: pair[0])]


def _both(failures: Sequence[GalleryItem], successes: Sequence[GalleryItem]) -> list[GalleryItem]:
    """Each list spread evenly over the result, so that a part of it has of both."""
    spread = [(i / len(items), item) for items in (failures, successes) for i, item in enumerate(items)]
    return [item for _, item in sorted(spread, key=lambda pair: pair[0])]


def _card(out: Path, item: GalleryItem) -> tuple[Card, int]:
    size = 0

    def inline(data: bytes, kind: str) -> str:
        nonlocal size
        size += len(data)
        return f"data:{kind};base64,{base64.b64encode(data).decode()}"

    def picture(name: str) -> str:
        return inline(read_strip(out, item, name), "image/jpeg") if name else ""

    earlier = ("", *(segment.plan for segment in item.segments))
    strips = tuple(
        Strip(
            s,
            s.plan if s.plan != before else "",
            picture(s.imagined),
            picture(s.seen),
            tuple((row, picture(row.strip)) for row in s.rows),
        )
        for s, before in zip(item.segments, earlier, strict=False)
    )
    name = case_name(item.case)
    video = out / "videos" / f"{name}.mp4"
    address = inline(video.read_bytes(), "video/mp4") if video.is_file() else ""
    return Card(item, name, strips, address, charts.timeline(item.events, item.steps)), size


@dataclass(frozen=True, slots=True)
class ChainRow:
    """An agent's chains, of one family or of all."""

    name: str
    group: bool
    chains: Chains
    difference: ChainDifference | None = None
    """To the first agent."""


def compared_chains(rows: Mapping[str, Results]) -> tuple[ChainRow, ...]:
    """One line a row, the first as the one that the others are compared with; nothing without chains."""
    found = {name: results for name, results in rows.items() if results.chains is not None}
    differences = chain_differences(found) if found else {}
    return tuple(
        ChainRow(name, index == 0, results.chains, differences.get(name))
        for index, (name, results) in enumerate(found.items())
        if results.chains is not None
    )


def chain_rows(main: Results, rows: Mapping[str, Results]) -> tuple[ChainRow, ...]:
    """The agent, under it its families where there are several, then the controls; nothing without chains."""
    shown: list[ChainRow] = []
    for name, results in {main.agent: main, **rows}.items():
        if results.chains is None:
            continue
        difference = None if results is main else chain_difference(results, main)
        shown.append(ChainRow(name, results is main, results.chains, difference))
        if results is main and len(main.tasks) > 1:
            families = ((task, chains_of(main.of_task(task))) for task in main.tasks)
            shown += [ChainRow(task, False, chains) for task, chains in families if chains is not None]
    return tuple(shown)
