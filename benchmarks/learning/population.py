"""The players of an experiment, and the judges of its results. Pure.

The server makes players' pseudonyms with a known key, so that the same five of twenty are held out
of training in every experiment. Judges are held out too: they ask and never react.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace

from benchmarks.learning.experiment import Experiment, FeedbackKind, TasteName
from npc_client.players import Habit, Player, phrases_of
from npc_client.players import population as mixed
from npc_client.tastes import BLUNT, PLAIN, Taste, asking, flowery, knowing, out_of_role
from personas.persona import Persona

PLAYERS = 20
NOISE = 0.25
PLAYER_KEY = hashlib.sha256(b"troupe demo 0").digest()  # five of the twenty are held out
_ADVERSARIES = range(4, PLAYERS, 10)  # one in ten, none of them held out
_HABITS = {
    FeedbackKind.EDITS: Habit.EDITS,
    FeedbackKind.CHOICES: Habit.PICKS,
    FeedbackKind.THUMBS: Habit.VOTES,
}


def tastes(persona: Persona) -> Mapping[TasteName, Taste]:
    """What the judges of each taste want of this character."""
    phrases = phrases_of(persona.id)
    keywords = [word for fact in persona.lore.facts for word in fact.keywords]
    return {
        TasteName.BLUNT: BLUNT,
        TasteName.FLOWERY: flowery(phrases),
        TasteName.ASKING: asking(phrases),
        TasteName.KNOWING: knowing(phrases, keywords),
        TasteName.PLAIN: PLAIN,
        TasteName.NOISY: BLUNT,
        TasteName.ADVERSARIES: BLUNT,
    }


def players(experiment: Experiment, persona: Persona) -> list[Player]:
    """The players of an experiment."""
    taste = tastes(persona)[experiment.taste]
    crowd = [_of_kind(player, experiment.kind) for player in mixed(PLAYERS, taste)]
    if experiment.taste is TasteName.NOISY:
        return [replace(player, noise=NOISE) for player in crowd]
    if experiment.taste is TasteName.ADVERSARIES:
        machine = out_of_role(phrases_of(persona.id))
        return [
            replace(player, taste=machine) if i in _ADVERSARIES else player
            for i, player in enumerate(crowd)
        ]
    return crowd


def _of_kind(player: Player, kind: FeedbackKind) -> Player:
    if kind is FeedbackKind.MIXED:
        return player
    return replace(player, habit=_HABITS[kind], thumbs=kind is FeedbackKind.THUMBS)
