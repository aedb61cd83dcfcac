"""Small charts as SVG text: curves over the steps of a training, and comparisons. Pure."""

from collections.abc import Sequence
from html import escape
from math import isfinite
from statistics import fmean

WIDTH, HEIGHT = 320, 150
LEFT, RIGHT, TOP, BOTTOM = 46, 8, 10, 22  # room for the scales
BINS = 12
BARS = "▁▂▃▄▅▆▇█"


def line_chart(title: str, values: Sequence[float | None]) -> str:
    """An SVG of the values by step; None and infinite values leave a gap."""
    known = [value for value in values if value is not None and isfinite(value)]
    if not known:
        return ""
    low, high = min(known), max(known)
    lines = "".join(_polyline(part, len(values), low, high) for part in _unbroken(values))
    axes = _axes("1", f"step {len(values)}", f"{high:.3g}", f"{low:.3g}")
    return _svg(f"{title}: {known[0]:.4g} to {known[-1]:.4g}", f"{axes}{lines}")


def histogram(title: str, before: Sequence[float], after: Sequence[float]) -> str:
    """An SVG of two distributions, as shares of each, over bins from 0 to the largest value."""
    if not before or not after:
        return ""
    end = max(*before, *after) or 1.0
    shares = [_shares(values, end) for values in (before, after)]
    top = max(map(max, shares))
    bars = "".join(
        _column(kind, 2 * bin_ + side, 2 * BINS, share / top)
        for side, kind in enumerate(("before", "after"))
        for bin_, share in enumerate(shares[side])
    )
    return _svg(title, f"{_axes('0', f'{end:.3g}', f'{top:.0%}')}{bars}")


def two_bars(title: str, before: float, after: float) -> str:
    """An SVG of one number before and after."""
    top = max(before, after) or 1.0
    bars = "".join(
        _column(kind, side, 2, value / top)
        for side, (kind, value) in enumerate((("before", before), ("after", after)))
    )
    ends = f"before {before:.3g}", f"after {after:.3g}"
    return _svg(title, f"{_axes(*ends, f'{top:.3g}')}{bars}")


def sparkline(values: Sequence[float | None], width: int = 40) -> str:
    """The values as a line of bars for a terminal, at most `width` wide; a gap is a space."""
    step = max(1, -(-len(values) // width))
    means = [_mean(values[first : first + step]) for first in range(0, len(values), step)]
    known = [value for value in means if value is not None]
    low, high = min(known, default=0.0), max(known, default=0.0)
    return "".join(" " if value is None else _bar(value, low, high) for value in means)


def _shares(values: Sequence[float], end: float) -> list[float]:
    bins = [min(int(BINS * value / end), BINS - 1) for value in values]
    return [bins.count(at) / len(values) for at in range(BINS)]


def _column(kind: str, place: int, places: int, height: float) -> str:
    width = (WIDTH - RIGHT - LEFT) / places
    tall = (HEIGHT - BOTTOM - TOP) * height
    return (
        f'<rect class="{kind}" x="{LEFT + place * width:.1f}" y="{HEIGHT - BOTTOM - tall:.1f}"'
        f' width="{width * 0.9:.1f}" height="{tall:.1f}"/>'
    )


def _svg(title: str, inside: str) -> str:
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">'
        f"<title>{escape(title)}</title>{inside}</svg>"
    )


def _axes(first: str, last: str, top: str, bottom: str = "0") -> str:
    floor, right = HEIGHT - BOTTOM, WIDTH - RIGHT
    return (
        f'<line class="axis" x1="{LEFT}" y1="{floor}" x2="{right}" y2="{floor}"/>'
        f'<line class="axis" x1="{LEFT}" y1="{TOP}" x2="{LEFT}" y2="{floor}"/>'
        f'<text x="{LEFT - 4}" y="{TOP + 4}" text-anchor="end">{top}</text>'
        f'<text x="{LEFT - 4}" y="{floor}" text-anchor="end">{bottom}</text>'
        f'<text x="{LEFT}" y="{HEIGHT - 6}">{first}</text>'
        f'<text x="{right}" y="{HEIGHT - 6}" text-anchor="end">{last}</text>'
    )


def _bar(value: float, low: float, high: float) -> str:
    share = (value - low) / (high - low) if high > low else 0.0
    return BARS[round(share * (len(BARS) - 1))]


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None and isfinite(value)]
    return fmean(known) if known else None


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


def _x(index: int, count: int) -> float:
    return LEFT + (WIDTH - RIGHT - LEFT) * (index / (count - 1) if count > 1 else 0.5)


def _y(value: float, low: float, high: float) -> float:
    share = (value - low) / (high - low) if high > low else 0.5
    return HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * share
