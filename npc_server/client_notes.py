"""What clients send along with every line, such as the system messages of a chat program.

It is told like notes of a game: before the player's line, and never in place of the persona. It has
a room of its own, so that however much a client sends, what the world and memory tell stays.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from npc_server.note_sources import Moment
from npc_server.sessions import Session
from personas.notes import Note, NoteKind
from personas.render import Tokenizer

CLIENT = "client"  # the source of these notes


@dataclass(frozen=True)
class ClientNotes:
    """A source of notes of the kind WORLD."""

    tokenizer: Tokenizer
    tokens: int  # set aside where a client sends any

    def room_tokens(self, session: Session) -> int:
        """Tokens for a conversation whose client sends some."""
        return self.tokens if session.scene else 0

    async def notes(self, moment: Moment) -> Sequence[Note]:
        """The sentences that have room, from the first on."""
        return [Note(NoteKind.WORLD, text, CLIENT) for text in self._fitting(moment.session.scene)]

    def _fitting(self, sentences: Sequence[str]) -> Iterator[str]:
        left = self.tokens
        for sentence in sentences:
            left -= len(self.tokenizer.encode(f" {sentence}"))
            if left < 0:
                return
            yield sentence
