"""How far a difference between two voices may be chance. Pure, and deterministic.

Replies come in clusters: those of one player, or to one probe, agree with each other, so many of
them prove less than as many independent ones. Differences are taken question by question, which
removes what makes some questions harder than others.
"""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from trainer.gate.measurements import Margin

RESAMPLES = 2000


@dataclass(frozen=True)
class Estimate:
    """A number and its interval."""

    value: float
    low: float
    high: float
    n: int  # replies, rows or turns
    clusters: int  # probes or players


@dataclass(frozen=True)
class Paired:
    """The same question's number for both voices."""

    cluster: str
    incumbent: float
    candidate: float

    @property
    def difference(self) -> float:
        """By how much the candidate's number is higher."""
        return self.candidate - self.incumbent


def mean_difference(pairs: Sequence[Paired], confidence: float) -> Estimate:
    """Mean of candidate minus incumbent, each end of the interval at `confidence`.

    Two-stage bootstrap (Davison and Hinkley 1997, 3.8): clusters are drawn, and replies within
    them. With a handful of probes, drawing whole probes alone would miss the chance in the seeds.
    """
    groups = _by_cluster(pairs)
    chance = np.random.default_rng(0)
    means = np.sort(_resampled_means(groups, chance))
    low, high = (_at(means, share) for share in (1 - confidence, confidence))
    value = sum(pair.difference for pair in pairs) / len(pairs)
    return Estimate(value, low, high, len(pairs), len(groups))


def median(values: Sequence[float], confidence: float) -> Estimate:
    """The median of independent values, by bootstrap."""
    chance = np.random.default_rng(0)
    found = np.array(values)
    drawn = found[chance.integers(len(found), size=(RESAMPLES, len(found)))]
    medians = np.sort(np.median(drawn, axis=1))
    low, high = (_at(medians, share) for share in (1 - confidence, confidence))
    return Estimate(float(np.median(found)), low, high, len(found), len(found))


def lower_bound(margins: Sequence[Margin], confidence: float) -> float:
    """One-sided lower bound of the share of margins above 0; the more careful of two.

    Wilson's (1927) knows that few rows prove little; a bootstrap over players knows that rows of
    one player agree with each other.
    """
    return min(_wilson(margins, confidence), _by_players(margins, confidence))


def share_right(margins: Sequence[Margin]) -> float:
    """Share of margins above 0."""
    return sum(margin.value > 0 for margin in margins) / len(margins)


def _by_cluster(pairs: Sequence[Paired]) -> list[NDArray[np.float64]]:
    ordered = sorted(pairs, key=lambda pair: (pair.cluster, pair.difference))
    return [
        np.array([pair.difference for pair in group])
        for _, group in groupby(ordered, key=lambda pair: pair.cluster)
    ]


def _resampled_means(
    groups: Sequence[NDArray[np.float64]], chance: np.random.Generator
) -> NDArray[np.float64]:
    within = np.stack([_resampled_sums(group, chance) for group in groups])
    sizes = np.array([len(group) for group in groups])
    drawn = chance.integers(len(groups), size=(RESAMPLES, len(groups)))
    sums = within[drawn, np.arange(RESAMPLES)[:, None]].sum(1)
    means: NDArray[np.float64] = sums / sizes[drawn].sum(1)
    return means


def _resampled_sums(group: NDArray[np.float64], chance: np.random.Generator) -> NDArray[np.float64]:
    drawn: NDArray[np.float64] = group[chance.integers(len(group), size=(RESAMPLES, len(group)))]
    sums: NDArray[np.float64] = drawn.sum(1)
    return sums


def _at(ordered: NDArray[np.float64], share: float) -> float:
    return float(ordered[min(int(share * len(ordered)), len(ordered) - 1)])


def _wilson(margins: Sequence[Margin], confidence: float) -> float:
    n, share, z = len(margins), share_right(margins), NormalDist().inv_cdf(confidence)
    centre = share + z * z / (2 * n)
    spread = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return (centre - spread) / (1 + z * z / n)


def _by_players(margins: Sequence[Margin], confidence: float) -> float:
    ordered = sorted(margins, key=lambda margin: margin.player_id)
    players = [list(rows) for _, rows in groupby(ordered, key=lambda margin: margin.player_id)]
    chance = random.Random(0)
    shares = sorted(
        share_right([margin for rows in chance.choices(players, k=len(players)) for margin in rows])
        for _ in range(RESAMPLES)
    )
    return shares[int((1 - confidence) * RESAMPLES)]
