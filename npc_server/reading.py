"""Has the engine read what a conversation's next prompt begins with, while nobody waits for it.

Most prompts begin as the one before. Another beginning comes where old lines were left out, where a
conversation goes on after a break, and behind what is in no history: notes, and a thought.
"""

from __future__ import annotations

from npc_server.adapters import Adapters
from npc_server.engine.protocol import Sampling
from npc_server.note_sources import NoteSource, room_of
from npc_server.prefill import ReadingAhead
from npc_server.prompt_budget import Budget, budget_of
from npc_server.sessions import Session, Sessions
from npc_server.turns import Model, OpenTurn
from personas.render import Beginning, beginning, expected_beginning


class NextPrompts:
    """What the next prompts begin with, by session."""

    def __init__(
        self,
        model: Model,
        adapters: Adapters,
        sessions: Sessions,
        sources: tuple[NoteSource, ...],
    ) -> None:
        self._model = model
        self._adapters = adapters
        self._sessions = sessions
        self._sources = sources
        self._ahead = ReadingAhead(model)
        self._ending = False

    def budget(self, session: Session, sampling: Sampling) -> Budget:
        """What a prompt of a conversation may have."""
        context = self._model.reply_context
        notes = room_of(self._sources, session, context)
        return budget_of(session.persona, context, sampling.max_tokens, notes)

    def stop(self, session_id: str) -> None:
        """Stop reading for a session."""
        self._ahead.stop(session_id)

    def end(self) -> None:
        """Stop for good."""
        self._ending = True
        self._ahead.stop_all()

    def read_restored(self, session: Session) -> None:
        """Read a conversation that goes on after a break, until its next line."""
        own = Sampling(max_tokens=session.persona.sampling.max_reply_tokens)
        if session.exchanges:
            self._read_next(session, own, dropped_lines=None)

    def read_beside(self, turn: OpenTurn) -> None:
        """Read, beside a reply, what the next prompt begins with before it."""
        session, said = turn.session, turn.exchange.player_text
        usual = self.budget(session, turn.sampling).usual
        history = session.history_before(turn.exchange)
        ahead = expected_beginning(session.persona, history, said, self._model.tokenizer, usual)
        self._read(session, ahead, turn.prompt.dropped_lines)

    def read_ahead(self, turn: OpenTurn) -> None:
        """Read the next prompt's beginning where it is not that of this turn."""
        differs = turn.prompt.notes.kept or turn.exchange.cue or turn.thought  # from the history
        dropped = None if differs else turn.prompt.dropped_lines
        self._read_next(turn.session, turn.sampling, dropped)

    def _read_next(self, session: Session, sampling: Sampling, dropped_lines: int | None) -> None:
        usual = self.budget(session, sampling).usual
        ahead = beginning(session.persona, session.history(), self._model.tokenizer, usual)
        self._read(session, ahead, dropped_lines)

    def _read(self, session: Session, ahead: Beginning, dropped_lines: int | None) -> None:
        """Read a beginning, unless it drops as many lines as one that was read before."""
        if self._ending or self._sessions.find(session.session_id) is not session:
            return
        if ahead.dropped_lines == dropped_lines:
            self._ahead.stop(session.session_id)
        else:
            live = self._adapters.live(session.persona.id)
            self._ahead.begin(session.session_id, ahead.ids, live)
