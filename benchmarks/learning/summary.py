"""A table with one line per night of every experiment."""

from __future__ import annotations

from collections.abc import Iterator

from rich.table import Column, Table

from benchmarks.learning.judgement import Judgement
from benchmarks.learning.nights import NightResult, failed_rules
from benchmarks.learning.results import Results

# Short, so that a line fits into 80 columns: preferred share, change of the replies out of role,
# perplexity as a factor. Probes and role are changes from the bare base; intervals are in the file.
_COLUMNS = ("#", "ended", "pairs", "liked", "pref.", "probes", "role", "perpl.", "min")


def table(results: Results) -> Table:
    """All results; figures are of the version that was live in the morning.

    A refused candidate has a line of its own.
    """
    columns = (Column(name, no_wrap=True) for name in ("experiment", *_COLUMNS))
    shown = Table(*columns, box=None, padding=(0, 1, 0, 0))
    for name, result in results.courses.items():
        for night in result.nights:
            shown.add_row(*_of_night(name, night))
            if night.refused:
                shown.add_row(name, str(night.number), "refused", "", *_facts(night.refused))
    for taste, parts in results.portions.items():
        for part in parts.portions:
            facts = _facts(part.judgement)
            minutes = f"{part.seconds / 60:.0f}"
            shown.add_row(f"{taste}/portions", "", "", str(part.pairs), *facts, minutes)
    return shown


def rejections(results: Results) -> Iterator[str]:
    """Why nights brought no new version, one line per night."""
    for name, result in results.courses.items():
        for night in result.nights:
            if night.state != "published":
                rules = ", ".join(failed_rules(night)) or night.reason
                yield f"{name}, night {night.number}: {night.state}: {rules}"


def _of_night(name: str, night: NightResult) -> tuple[str, ...]:
    pairs, minutes = str(night.rows["train_pairs"]), f"{night.seconds / 60:.0f}"
    return name, str(night.number), night.state, pairs, *_facts(night.judgement), minutes


def _facts(judgement: Judgement) -> tuple[str, ...]:
    return (
        f"{judgement.liked.value:.2f}",
        f"{judgement.preferred.value:.2f}",
        f"{judgement.probes - judgement.probes_before:+.2f}",
        f"{judgement.out_of_character - judgement.out_of_character_before:+.3f}",
        f"{judgement.perplexity_ratio:.2f}",
    )
