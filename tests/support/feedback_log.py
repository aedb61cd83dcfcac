"""Turns and events, to select from."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import count
from typing import Any

from feedback_store.records import Event, Payload, Source, Turn
from feedback_store.selection import Edited, Labelled, Pair, Snapshot, select
from feedback_store.selection.evidence import Statements, statements
from feedback_store.selection.rules import Rules
from tests.support import turns
from tests.support.turns import NOON

REPLY = turns.TURN.reply_text
OTHER = "Follow the river north."
#: Nobody is held out: for what is not about that.
ALL_TRAINED = Rules(held_out_share=0, recent_share=0)

TURN = replace(turns.TURN, session_id="", adapter_version="v0001-3fa91c2b", adapter_hash="3fa9")


class Log:
    """Turns and events, each a second after the one before. A player has one session by default."""

    def __init__(self) -> None:
        self._seconds = count()
        self.turns: dict[str, Turn] = {}
        self.events: list[Event] = []

    def said(self, turn_id: str, reply: str = REPLY, **changes: Any) -> None:
        """A turn of ann's; by default it answers the same line, and is a take of its own."""
        turn = replace(TURN, turn_id=turn_id, reply_text=reply, first_turn_id=turn_id)
        turn = replace(turn, created_at=self._now(), **changes)
        session_id = turn.session_id or f"session of {turn.player_id}"
        self.turns[turn_id] = replace(turn, session_id=session_id)

    def line(self, turn_id: str, text: str, reply: str = REPLY, **changes: Any) -> None:
        """A turn that answers another line, and so another prompt."""
        self.said(turn_id, reply, player_text=text, prompt_ids=tuple(text.encode()), **changes)

    def did(self, turn_id: str, payload: Payload, **changes: Any) -> None:
        """A reaction of the turn's player."""
        now = self._now()
        turn = self.turns.get(turn_id, TURN)
        event = Event(
            f"e{len(self.events)}", turn_id, turn.session_id, turn.player_id, payload, now
        )
        self.events.append(replace(event, **changes))

    def guessed(self, turn_id: str, payload: Payload) -> None:
        """A reaction that the server derived from how the conversation went on."""
        self.did(turn_id, payload, source=Source.DERIVED)

    def statements(self) -> Statements:
        """What the events state, unfiltered."""
        return statements(self.turns, self.events)

    def selected(self, rules: Rules = ALL_TRAINED) -> Snapshot:
        """The snapshot of this log."""
        return select("mira", self.turns.values(), self.events, rules)

    def _now(self) -> datetime:
        return NOON + timedelta(seconds=next(self._seconds))


def trained(snapshot: Snapshot) -> tuple[Pair | Labelled | Edited, ...]:
    """All rows that are trained on."""
    return (*snapshot.train_pairs, *snapshot.train_labels, *snapshot.train_edits)


def held_out(snapshot: Snapshot) -> tuple[Pair | Labelled | Edited, ...]:
    """All rows that are judged by."""
    return (*snapshot.held_out_pairs, *snapshot.held_out_labels, *snapshot.held_out_edits)


def players(rows: Iterable[Pair | Labelled | Edited]) -> set[str]:
    """The players of these rows."""
    return {row.player_id for row in rows}
