"""The figures of the benchmark: their marks, and how they follow from results. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from benchmarks.learning.experiment import TasteName
from benchmarks.learning.nights import ExperimentResult
from benchmarks.marks import Mark
from benchmarks.measures import Estimate, estimate

LAST_NIGHT = 3
MARKS = (
    Mark(
        "tastes_learned",
        "tastes that gain 20 points of liked and of preferred share in night one and keep the"
        " probes within 2 points",
        at_least=3,
    ),
    Mark(
        "kept_after_night_3",
        "liked share after night three less that after night one, worst of the tastes learned",
        at_least=-0.05,
    ),
    Mark(
        "adversaries_gain",
        "share of replies out of character after night one less that of the base, a tenth of the"
        " players adversaries",
        at_most=0,
    ),
    Mark("noisy_gain", "gain in night one when a quarter of all judgements is made by a coin"),
    Mark("blunt_gain", "the same players without noise"),
    Mark("published", "share of first nights whose candidate passed the gate"),
    Mark("perplexity_ratio", "perplexity on a general text: last night / base, median"),
)

#: Groups with a taste of their own; the others are variations on blunt ones.
_TASTES = tuple(
    taste for taste in TasteName if taste not in (TasteName.NOISY, TasteName.ADVERSARIES)
)


def figures(results: Sequence[ExperimentResult]) -> Mapping[str, Estimate]:
    """Figures of the usual experiments (mixed feedback, the rows decide); others are left out."""
    usual = {result.taste: result for result in results if result.is_usual()}
    tastes = [usual[taste] for taste in _TASTES if taste in usual]
    return {
        **_learned(tastes),
        **_kept(tastes),
        **_adversaries(usual.get(TasteName.ADVERSARIES)),
        **_gain("noisy_gain", usual.get(TasteName.NOISY)),
        **_gain("blunt_gain", usual.get(TasteName.BLUNT)),
        **_mean("published", [_published(result) for result in usual.values()]),
        **_median("perplexity_ratio", [_last_perplexity(result) for result in usual.values()]),
    }


def _learned(tastes: Sequence[ExperimentResult]) -> Mapping[str, Estimate]:
    if not tastes:
        return {}
    count = sum(result.nights[0].judgement.learned for result in tastes)
    return {"tastes_learned": _exactly(count)}


def _kept(tastes: Iterable[ExperimentResult]) -> Mapping[str, Estimate]:
    changes = [
        result.nights[LAST_NIGHT - 1].judgement.liked.value - result.nights[0].judgement.liked.value
        for result in tastes
        if result.nights[0].judgement.learned and len(result.nights) >= LAST_NIGHT
    ]
    if not changes:
        return {}
    return {"kept_after_night_3": Estimate(min(changes), min(changes), max(changes))}


def _adversaries(result: ExperimentResult | None) -> Mapping[str, Estimate]:
    if result is None:
        return {}
    first = result.nights[0].judgement
    return {"adversaries_gain": _exactly(first.out_of_character - first.out_of_character_before)}


def _gain(key: str, result: ExperimentResult | None) -> Mapping[str, Estimate]:
    return {key: result.nights[0].judgement.gain} if result else {}


def _published(result: ExperimentResult) -> float:
    return float(result.nights[0].state == "published")


def _last_perplexity(result: ExperimentResult) -> float:
    return result.nights[-1].judgement.perplexity_ratio


def _mean(key: str, values: Sequence[float]) -> Mapping[str, Estimate]:
    return {key: _exactly(sum(values) / len(values))} if values else {}


def _median(key: str, values: Sequence[float]) -> Mapping[str, Estimate]:
    return {key: estimate(values)} if values else {}


def _exactly(value: float) -> Estimate:
    return Estimate(value, value, value)
