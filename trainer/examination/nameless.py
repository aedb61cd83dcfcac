"""Measurements without players' pseudonyms, so that a run's record outlives a player's wish to be
forgotten. Rules only ask which numbers hang together, and a number says that too. Pure.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from trainer.gate import Kind, Margin, Measurements, Scored, VoiceReport


def without_names(measured: Measurements) -> Measurements:
    """The same, with a number for each player."""
    margins = measured.margins or ()
    duel = measured.reward_duel
    names = {margin.player_id for margin in margins}
    for voice in (measured.incumbent, measured.candidate):
        names |= {one.cluster for one in voice.heard if one.kind is Kind.LINE}
    numbers = {name: f"player {at}" for at, name in enumerate(sorted(names))}
    return replace(
        measured,
        incumbent=_voice(measured.incumbent, numbers),
        candidate=_voice(measured.candidate, numbers),
        margins=None if measured.margins is None else _margins(margins, numbers),
        reward_duel=replace(duel, scored=_scored(duel.scored, numbers)) if duel else None,
    )


def _voice(voice: VoiceReport, numbers: Mapping[str, str]) -> VoiceReport:
    heard = (
        replace(one, cluster=numbers[one.cluster]) if one.kind is Kind.LINE else one
        for one in voice.heard
    )
    return replace(voice, heard=tuple(heard))


def _margins(margins: Iterable[Margin], numbers: Mapping[str, str]) -> tuple[Margin, ...]:
    return tuple(replace(one, player_id=numbers[one.player_id]) for one in margins)


def _scored(scored: Iterable[Scored], numbers: Mapping[str, str]) -> tuple[Scored, ...]:
    return tuple(replace(one, cluster=numbers[one.cluster]) for one in scored)
