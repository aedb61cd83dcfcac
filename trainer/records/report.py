"""A run's record as one HTML page for people, which loads nothing from elsewhere.

It holds counts, curves, the gate's verdict and both voices' replies to the designer's own probes,
never the words of a player. A part whose entry is missing or unreadable is left out, so every run
has a page, even one that failed.
"""

from __future__ import annotations

from jinja2 import Environment, PackageLoader, select_autoescape
from markupsafe import Markup

from trainer.gate import Measurements, Verdict
from trainer.records.charts import histogram, line_chart, two_bars
from trainer.records.entries import Ending, Measured, Terms, Trained, TrainedHead
from trainer.records.runs import Run

#: Titles of the curves; a metric that is not here keeps its name.
TITLES = {
    "loss": "Loss",
    "margin": "Margin of chosen over rejected",
    "accuracy": "Share of pairs ranked right",
    "kl": "KL from where it began, nats",
    "base_kl": "KL from the base, nats per token",
    "learning_rate": "Learning rate",
    "grad_norm": "Gradient norm",
}
NOT_A_CURVE = "step"

_PAGES = Environment(
    loader=PackageLoader("trainer.records", "."), autoescape=select_autoescape(), trim_blocks=True
)


def page(run: Run) -> str:
    """Render the page."""
    ending, measured = run.legible(Ending), run.legible(Measured)
    trained = run.legible(Trained)
    return _PAGES.get_template("report.html").render(
        run=run,
        terms=run.legible(Terms),
        ending=ending,
        verdict=run.legible(Verdict),
        head=run.legible(TrainedHead),
        held=trained.held if trained else "",
        nearness=trained.nearness if trained else None,
        samples=measured.samples if measured else (),
        compared=_comparison_charts(measured.measurements) if measured else [],
        charts=_charts(ending) if ending else [],
        number=_number,
    )


def _charts(ending: Ending) -> list[tuple[str, Markup]]:
    curves = {name: values for name, values in ending.curves.items() if name != NOT_A_CURVE}
    titled = {TITLES.get(name, name): values for name, values in curves.items()}
    # The chart escapes its title itself; the rest of it is numbers.
    return [(title, Markup(line_chart(title, values))) for title, values in titled.items()]


def _comparison_charts(found: Measurements) -> list[tuple[str, Markup]]:
    voices = found.incumbent, found.candidate
    before, after = ([float(reply.words) for reply in voice.heard] for voice in voices)
    charts = [("Words of a reply", histogram("Words of a reply", before, after))]
    if found.drift is not None:
        title = "KL from the base on the gate's text, nats per token"
        drawn = two_bars(title, found.drift.incumbent_kl, found.drift.candidate_kl)
        charts.append((title, drawn))
    return [(title, Markup(chart)) for title, chart in charts if chart]


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3g}"
