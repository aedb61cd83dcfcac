"""Who speaks of what happens in a scene, and to what. Pure.

The game may name the character. If it does not, of those whose persona has a trigger for the event
the one whose trigger has the highest priority speaks, and of equal ones the one with most reason
to, as at a line (`speaking_order`). Where nobody waits for the event, whoever has most reason to
speaks of what the game tells.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from npc_server.errors import InvalidRequestError
from npc_server.scenes.limits import PATIENCE, Patience
from npc_server.scenes.speaking_order import Because, Bid, Listener, Reason, bid_of, speakers
from npc_server.triggering import Fired, Happening, Surroundings, fire
from personas.known_names import no_such
from personas.triggers import Quiet, Trigger
from personas.variables import Values

_SEEDS = 1 << 32


@dataclass(frozen=True)
class Witness:
    """A character that notices what happens."""

    listener: Listener
    values: Values  # of its world
    fired_at_s: Mapping[Trigger, float]  # in this scene

    @property
    def character(self) -> str:
        """The character's id."""
        return self.listener.persona.id

    def waits_for(self, event: str) -> bool:
        """Whether it has a trigger for an event."""
        return any(trigger.event == event for trigger in self.listener.persona.triggers)


@dataclass(frozen=True)
class Cued:
    """A character that speaks, why it is the one, and to what."""

    bid: Bid
    fired: Fired
    shared: bool  # the game tells what happens, to all who notice; a trigger tells its character

    @property
    def _rank(self) -> tuple[int, bool, float]:
        priority = self.fired.trigger.priority if self.fired.trigger else 0
        return priority, self.bid.called, self.bid.score


def speaker_of(
    witnesses: Sequence[Witness],
    named: str,  # id of a witness; "" = the game names nobody
    happening: Happening,
    now_s: float,
    seed: int,
    patience: Patience = PATIENCE,
) -> Cued | Quiet:
    """Who speaks of what happens, or why nobody does: why the one that came nearest does not.

    Raises InvalidRequestError for an event that nobody waits for and that nothing is told of, and
    for words that nobody is named to say.
    """
    candidates = _candidates(witnesses, named, happening, patience)
    found = [
        _outcome(witness, named, happening, now_s, (seed + number) % _SEEDS, patience)
        for number, witness in enumerate(candidates)
    ]
    if speaking := [one for one in found if isinstance(one, Cued)]:
        return max(speaking, key=lambda one: one._rank)
    return max((one for one in found if isinstance(one, Quiet)), key=list(Quiet).index)


def _candidates(
    witnesses: Sequence[Witness], named: str, happening: Happening, patience: Patience
) -> list[Witness]:
    """Those among whom the one is that speaks, one at least."""
    if named or len(witnesses) == 1:
        return [one for one in witnesses if not named or one.character == named]
    if happening.verbatim:
        raise InvalidRequestError("verbatim is what one character says; name it in character")
    waiting = [one for one in witnesses if happening.event and one.waits_for(happening.event)]
    if waiting:
        return waiting
    if not happening.text:
        raise InvalidRequestError(_nothing_told(witnesses, happening.event))
    listeners = [one.listener for one in witnesses]
    (bid,) = speakers(listeners, happening.text, (), 1, patience)
    return [one for one in witnesses if one.character == bid.character]


def _outcome(
    witness: Witness, named: str, happening: Happening, now_s: float, seed: int, patience: Patience
) -> Cued | Quiet:
    at = Surroundings(witness.values, witness.fired_at_s, now_s, seed)
    fired = fire(witness.listener.persona, happening, at)
    if isinstance(fired, Quiet):
        return fired
    bid = bid_of(witness.listener, fired.told, [named] if named else (), patience)
    if fired.trigger:
        bid = replace(
            bid, reasons=(Reason(Because.TRIGGERED, detail=happening.event), *bid.reasons)
        )
    return Cued(bid, fired, shared=bool(happening.text))


def _nothing_told(witnesses: Sequence[Witness], event: str) -> str:
    if not event:
        return "event, text and verbatim are empty; say what happens, or what is to be said"
    triggers = (one for witness in witnesses for one in witness.listener.persona.triggers)
    named = no_such("trigger", event, dict.fromkeys(trigger.event for trigger in triggers))
    return f"nobody here has a trigger for it: {named}; or tell in text what happened"
