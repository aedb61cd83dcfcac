"""What judges find of replies to questions that no player ever asked. Pure.

A judge of a taste sees two replies to the same question under the same seed, the one of the bare
base and the one of a later version.

*Liked share*: the share of a version's replies that grant all wishes of the taste.
*Gain*: liked share of the later version minus that of the bare base; 0 = nothing learned.
*Preferred share*: the share of comparisons in which the later reply grants more wishes, ties count
half; 0.5 = nothing learned.

A taste counts as learned when both moved by 20 points: preferred at least 0.70, and a gain of at
least 0.20. The first alone would be content with half-granted wishes, the second alone with a
taste that was nearly satisfied before. Spreads are 95 % intervals of a bootstrap over questions,
because replies to one question resemble each other.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from statistics import fmean

from benchmarks.measures import Estimate
from npc_client.tastes import Taste
from personas import checks
from personas.persona import Persona

LEARNED_GAIN = 0.20
LEARNED_PREFERRED = 0.70
PROBE_LOSS = 0.02  # of the share of probes passed that a taste may cost
RESAMPLES = 1000

#: Replies by question, under the same seeds in the same order for every version.
Takes = Sequence[Sequence[str]]


@dataclass(frozen=True)
class VersionReplies:
    """What one version said."""

    version: str  # "" = the bare base
    replies: tuple[tuple[str, ...], ...]  # by held-out question
    probe_replies: tuple[tuple[str, ...], ...]  # by the persona's probe
    perplexity: float  # on a general text


@dataclass(frozen=True)
class Judgement:
    """A version beside the bare base; shares are in [0, 1]."""

    liked_before: Estimate
    liked: Estimate
    gain: Estimate
    preferred: Estimate
    probes_before: float  # share of probes passed
    probes: float
    out_of_character_before: float  # share of all replies
    out_of_character: float
    words_before: float
    words: float  # of a reply, mean
    perplexity_ratio: float  # to the bare base's; above 1 = worse at English at large

    @property
    def learned(self) -> bool:
        """Whether the taste was learned and the persona kept."""
        return (
            self.gain.value >= LEARNED_GAIN
            and self.preferred.value >= LEARNED_PREFERRED
            and self.probes >= self.probes_before - PROBE_LOSS
        )


def judge(
    taste: Taste, persona: Persona, before: VersionReplies, after: VersionReplies
) -> Judgement:
    """Judge a version beside the bare base."""
    liked_before = [_liked(taste, takes) for takes in before.replies]
    liked = [_liked(taste, takes) for takes in after.replies]
    gains = [new - old for new, old in zip(liked, liked_before, strict=True)]
    duels = [
        _preferred(taste, old, new) for old, new in zip(before.replies, after.replies, strict=True)
    ]
    return Judgement(
        liked_before=spread(liked_before),
        liked=spread(liked),
        gain=spread(gains),
        preferred=spread(duels),
        probes_before=_probes_passed(persona, before),
        probes=_probes_passed(persona, after),
        out_of_character_before=_out_of_character(before),
        out_of_character=_out_of_character(after),
        words_before=_words(before),
        words=_words(after),
        perplexity_ratio=after.perplexity / before.perplexity,
    )


def spread(by_question: Sequence[float]) -> Estimate:
    """The mean, with a 95 % interval over questions."""
    chance = random.Random(0)  # the same replies always give the same interval
    means = sorted(fmean(chance.choices(by_question, k=len(by_question))) for _ in range(RESAMPLES))
    low, high = means[int(0.025 * RESAMPLES)], means[int(0.975 * RESAMPLES)]
    return Estimate(fmean(by_question), low, high)


def _liked(taste: Taste, takes: Sequence[str]) -> float:
    return fmean(taste.likes(text) for text in takes)


def _preferred(taste: Taste, before: Sequence[str], after: Sequence[str]) -> float:
    leads = [taste.points(new) - taste.points(old) for old, new in zip(before, after, strict=True)]
    return fmean((lead > 0) + 0.5 * (lead == 0) for lead in leads)


def _probes_passed(persona: Persona, said: VersionReplies) -> float:
    return fmean(
        checks.probe_passed(probe, text, persona)
        for probe, takes in zip(persona.probes, said.probe_replies, strict=True)
        for text in takes
    )


def _out_of_character(said: VersionReplies) -> float:
    texts = chain.from_iterable([*said.replies, *said.probe_replies])
    return fmean(checks.out_of_character(text) for text in texts)


def _words(said: VersionReplies) -> float:
    return fmean(checks.word_count(text) for text in chain.from_iterable(said.replies))
