"""What a demo run found, as numbers and as Markdown. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from npc_client.tastes import Taste

_DETAILS = "\n## Side by side\n"


@dataclass(frozen=True)
class Comparison:
    """How players of a taste like the replies before and after; shares in [0, 1]."""

    liked_before: float
    liked_after: float
    preferred: float  # share of same-seed duels that the later reply wins, ties half

    @property
    def sentence(self) -> str:
        """The comparison in words."""
        return (
            f"liked before {self.liked_before:.0%}, after {self.liked_after:.0%}; "
            f"side by side the new reply is preferred in {self.preferred:.0%}"
        )


@dataclass(frozen=True)
class Findings:
    """Everything that a report shows."""

    stage_s: Mapping[str, float]
    counts: Mapping[str, int]
    training: Mapping[str, Any]
    swap: str
    questions: Sequence[str]
    takes_per_question: int
    before: Sequence[str]
    after: Sequence[str]
    taste: Taste
    failure: str


def compare(taste: Taste, before: Sequence[str], after: Sequence[str]) -> Comparison:
    """Judge replies to the same questions under the same seeds."""
    duels = [
        (taste.points(new) > taste.points(old)) + 0.5 * (taste.points(new) == taste.points(old))
        for old, new in zip(before, after, strict=True)
    ]
    return Comparison(
        liked_before=fmean(map(taste.likes, before)),
        liked_after=fmean(map(taste.likes, after)),
        preferred=fmean(duels),
    )


def markdown(found: Findings) -> str:
    """The report."""
    parts = ["# Demo report", "", _result(found), "", *_stages(found), "", *_feedback(found)]
    if found.training.get("gate"):
        parts += ["", *_gate(found)]
    if found.swap:
        parts += ["", "## The swap", "", found.swap]
    if found.after:
        parts += ["", *_side_by_side(found)]
    return "\n".join(parts) + "\n"


def short(report: str) -> str:
    """The report without its long table."""
    return report.split(_DETAILS)[0].rstrip()


def _result(found: Findings) -> str:
    if found.failure:
        return f"**Failed:** {found.failure}"
    result = compare(found.taste, found.before, found.after)
    return f"**Players who want “{found.taste.wish}”:** {result.sentence}."


def _stages(found: Findings) -> list[str]:
    rows = [f"| {title} | {seconds:.1f} |" for title, seconds in found.stage_s.items()]
    total = f"| **all** | **{sum(found.stage_s.values()):.1f}** |"
    return ["## Time", "", "| stage | seconds |", "|---|---|", *rows, total]


def _feedback(found: Findings) -> list[str]:
    counted = ", ".join(f"{count} {kind}" for kind, count in found.counts.items())
    return ["## What players did", "", counted or "nothing"]


def _gate(found: Findings) -> list[str]:
    head = ["## Gate", "", "| rule | incumbent | candidate | passed |", "|---|---|---|---|"]
    return head + [
        f"| {row['name']} | {_number(row['incumbent'])} | {_number(row['candidate'])} "
        f"| {'yes' if row['passed'] else 'NO: must be ' + row['rule']} |"
        for row in found.training["gate"]
    ]


def _side_by_side(found: Findings) -> list[str]:
    rows = [
        f"| {question} | {_cell(old)} | {_cell(new)} |"
        for question, old, new in zip(
            found.questions,
            found.before[:: found.takes_per_question],
            found.after[:: found.takes_per_question],
            strict=True,
        )
    ]
    return [_DETAILS.strip(), "", "| question | before | after |", "|---|---|---|", *rows]


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"
