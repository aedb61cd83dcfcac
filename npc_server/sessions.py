"""Who is talking to whom, and what has been said: the open conversations, in memory.

A conversation is a list of exchanges: what the player said and the takes on a reply, one of which
is kept. What comes next continues from the kept takes. Everything durable is in the feedback
store.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from npc_server.errors import NotLatestTurnError, SessionBusyError, UnknownSessionError
from personas.persona import Persona
from personas.render import Line, Speaker


@dataclass
class Take:
    """One reply to a line; `text` changes when the player corrects it."""

    turn_id: str
    text: str


@dataclass
class Exchange:
    """What the player said, the takes on a reply, and which of them counts."""

    player_text: str
    takes: list[Take] = field(default_factory=list)
    kept: int = -1  # index into takes; the newest unless the player chose


@dataclass
class Session:
    """One player's conversation with one character."""

    session_id: str
    player_id: str
    persona: Persona
    exchanges: list[Exchange] = field(default_factory=list)
    turns: int = 0
    _speaking: bool = False

    @contextmanager
    def speaking(self) -> Iterator[None]:
        """Claim the session for one turn. Raises SessionBusyError."""
        if self._speaking:
            raise SessionBusyError(
                f"session {self.session_id} has a reply running; wait for it or cancel it"
            )
        self._speaking = True
        try:
            yield
        finally:
            self._speaking = False

    def history(self, exchanges: int | None = None) -> list[Line]:
        """What was said in the first `exchanges` exchanges, or in all."""
        lines = []
        for exchange in self.exchanges[:exchanges]:
            lines.append(Line(Speaker.PLAYER, exchange.player_text))
            lines.append(Line(Speaker.CHARACTER, exchange.takes[exchange.kept].text))
        return lines

    def latest(self, turn_id: str) -> Exchange:
        """The latest exchange, if `turn_id` is one of its takes. Raises NotLatestTurnError."""
        if self.exchanges and any(take.turn_id == turn_id for take in self.exchanges[-1].takes):
            return self.exchanges[-1]
        raise NotLatestTurnError(
            f"turn {turn_id!r} is not the latest of session {self.session_id}; "
            "only the latest can be taken again"
        )

    def add_take(self, exchange: Exchange, take: Take) -> None:
        """The reply is complete: the conversation continues from it."""
        exchange.takes.append(take)
        exchange.kept = len(exchange.takes) - 1
        if exchange not in self.exchanges:
            self.exchanges.append(exchange)

    def keep(self, turn_id: str) -> None:
        """The player chose this take; turns of other sessions are ignored."""
        for exchange in self.exchanges:
            for i, take in enumerate(exchange.takes):
                if take.turn_id == turn_id:
                    exchange.kept = i

    def correct(self, turn_id: str, text: str) -> None:
        """The player rewrote this take; turns of other sessions are ignored."""
        for exchange in self.exchanges:
            for take in exchange.takes:
                if take.turn_id == turn_id:
                    take.text = text


class Sessions:
    """The open sessions, at most `limit`; the one idle for longest makes room for a new one."""

    def __init__(self, limit: int = 10_000) -> None:
        self._limit = limit
        self._open: OrderedDict[str, Session] = OrderedDict()

    def __len__(self) -> int:
        return len(self._open)

    def add(self, session: Session) -> None:
        """Open a session."""
        self._open[session.session_id] = session
        while len(self._open) > self._limit:
            self._open.popitem(last=False)

    def get(self, session_id: str) -> Session:
        """An open session. Raises UnknownSessionError."""
        session = self._open.get(session_id)
        if session is None:
            raise UnknownSessionError(
                f"no open session {session_id!r}; sessions end with EndSession or a restart: "
                "start a new one"
            )
        self._open.move_to_end(session_id)
        return session

    def find(self, session_id: str) -> Session | None:
        """An open session, or None."""
        return self._open.get(session_id)

    def end(self, session_id: str) -> Session:
        """Close a session. Raises UnknownSessionError."""
        session = self.get(session_id)
        del self._open[session_id]
        return session
