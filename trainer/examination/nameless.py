"""Measurements without players' pseudonyms, so that a run's record may stay when a player is
forgotten. Rules only need to know which replies are of one player, and a number says that. Pure.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from trainer.gate import DuelScores, Margin, Measurements, QuestionKind, VoiceReport


def without_names(measurements: Measurements) -> Measurements:
    """Number the players instead of naming them."""
    margins = measurements.margins or ()
    duel = measurements.reward_duel
    names = {margin.player_id for margin in margins}
    for voice in (measurements.incumbent, measurements.candidate):
        names |= {one.cluster for one in voice.heard if one.kind is QuestionKind.LINE}
    numbers = {name: f"player {at}" for at, name in enumerate(sorted(names))}
    return replace(
        measurements,
        incumbent=_voice(measurements.incumbent, numbers),
        candidate=_voice(measurements.candidate, numbers),
        margins=None if measurements.margins is None else _margins(margins, numbers),
        reward_duel=replace(duel, scored=_duel_scores(duel.scored, numbers)) if duel else None,
    )


def _voice(voice: VoiceReport, numbers: Mapping[str, str]) -> VoiceReport:
    heard = (
        replace(one, cluster=numbers[one.cluster]) if one.kind is QuestionKind.LINE else one
        for one in voice.heard
    )
    return replace(voice, heard=tuple(heard))


def _margins(margins: Iterable[Margin], numbers: Mapping[str, str]) -> tuple[Margin, ...]:
    return tuple(replace(one, player_id=numbers[one.player_id]) for one in margins)


def _duel_scores(
    scored: Iterable[DuelScores], numbers: Mapping[str, str]
) -> tuple[DuelScores, ...]:
    return tuple(replace(one, cluster=numbers[one.cluster]) for one in scored)
