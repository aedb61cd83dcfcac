"""Small line charts as SVG text: one metric over the steps of a training. Pure."""

from collections.abc import Sequence
from html import escape
from math import isfinite

WIDTH, HEIGHT = 320, 150
LEFT, RIGHT, TOP, BOTTOM = 46, 8, 10, 22  # room for the scales
BARS = "▁▂▃▄▅▆▇█"


def line_chart(title: str, values: Sequence[float | None]) -> str:
    """An SVG of the values by step; what is no number leaves a gap."""
    known = [value for value in values if value is not None and isfinite(value)]
    if not known:
        return ""
    low, high = min(known), max(known)
    lines = "".join(_polyline(part, len(values), low, high) for part in _unbroken(values))
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">'
        f"<title>{escape(title)}: {known[0]:.4g} to {known[-1]:.4g}</title>"
        f"{_scales(len(values), low, high)}{lines}</svg>"
    )


def sparkline(values: Sequence[float | None], width: int = 40) -> str:
    """The values as a row of bars for a terminal, at most `width` wide; a gap is a space."""
    step = max(1, -(-len(values) // width))
    means = [_mean(values[first : first + step]) for first in range(0, len(values), step)]
    known = [value for value in means if value is not None]
    low, high = min(known, default=0.0), max(known, default=0.0)
    return "".join(" " if value is None else _bar(value, low, high) for value in means)


def _bar(value: float, low: float, high: float) -> str:
    share = (value - low) / (high - low) if high > low else 0.0
    return BARS[round(share * (len(BARS) - 1))]


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None and isfinite(value)]
    return sum(known) / len(known) if known else None


def _unbroken(values: Sequence[float | None]) -> list[list[tuple[int, float]]]:
    parts: list[list[tuple[int, float]]] = [[]]
    for index, value in enumerate(values):
        if value is None or not isfinite(value):
            parts.append([])
        else:
            parts[-1].append((index, value))
    return [part for part in parts if part]


def _polyline(part: Sequence[tuple[int, float]], count: int, low: float, high: float) -> str:
    points = [(_x(index, count), _y(value, low, high)) for index, value in part]
    if len(points) == 1:
        return f'<circle class="curve" cx="{points[0][0]:.1f}" cy="{points[0][1]:.1f}" r="2.5"/>'
    return f'<polyline class="curve" points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in points)}"/>'


def _scales(count: int, low: float, high: float) -> str:
    floor, right = HEIGHT - BOTTOM, WIDTH - RIGHT
    return (
        f'<line class="axis" x1="{LEFT}" y1="{floor}" x2="{right}" y2="{floor}"/>'
        f'<line class="axis" x1="{LEFT}" y1="{TOP}" x2="{LEFT}" y2="{floor}"/>'
        f'<text x="{LEFT - 4}" y="{TOP + 4}" text-anchor="end">{high:.3g}</text>'
        f'<text x="{LEFT - 4}" y="{floor}" text-anchor="end">{low:.3g}</text>'
        f'<text x="{LEFT}" y="{HEIGHT - 6}">1</text>'
        f'<text x="{right}" y="{HEIGHT - 6}" text-anchor="end">step {count}</text>'
    )


def _x(index: int, count: int) -> float:
    return LEFT + (WIDTH - RIGHT - LEFT) * (index / (count - 1) if count > 1 else 0.5)


def _y(value: float, low: float, high: float) -> float:
    share = (value - low) / (high - low) if high > low else 0.5
    return HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * share
