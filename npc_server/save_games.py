"""Save games: a point in a conversation that a game can go back to.

A checkpoint is a row of the store, named by an unguessable token: which takes the player had lived
through, which of them were kept, and their corrections. Going back always rebuilds the conversation
from the stored turns, whether its session is open, closed or of an earlier server. Turns of other
branches stay recorded; the store marks what the player did not live through.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from weakref import WeakValueDictionary

from feedback_store.errors import UnknownCheckpointError
from feedback_store.records import ActionReport, Checkpoint, LivedExchange, Turn
from feedback_store.records import Session as SessionRecord
from feedback_store.store import Store
from languages.visibility import is_visible
from npc_server.action_reports import unheard_reports
from npc_server.errors import InvalidRequestError, UnknownCharacterError
from npc_server.recorder import Recorder
from npc_server.sessions import Exchange, Session, Sessions, Story
from npc_server.turns import stored_cue, stored_hearers, stored_notes, stored_take
from personas.persona import Persona
from personas.situation import situation_of
from personas.triggers import fired_at_s, rested_s

SETTLE_S = 5.0  # for the recorder's queue


@dataclass(frozen=True)
class _StoredConversation:
    """The stored session of a checkpoint, all its turns, and what came of its actions."""

    record: SessionRecord
    turns: Sequence[Turn]
    reports: Sequence[ActionReport]


class SaveGames:
    """Makes checkpoints and goes back to them."""

    def __init__(
        self,
        characters: Mapping[str, Persona],
        sessions: Sessions,
        store: Store,
        recorder: Recorder,
    ) -> None:
        self._characters = characters
        self._sessions = sessions
        self._store = store
        self._recorder = recorder
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()  # by session

    async def checkpoint(self, session_id: str) -> Checkpoint:
        """Store a checkpoint of an open session, after all the turns that it names.

        Raises UnknownSessionError, InvalidRequestError for a part of a scene, SessionBusyError,
        StoreUnavailableError and ForgottenError.
        """
        session = self._sessions.get(session_id)
        if session.scene_id:
            raise InvalidRequestError(
                f"session {session_id} is a part of scene {session.scene_id};"
                " the scene has a Checkpoint of its own"
            )
        await session.settle_all()
        with session.claim_turn():
            exchanges = tuple(lived_exchange(exchange) for exchange in session.exchanges)
            situation = session.situation.to_json()
            rested = rested_s(session.story.fired_at_s, time.monotonic())
        now = datetime.now(UTC)
        checkpoint = Checkpoint(new_token(), session_id, exchanges, now, situation, rested)
        await self._recorder.flush(SETTLE_S)
        await asyncio.wrap_future(self._store.record_checkpoint(checkpoint))
        return checkpoint

    async def restore(self, token: str) -> Session:
        """Go back to a checkpoint; its session is open afterwards.

        Raises UnknownCheckpointError, UnknownCharacterError, SessionBusyError and
        StoreUnavailableError.
        """
        checkpoint = await asyncio.to_thread(self._store.checkpoint, token)
        if checkpoint is None:
            raise no_such_checkpoint()
        lock = self._locks.setdefault(checkpoint.session_id, asyncio.Lock())
        async with lock:
            return await self._go_back(checkpoint)

    async def _go_back(self, checkpoint: Checkpoint) -> Session:
        session = self._sessions.find(checkpoint.session_id)
        if session is not None:
            await session.settle_all()
        with session.claim_turn() if session is not None else nullcontext():
            # A turn that is stored after the marking would count as lived through.
            await self._recorder.flush(SETTLE_S)
            stored = await asyncio.to_thread(self._read_stored, checkpoint)
            rebuilt = rebuild(stored.record, self._persona(stored.record), checkpoint, stored.turns)
            rebuilt.story.reports = unheard_reports(
                {turn_id for one in checkpoint.exchanges for turn_id in one.take_turn_ids},
                checkpoint.created_at,
                stored.turns,
                stored.reports,
            )
            await asyncio.wrap_future(self._store.roll_back(checkpoint.token))
            return self._reopen(rebuilt)

    def _read_stored(self, checkpoint: Checkpoint) -> _StoredConversation:
        record = self._store.session(checkpoint.session_id)
        if record is None:
            raise UnknownCheckpointError("the checkpoint's session is deleted: start a new one")
        turns = self._store.turns_of(checkpoint.session_id)
        return _StoredConversation(record, turns, self._store.action_reports(record.session_id))

    def _persona(self, record: SessionRecord) -> Persona:
        persona = self._characters.get(record.character)
        if persona is None:
            known = ", ".join(sorted(self._characters))
            raise UnknownCharacterError(
                f"the save game is of {record.character!r}, which is no longer in the cast; "
                f"known: {known}"
            )
        return persona

    def _reopen(self, rebuilt: Session) -> Session:
        session = self._sessions.find(rebuilt.session_id)
        if session is None:
            self._sessions.add(rebuilt)
            return rebuilt
        self._sessions.go_back(session, rebuilt)
        return session


def no_such_checkpoint() -> UnknownCheckpointError:
    """The error about a token that leads nowhere."""
    return UnknownCheckpointError(
        "no checkpoint has this token: it was never issued, or its player was forgotten"
    )


def rebuild(
    record: SessionRecord, persona: Persona, checkpoint: Checkpoint, turns: Sequence[Turn]
) -> Session:
    """The session as it was at the checkpoint. Raises UnknownCheckpointError."""
    by_id = {turn.turn_id: turn for turn in turns}
    exchanges = [lived_again(one, by_id, checkpoint.created_at) for one in checkpoint.exchanges]
    fired = fired_at_s(persona.triggers, checkpoint.rested_s, time.monotonic())
    story = Story(exchanges, situation_of(checkpoint.situation), fired_at_s=fired)
    return Session(record, persona, story, turns=len(turns))


def lived_again(lived: LivedExchange, turns: Mapping[str, Turn], saved_at: datetime) -> Exchange:
    """An exchange as it was at a save. Raises UnknownCheckpointError."""
    missing = [turn_id for turn_id in lived.take_turn_ids if turn_id not in turns]
    if missing:
        raise UnknownCheckpointError(
            f"turn {missing[0]!r} of the save game is deleted, as expired turns are: begin anew"
        )
    exchange = _exchange(lived, turns)
    if exchange.kept.turn_id != lived.kept_turn_id:
        exchange.keep(lived.kept_turn_id, "", lived.kept_at or saved_at)
    if lived.text is not None and is_visible(lived.text):  # older releases took any
        exchange.correct(lived.kept_turn_id, lived.text, "", lived.text_at or saved_at)
    return exchange


def _exchange(lived: LivedExchange, turns: Mapping[str, Turn]) -> Exchange:
    first = turns[lived.take_turn_ids[0]]
    exchange = Exchange(first.player_text, stored_notes(first), stored_hearers(first))
    exchange.cue = stored_cue(first)
    exchange.told = exchange.notes or ()
    for turn_id in lived.take_turn_ids:
        exchange.add(stored_take(turns[turn_id], lived.call_ids.get(turn_id, "")))
    return exchange


def lived_exchange(exchange: Exchange) -> LivedExchange:
    """An exchange as a save game names it."""
    takes = tuple(take.turn_id for take in exchange.takes)
    call_ids = {take.turn_id: take.call_id for take in exchange.takes if take.call_id}
    return LivedExchange(
        takes,
        exchange.kept.turn_id,
        exchange.kept.correction,
        call_ids,
        exchange.kept_at if exchange.chosen else None,
        exchange.kept.corrected_at,
    )


def new_token() -> str:
    """Names a save game; nobody can guess it."""
    return secrets.token_urlsafe(24)
