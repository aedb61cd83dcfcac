"""What looks on while people talk: told of every turn that has ended, and of every goodbye."""

from __future__ import annotations

from typing import Protocol

from npc_server.sessions import Session
from npc_server.turns import OpenTurn


class Watcher(Protocol):
    """Something that takes note of conversations. Both methods are quick, and never raise."""

    def note_turn(self, turn: OpenTurn) -> None:
        """A reply has ended or was broken off, and is part of the conversation."""
        ...

    def note_end(self, session: Session) -> None:
        """The session has ended."""
        ...
