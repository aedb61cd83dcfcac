"""What replies say about a server: rates, first-token times, gaps and ratios. Pure functions.

A reply counts as the client saw it: from the moment it asked to the moment its stream was over.
Every ratio compares medians over rounds; its spread is that of the single rounds.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median


@dataclass(frozen=True)
class TimedReply:
    """One reply as its client saw it. Times are seconds on one clock."""

    user: int
    character: str
    asked_s: float
    arrived_s: tuple[float, ...]  # whenever text came
    ended_s: float  # when the stream was over
    tokens: int


@dataclass(frozen=True)
class Round:
    """Replies that ran side by side."""

    replies: tuple[TimedReply, ...]


@dataclass(frozen=True)
class Estimate:
    """A figure with its spread: the lowest and highest of its samples, or an interval."""

    value: float
    low: float
    high: float


def tokens_per_s(played: Round) -> float:
    """Tokens of all replies over the time from the first question to the last end."""
    begun = min(reply.asked_s for reply in played.replies)
    ended = max(reply.ended_s for reply in played.replies)
    return sum(reply.tokens for reply in played.replies) / (ended - begun)


def tokens_per_s_after_first(played: Round) -> float:
    """The same without the prompts: from the first text on, first tokens not counted."""
    begun = min(reply.arrived_s[0] for reply in played.replies)
    ended = max(reply.ended_s for reply in played.replies)
    return sum(reply.tokens - 1 for reply in played.replies) / (ended - begun)


def ttfts_ms(played: Round) -> list[float]:
    """From question to first text, one value per reply."""
    return [(reply.arrived_s[0] - reply.asked_s) * 1e3 for reply in played.replies]


def gaps_ms(played: Round) -> list[float]:
    """Between one text and the next, within replies."""
    return [
        (later - earlier) * 1e3
        for reply in played.replies
        for earlier, later in pairwise(reply.arrived_s)
    ]


def gaps_across_ms(times_s: Sequence[float], begun_s: float, ended_s: float) -> list[float]:
    """Of the gaps between consecutive times, those that touch begun_s..ended_s."""
    return [
        (later - earlier) * 1e3
        for earlier, later in pairwise(times_s)
        if later > begun_s and earlier < ended_s
    ]


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` (0..1] of all values do not exceed."""
    ordered = sorted(values)
    ranks = [(i + 1) / len(ordered) for i in range(len(ordered))]
    return ordered[bisect_left(ranks, share)]


def estimate(values: Sequence[float]) -> Estimate:
    """Median and extremes."""
    return Estimate(median(values), min(values), max(values))


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> Estimate:
    """Median over median; the spread is that of the rounds, paired in their order."""
    pairs = [a / b for a, b in zip(ours, theirs, strict=True)]
    return Estimate(median(ours) / median(theirs), min(pairs), max(pairs))
