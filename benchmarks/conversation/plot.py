"""The same results as a picture: how replies end, what is said again, what it costs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

_ENDINGS = {
    "at_limit": "cut at the limit",
    "in_mid_sentence": "in mid-sentence",
    "as_any_before_when_asked_again": "asked again: same words",
    "phrases_again": "phrases of an earlier reply",
}
_FAULTS = {"facts_told": "facts told", "any": "some fault"}
_TOKENS = {"reply_tokens": "said", "generated_tokens": "generated"}


def draw(path: Path, settings: Mapping[str, Mapping[str, Any]], title: str) -> None:
    """Draw every setting, one below the other."""
    figure = Figure(figsize=(15, 1.5 + 0.6 * len(settings)), layout="constrained")
    endings, faults, tokens = figure.subplots(1, 3, sharey=True)
    rows = {name: {**found, "any": found["faults"]["any"]} for name, found in settings.items()}
    _draw_bars(endings, rows, _ENDINGS, "share of replies")
    _draw_bars(faults, rows, _FAULTS, "share of replies that could")
    _draw_bars(tokens, rows, _TOKENS, "tokens a reply")
    figure.suptitle(title, fontsize=10)
    figure.savefig(path, dpi=120)


def _draw_bars(
    axes: Axes, rows: Mapping[str, Mapping[str, Any]], names: Mapping[str, str], title: str
) -> None:
    height = 0.8 / len(names)
    for number, (key, label) in enumerate(names.items()):
        places = [row + number * height for row in range(len(rows))]
        axes.barh(places, [found[key] for found in rows.values()], height, label=label)
    axes.set_yticks([row + 0.4 - height / 2 for row in range(len(rows))], list(rows), fontsize=8)
    if not axes.yaxis_inverted():
        axes.invert_yaxis()
    axes.set_title(title, fontsize=9)
    axes.legend(fontsize=7)
