"""Small inline SVG pictures for the report; colours are CSS classes, so both colour schemes work."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

from markupsafe import Markup

from kinesight.evaluation.results import EventRecord
from kinesight.evaluation.statistics import Interval, Proportion


def interval_bar(success: Proportion, kind: str = "main", width: int = 240) -> Markup:
    """Rate as a dot on an axis from 0 to 100 %, with its 95 % interval as a bar."""
    return _on_axis(success.rate, success.wilson_95, 0.0, 1.0, kind, width, (0.25, 0.5, 0.75))


def difference_bar(difference: float, interval: Interval, reach: float, width: int = 140) -> Markup:
    """A paired difference on an axis from -reach to +reach."""
    kind = "unsure" if 0.0 in interval else "clear"
    return _on_axis(difference, interval, -reach, reach, kind, width, (0.0,))


def rate_chart(title: str, rows: Sequence[tuple[str, Proportion]], width: int = 720) -> Markup:
    """A line for every row: name, rate as a dot, 95 % interval as a bar, on one axis from 0 to 100 %."""
    left, right, pitch, top = 220, 60, 26, 8
    bottom = top + pitch * len(rows)

    def x(at: float) -> float:
        return left + (width - left - right) * at

    body = ""
    for tick in (0.0, 0.25, 0.5, 0.75, 1.0):
        body += f'<line class="tick" x1="{x(tick):.1f}" x2="{x(tick):.1f}" y1="{top}" y2="{bottom}"/>'
        body += f'<text x="{x(tick):.1f}" y="{bottom + 18}" text-anchor="middle">{100 * tick:.0f}</text>'
    for index, (name, success) in enumerate(rows):
        y, interval = top + pitch * (index + 0.5), success.wilson_95
        body += (
            f'<text x="{left - 12}" y="{y + 4:.1f}" text-anchor="end">{escape(name)}</text>'
            f'<line class="span" x1="{x(interval.low):.1f}" x2="{x(interval.high):.1f}" '
            f'y1="{y:.1f}" y2="{y:.1f}"/>'
            f'<circle class="dot" cx="{x(success.rate):.1f}" cy="{y:.1f}" r="4.5"/>'
            f'<text x="{width - right + 12}" y="{y + 4:.1f}">{100 * success.rate:.0f} %</text>'
        )
    return Markup(
        f'<svg class="axis main rates" viewBox="0 0 {width} {bottom + 26}" role="img" '
        f'aria-label="{escape(title)}"><title>{escape(title)}</title>{body}</svg>'
    )


def _on_axis(
    value: float, interval: Interval, low: float, high: float, kind: str, width: int, ticks: Sequence[float]
) -> Markup:
    def x(at: float) -> float:
        return 6 + (width - 12) * (min(max(at, low), high) - low) / (high - low)

    marks = "".join(f'<line class="tick" x1="{x(t):.1f}" x2="{x(t):.1f}" y1="3" y2="17"/>' for t in ticks)
    label = f"{100 * value:.1f} %, 95 % interval {100 * interval.low:.1f} to {100 * interval.high:.1f}"
    return Markup(
        f'<svg class="axis {escape(kind)}" viewBox="0 0 {width} 20" width="{width}" height="20" role="img" '
        f'aria-label="{label}"><title>{label}</title>'
        f'<line class="rail" x1="{x(low):.1f}" x2="{x(high):.1f}" y1="10" y2="10"/>{marks}'
        f'<line class="span" x1="{x(interval.low):.1f}" x2="{x(interval.high):.1f}" y1="10" y2="10"/>'
        f'<circle class="dot" cx="{x(value):.1f}" cy="10" r="4.5"/></svg>'
    )


def timeline(events: Sequence[EventRecord], steps: int, width: int = 720) -> Markup:
    """Events of an episode along its steps."""
    length = max(steps, 1)

    def x(step: int) -> float:
        return 8 + (width - 16) * min(step, length) / length

    marks = "".join(
        f'<circle class="event {event_class(event.kind)}" cx="{x(event.step):.1f}" cy="12" r="5">'
        f"<title>step {event.step}: {escape(event.kind)}, {escape(event.reason)}</title></circle>"
        for event in events
    )
    return Markup(
        f'<svg class="timeline" viewBox="0 0 {width} 24" role="img" aria-label="{len(events)} events in '
        f'{steps} steps"><line class="rail" x1="8" x2="{width - 8}" y1="12" y2="12"/>{marks}</svg>'
    )


EVENT_CLASSES: Mapping[str, tuple[str, ...]] = {
    "bad": (
        "reject", "rejected", "stuck", "replan", "failure", "fail", "bad_plan", "timeout", "void", "error",
    ),
    "good": ("accept", "accepted", "success", "done", "task"),
    "think": ("plan", "imagine"),
}  # fmt: skip


def event_class(kind: str) -> str:
    """Which of the few colours an event gets."""
    return next((name for name, kinds in EVENT_CLASSES.items() if kind in kinds), "other")


@dataclass(frozen=True, slots=True)
class Curve:
    """One line of a training curve."""

    name: str
    steps: tuple[float, ...]
    values: tuple[float, ...]


def curve_chart(title: str, curves: Sequence[Curve], width: int = 360, height: int = 180) -> Markup:
    """Lines over training steps; the vertical axis is logarithmic where the values span a factor of 20."""
    values = [value for curve in curves for value in curve.values]
    last = max(step for curve in curves for step in curve.steps)
    positive = min(values) > 0
    logarithmic = positive and max(values) / min(values) > 20
    scale = math.log10 if logarithmic else float
    low, high = scale(min(values) if logarithmic or min(values) < 0 else 0.0), scale(max(values))
    span = (high - low) or 1.0
    left, right, top, bottom = 52, 12, 14, 26

    def x(step: float) -> float:
        return left + (width - left - right) * step / max(last, 1)

    def y(value: float) -> float:
        return top + (height - top - bottom) * (1 - (scale(value) - low) / span)

    grid = ""
    for at in _ticks(low, high, logarithmic):
        grid += f'<line class="grid" x1="{left}" x2="{width - right}" y1="{y(at):.1f}" y2="{y(at):.1f}"/>'
        grid += f'<text x="{left - 8}" y="{y(at) + 4:.1f}" text-anchor="end">{at:.3g}</text>'
    lines = ""
    for index, curve in enumerate(curves):
        points = " ".join(f"{x(s):.1f},{y(v):.1f}" for s, v in zip(curve.steps, curve.values, strict=True))
        name = escape(curve.name)
        lines += f'<polyline class="curve c{index}" points="{points}"><title>{name}</title></polyline>'
    baseline = height - 8
    return Markup(
        f'<svg class="chart" viewBox="0 0 {width} {height}" role="img" aria-label="{escape(title)}">'
        f"{grid}{lines}"
        f'<text x="{left}" y="{baseline}">0</text>'
        f'<text x="{width - right}" y="{baseline}" text-anchor="end">{_thousands(last)} steps</text></svg>'
    )


def _ticks(low: float, high: float, logarithmic: bool) -> list[float]:
    """Three or four round values."""
    if logarithmic:
        powers = range(math.floor(low), math.ceil(high) + 1)
        factors = (1, 2, 5) if len(powers) < 4 else (1,)
        values = [factor * 10.0**power for power in powers for factor in factors]
        inside = [
            value for value in values if 10**low <= value * (1 + 1e-9) and value <= 10**high * (1 + 1e-9)
        ]
        return inside[:: max(1, len(inside) // 3)]
    step = 10.0 ** math.floor(math.log10(max(high - low, 1e-12) / 2))
    step *= next(factor for factor in (5, 2, 1) if (high - low) / (step * factor) >= 2)
    first = math.ceil(low / step - 1e-9)
    return [index * step for index in range(first, math.floor(high / step + 1e-9) + 1)]


def _thousands(value: float) -> str:
    return f"{value:,.0f}".replace(",", " ")
