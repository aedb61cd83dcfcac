"""The same results as a picture: speed, first tokens, gaps."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.measures import Round, estimate, gaps_ms, tokens_per_s, ttfts_ms
from benchmarks.serving.workspace import ScenarioResult

OfRound = Callable[[Round], list[float]]


def draw(path: Path, results: Mapping[str, ScenarioResult], title: str) -> None:
    """Draw what there is: scenarios with rounds of replies, and the long talk."""
    played = {name: result.rounds for name, result in results.items() if result.rounds}
    talk = results["long_talk"].samples if "long_talk" in results else {}
    if not played and not talk:
        return
    figure = Figure(figsize=(20, 6), layout="constrained")
    speed, first, gaps, turns = figure.subplots(1, 4, width_ratios=(3, 2, 2, 2))
    for axes in (speed, first, gaps):
        axes.set_visible(bool(played))
    if played:
        _draw_speed(speed, played)
        name = "eight" if "eight" in played else next(iter(played))
        _draw_spread(first, "time to first token, ms", name, played[name], ttfts_ms)
        _draw_spread(gaps, "gap between tokens, ms", name, played[name], gaps_ms)
    _draw_talk(turns, talk)
    figure.suptitle(title, fontsize=10)
    figure.savefig(path, dpi=120)


def _draw_speed(axes: Axes, played: Mapping[str, Mapping[str, Sequence[Round]]]) -> None:
    bars = [(f"{s}: {p}", rounds) for s, peers in played.items() for p, rounds in peers.items()]
    for place, (_, rounds) in enumerate(bars):
        rate = estimate([tokens_per_s(one) for one in rounds])
        spread = [[rate.value - rate.low], [rate.high - rate.value]]
        axes.barh(place, rate.value, xerr=spread, color="tab:blue", capsize=2)
        axes.annotate(f" {rate.value:.0f}", (rate.high, place), va="center", fontsize=8)
    axes.set_yticks(range(len(bars)), [name for name, _ in bars], fontsize=8)
    axes.invert_yaxis()
    axes.set_title("tokens a second, all replies together (median, extremes)", fontsize=9)


def _draw_talk(axes: Axes, by_turn: Mapping[str, Sequence[float]]) -> None:
    for name, waits in by_turn.items():
        axes.plot(range(1, len(waits) + 1), waits, marker=".", label=name)
    axes.set_ylim(bottom=0)
    axes.set_title("one long talk: time to first token by turn", fontsize=9)
    axes.grid(visible=True, alpha=0.3)
    if by_turn:
        axes.legend(fontsize=7)


def _draw_spread(
    axes: Axes, title: str, scenario: str, peers: Mapping[str, Sequence[Round]], of_round: OfRound
) -> None:
    for name, rounds in peers.items():
        values = sorted(value for played in rounds for value in of_round(played))
        shares = [(i + 1) / len(values) for i in range(len(values))]
        axes.step(values, shares, where="post", label=name)
    axes.set_xscale("log")
    axes.set_title(f"{scenario}: {title} (share of all)", fontsize=9)
    axes.grid(visible=True, alpha=0.3)
    axes.legend(fontsize=7)
