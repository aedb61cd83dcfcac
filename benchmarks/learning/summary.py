"""Every night of every course as a line of a table."""

from __future__ import annotations

from collections.abc import Iterator

from rich.table import Column, Table

from benchmarks.learning.course import Night, failed_rules
from benchmarks.learning.judgement import Judgement
from benchmarks.learning.results import Found

# Short, so that a line fits into 80 columns: preferred share, change of the replies out of role,
# perplexity as a factor. Probes and role are changes from the bare base; intervals are in the file.
_COLUMNS = ("#", "ended", "pairs", "liked", "pref.", "probes", "role", "perpl.", "min")


def table(found: Found) -> Table:
    """All that was found; figures are of the version that was live in the morning.

    A line of its own tells what a refused candidate would have been.
    """
    columns = (Column(name, no_wrap=True) for name in ("experiment", *_COLUMNS))
    shown = Table(*columns, box=None, padding=(0, 1, 0, 0))
    for name, course in found.courses.items():
        for night in course.nights:
            shown.add_row(*_of_night(name, night))
            if night.refused:
                shown.add_row(name, str(night.number), "refused", "", *_facts(night.refused))
    for taste, parts in found.portions.items():
        for part in parts.portions:
            facts = _facts(part.judgement)
            minutes = f"{part.seconds / 60:.0f}"
            shown.add_row(f"{taste}/portions", "", "", str(part.pairs), *facts, minutes)
    return shown


def rejections(found: Found) -> Iterator[str]:
    """Why nights brought no new version, a line each."""
    for name, course in found.courses.items():
        for night in course.nights:
            if night.state != "published":
                rules = ", ".join(failed_rules(night)) or night.reason
                yield f"{name}, night {night.number}: {night.state}: {rules}"


def _of_night(name: str, night: Night) -> tuple[str, ...]:
    pairs, minutes = str(night.rows["train_pairs"]), f"{night.seconds / 60:.0f}"
    return name, str(night.number), night.state, pairs, *_facts(night.judgement), minutes


def _facts(found: Judgement) -> tuple[str, ...]:
    return (
        f"{found.liked.value:.2f}",
        f"{found.preferred.value:.2f}",
        f"{found.probes - found.probes_before:+.2f}",
        f"{found.out_of_character - found.out_of_character_before:+.3f}",
        f"{found.perplexity_ratio:.2f}",
    )
