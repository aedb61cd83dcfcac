"""Derived signals: weak evidence about a reply, from how its player goes on.

Of a reply that its player broke off nothing is derived but that: to say the same again then is to
go on, and nothing whole was compared or answered by silence.

Pure. A reaction's id is made of the sign and the turn, so that deriving it again makes no second
row. The cutoff for near-equal lines was chosen on the labelled pairs in the tests, for precision:
taking a new question for a repeated one would blame a reply that was fine.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from rapidfuzz import fuzz

from feedback_store.records import Choice, Payload, Reaction, Sign, Signal, Source
from languages.reading import word_count, words
from npc_server.sessions import Exchange

#: The prefix of the server's own event ids.
DERIVED_PREFIX = "derived:"

_LINES_BACK = 2
_LEAST_WORDS = 3  # "yes", "go on", "hello?" recur and mean something else each time
_ALIKE = 90.0  # of 100


def on_line(
    exchanges: Sequence[Exchange], text: str, now: datetime, silence: timedelta
) -> Iterator[Reaction]:
    """The signals that a new line of the player gives about earlier replies."""
    for exchange in reversed(exchanges[-_LINES_BACK:]):
        if is_rephrased(text, exchange.player_text):
            if not exchange.kept.interrupted:
                yield _signal(Sign.REPHRASED, exchange.kept.turn_id, now)
            break
    if exchanges and not exchanges[-1].chosen:
        yield from _went_on(exchanges[-1], now)
    yield from on_end(exchanges, now, silence)


def on_end(exchanges: Sequence[Exchange], now: datetime, silence: timedelta) -> Iterator[Reaction]:
    """The signal that a long silence gives when the player speaks again, or leaves."""
    if not exchanges or exchanges[-1].kept.interrupted:
        return
    if now - exchanges[-1].replied_at > silence:
        yield _signal(Sign.SILENT, exchanges[-1].kept.turn_id, now)


def on_abandoned(turn_id: str, now: datetime) -> Reaction:
    """The signal that the player broke this reply off."""
    return _signal(Sign.ABANDONED, turn_id, now)


def is_rephrased(line: str, earlier: str) -> bool:
    """Whether `line` says nearly the same as `earlier`, of the same player."""
    if min(word_count(line), word_count(earlier)) < _LEAST_WORDS:
        return False
    return fuzz.WRatio(" ".join(words(line)), " ".join(words(earlier))) >= _ALIKE


def _went_on(exchange: Exchange, now: datetime) -> Iterator[Reaction]:
    """The choice that is made by going on from one of several whole replies."""
    kept = exchange.kept.turn_id
    takes = [take.turn_id for take in exchange.takes if not take.interrupted]
    others = tuple(turn_id for turn_id in takes if turn_id != kept)
    if others and kept in takes:
        yield _reaction("choice", kept, Choice(others, 1 + takes.index(kept)), now)


def _signal(sign: Sign, turn_id: str, now: datetime) -> Reaction:
    return _reaction(sign.value, turn_id, Signal(sign), now)


def _reaction(what: str, turn_id: str, payload: Payload, now: datetime) -> Reaction:
    event_id = f"{DERIVED_PREFIX}{what}:{turn_id}"
    return Reaction(event_id, payload, now, turn_id, source=Source.DERIVED)
