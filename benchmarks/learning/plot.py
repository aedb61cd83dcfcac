"""The same results as pictures: what every night changed, and how many pairs it takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from benchmarks.learning.judgement import LEARNED_PREFERRED, Judgement
from benchmarks.learning.nights import ExperimentResult
from benchmarks.learning.results import Results
from benchmarks.measures import Estimate
from trainer.records.entries import State

_LIVE, _REFUSED = "tab:blue", "lightsteelblue"


def draw(stem: Path, results: Results, title: str) -> None:
    """Draw what there is as STEM.png; nothing without a result or a part."""
    if not results.courses and not results.portions:
        return
    figure = Figure(figsize=(16, 6), layout="constrained")
    liked, preferred, kept, parts = figure.subplots(1, 4)
    _nights(liked, results.courses, "share of replies that players like", _liked)
    _bars(preferred, results.courses)
    _nights(kept, results.courses, "share of the persona's probes passed", _probes)
    _portions(parts, results)
    if results.courses:
        liked.legend(fontsize=7)
    figure.suptitle(title, fontsize=10)
    figure.savefig(f"{stem}.png", dpi=120)


def _liked(judgement: Judgement) -> tuple[float, float]:
    return judgement.liked_before.value, judgement.liked.value


def _probes(judgement: Judgement) -> tuple[float, float]:
    return judgement.probes_before, judgement.probes


def _nights(
    axes: Axes,
    by_name: Mapping[str, ExperimentResult],
    title: str,
    of: Callable[[Judgement], tuple[float, float]],
) -> None:
    for result in filter(ExperimentResult.is_usual, by_name.values()):
        before, _ = of(result.nights[0].judgement)
        values = [before, *(of(night.judgement)[1] for night in result.nights)]
        axes.plot(range(len(values)), values, marker="o", markersize=3, label=result.taste)
    _finish(axes, title, "night")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def _bars(axes: Axes, by_name: Mapping[str, ExperimentResult]) -> None:
    for place, result in enumerate(by_name.values()):
        first = result.nights[0]
        if first.state == State.WAITING:
            axes.text(0.02, place, "too little to train on", fontsize=7, va="center")
            continue
        share = (first.refused or first.judgement).preferred
        color = _LIVE if first.state == State.PUBLISHED else _REFUSED
        axes.barh(place, share.value, xerr=_errors([share]), capsize=2, color=color)
    axes.set_yticks(range(len(by_name)), list(by_name), fontsize=7)
    axes.invert_yaxis()
    axes.axvline(0.5, color="black", linewidth=0.8)
    axes.axvline(LEARNED_PREFERRED, color="black", linewidth=0.8, linestyle="dashed")
    axes.set_xlim(0, 1)
    axes.set_title("preferred over the base after night one (95 %), pale: refused", fontsize=9)


def _portions(axes: Axes, results: Results) -> None:
    for taste, parts in results.portions.items():
        gains = [part.judgement.gain for part in parts.portions]
        pairs = [part.pairs for part in parts.portions]
        values = [gain.value for gain in gains]
        axes.errorbar(pairs, values, yerr=_errors(gains), marker="o", capsize=2, label=taste)
        axes.set_xticks(pairs, [str(count) for count in pairs])
        axes.legend(fontsize=7)
    axes.set_ylim(0, 1)
    axes.set_title("gain in liked share by pairs trained on (95 %)", fontsize=9)
    axes.set_xlabel("pairs", fontsize=8)
    axes.grid(visible=True, alpha=0.3)


def _errors(shares: Sequence[Estimate]) -> list[list[float]]:
    """Distances to both ends of the intervals, which rounding may put past the value."""
    below = [max(share.value - share.low, 0.0) for share in shares]
    return [below, [max(share.high - share.value, 0.0) for share in shares]]


def _finish(axes: Axes, title: str, unit: str) -> None:
    axes.set_ylim(0, 1)
    axes.set_title(title, fontsize=9)
    axes.set_xlabel(unit, fontsize=8)
    axes.grid(visible=True, alpha=0.3)
