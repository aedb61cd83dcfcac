"""Conversations: who may say what, and what is asked for again.

A call claims its session, and gets its reply by `replying`. A call may have an id. Repeated under
the same id it gets the reply that it got, or would have got, and makes a new one only where the
first was broken off.

Personal data enters here. A player's id becomes a pseudonym, and their line loses what identifies
people outside the game, before anything else sees it: prompt, history and record hold the same
text. Replies are the model's own words and are kept as they are.
"""

from __future__ import annotations

import secrets
import time
import uuid
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from itertools import chain

from feedback_store.memory_records import Span
from feedback_store.privacy.redaction import redact
from feedback_store.records import DEFAULT_GAME
from feedback_store.records import Session as SessionRecord
from languages.visibility import is_visible, without_unwanted
from npc_server import signals
from npc_server.adapters import Adapters
from npc_server.cast import cast_member
from npc_server.conversations import Conversations
from npc_server.errors import InvalidRequestError
from npc_server.guard import Guard, GuardSettings
from npc_server.limits import (
    check_characters,
    check_id,
    check_text,
)
from npc_server.note_sources import NoteSource
from npc_server.reply_events import ReplyEvent, stream_again
from npc_server.reply_sampling import NO_CHANGES, Changes
from npc_server.replying import Call, Replies
from npc_server.sessions import Exchange, Session, Story
from npc_server.situations import (
    NOTHING,
    ContextUpdate,
    Reported,
    accepted_report,
    situation_after,
)
from npc_server.triggering import Fired, Happening, Surroundings, admissible, fire
from npc_server.turns import Model
from npc_server.watchers import Watcher
from npc_server.world_notes import state_of
from personas.audience import hearers
from personas.notes import ToldNotes, without_directions
from personas.persona import Persona
from personas.render import Line
from personas.sentences import sentences
from personas.situation import Situation
from personas.triggers import Quiet

_ROUND = str.maketrans("[]", "()")  # square ones stand around all that is told


class Dialogue:
    """Runs the turns of all sessions."""

    def __init__(
        self,
        characters: Mapping[str, Persona],
        model: Model,
        adapters: Adapters,
        conversations: Conversations,
        heads: Adapters | None = None,  # of characters with several candidates; None = no judge
        sources: tuple[NoteSource, ...] = (),  # of what they are told besides
        watchers: tuple[Watcher, ...] = (),  # of what is said
        guard: Guard | None = None,  # None = every rule with its defaults
    ) -> None:
        self._watchers = watchers
        self._characters = characters
        self._adapters = adapters
        self._sessions = conversations.sessions
        self._conversations = conversations
        guard = guard or Guard(characters, GuardSettings())
        self._replies = Replies(
            characters,
            model,
            adapters,
            conversations,
            heads,
            sources,
            watchers,
            guard,
        )

    @property
    def speaking(self) -> int:
        """Turns that are being generated."""
        return self._replies.speaking

    async def start_session(
        self,
        character: str,
        player_id: str,
        consent: bool,
        memory: Span = Span.SESSION,
        present: Sequence[str] = (),
        seed: int | None = None,
        world: Reported = NOTHING,
        game: str = DEFAULT_GAME,
    ) -> Session:
        """Open a session of a game's player, with the greeting that `seed` draws; None = any.

        Raises InvalidRequestError and UnknownCharacterError.
        """
        persona = cast_member(self._characters, "character", character)
        pseudonym = self._conversations.pseudonyms.of(check_id("player_id", player_id), game)
        now = datetime.now(UTC)
        drawn = secrets.randbits(32) if seed is None else seed
        record = SessionRecord(
            session_id=uuid.uuid4().hex,
            player_id=pseudonym,
            character=character,
            persona_version=persona.version,
            consent=consent,
            started_at=now,
            memory=memory,
            present=check_characters("present", present, self._characters),
            greeting=persona.greeting(drawn),
            game=game,
        )
        story = Story(situation=Situation(accepted_report(persona, world)))
        return await self.open(Session(record, persona, story))

    async def open(self, session: Session) -> Session:
        """Open and record a session that is made."""
        self._sessions.add(session)
        await self._conversations.recorder.record_session(session.record)
        return session

    def resume(
        self,
        character: str,
        player_id: str,
        consent: bool,
        brought: Sequence[Line],
        game: str = DEFAULT_GAME,
    ) -> Session:
        """Open a session that goes on from what was said elsewhere, which is not recorded.

        Raises InvalidRequestError and UnknownCharacterError.
        """
        persona = cast_member(self._characters, "character", character)
        record = SessionRecord(
            session_id=uuid.uuid4().hex,
            player_id=self._conversations.pseudonyms.of(check_id("player_id", player_id), game),
            character=character,
            persona_version=persona.version,
            consent=consent,
            started_at=datetime.now(UTC),
            game=game,
        )
        session = Session(record, persona, brought=self._admissible_lines(brought))
        self._sessions.add(session)
        self._conversations.recorder.begin_session(record)
        return session

    async def update_context(self, session_id: str, update: ContextUpdate) -> ToldNotes:
        """Take in what a game reports; returns what the next prompt would carry of it.

        Raises InvalidRequestError and UnknownSessionError; nothing is changed then.
        """
        session = self._sessions.get(session_id)
        session.story.situation = situation_after(session.persona, session.situation, update)
        return await self._replies.next_notes(session)

    def set_scene(self, session: Session, texts: Sequence[str]) -> None:
        """Have these told before every line from now on, in place of what was told so far."""
        told = (self._plain(text.translate(_ROUND)) for text in texts)
        session.scene = tuple(chain.from_iterable(map(sentences, told)))

    def _admissible_lines(self, lines: Sequence[Line]) -> tuple[Line, ...]:
        """Lines that a client brings, as they may stand in a prompt."""
        cleaned = (replace(line, text=self._plain(line.text)) for line in lines)
        return tuple(line for line in cleaned if is_visible(line.text))

    def _plain(self, text: str) -> str:
        shown = without_directions(without_unwanted(text))
        return redact(shown, self._conversations.redaction())

    def live_version(self, session: Session) -> str:
        """The adapter version that the session's next turn would be generated under."""
        return self._adapters.live(session.persona.id).version

    def end_session(self, session_id: str) -> Session:
        """Close a session. Raises UnknownSessionError."""
        session = self._sessions.end(session_id)
        self._replies.next_prompts.stop(session_id)
        now, silence = datetime.now(UTC), self._conversations.silence
        for reaction in signals.on_end(session.exchanges, now, silence):
            self._conversations.recorder.note(reaction)
        for watcher in self._watchers:
            watcher.note_end(session)
        return session

    def read_restored(self, session: Session) -> None:
        """Have the engine read a conversation that goes on after a break, until its next line."""
        self._replies.next_prompts.read_restored(session)

    def end(self) -> None:
        """Stop: replies cut short from now on are no sign that their players left."""
        self._replies.end()

    def say(
        self,
        session_id: str,
        text: str,
        seed: int | None,
        changes: Changes = NO_CHANGES,
        line_id: str | None = None,
        audience: Sequence[str] = (),
        world: Reported = NOTHING,
    ) -> AsyncGenerator[ReplyEvent]:
        """Reply to the player's line; the same `line_id` is the same line.

        `audience` are the characters that hear it, in place of those who are present. `world` is
        how things stand from this line on.

        Raises InvalidRequestError, UnknownSessionError, SessionBusyError, PromptTooLongError,
        NotLatestTurnError for a line that was interrupted before later ones, and the engine's
        errors.
        """
        session = self._session(session_id)
        typed = without_directions(check_text("text", text))
        line = redact(typed, self._conversations.redaction())
        call_id = "" if line_id is None else f"line {check_id('line_id', line_id)}"
        values = accepted_report(session.persona, world)
        call = Call(call_id, seed, changes, values)
        heard_by = self._hearers(session, audience)
        return self._reply(session, call, partial(_exchange_of, line, heard_by))

    def _hearers(self, session: Session, audience: Sequence[str]) -> tuple[str, ...]:
        named = check_characters("audience", audience, self._characters)
        return hearers([session.persona.id], session.record.present, named)

    def regenerate(
        self,
        session_id: str,
        turn_id: str,
        seed: int | None,
        changes: Changes = NO_CHANGES,
        take_id: str | None = None,
    ) -> AsyncGenerator[ReplyEvent]:
        """Make another take on the latest turn; the same `take_id` is the same take.

        Raises NotLatestTurnError, and as `say`.
        """
        session = self._sessions.get(session_id)
        call_id = "" if take_id is None else f"take {check_id('take_id', take_id)}"
        call = Call(call_id, seed, changes)
        return self._reply(session, call, partial(_exchange_with, session, turn_id))

    def trigger(
        self,
        session_id: str,
        happening: Happening,
        call: Call,
        trigger_id: str | None = None,
        world: Reported = NOTHING,
    ) -> AsyncGenerator[ReplyEvent | Quiet]:
        """Have the character speak of what happens in the game, or tell why it stays quiet.

        `world` is how things stand from then on. The same `trigger_id` is the same call.

        Raises as `say`, and InvalidRequestError for an event that no trigger waits for and that
        nothing is told of.
        """
        session = self._session(session_id)
        seed = secrets.randbits(32) if call.seed is None else call.seed
        call_id = "" if trigger_id is None else f"trigger {check_id('trigger_id', trigger_id)}"
        values = accepted_report(session.persona, world)
        own = replace(call, call_id=call_id, seed=seed, world=values)
        told = admissible(happening, self._conversations.redaction())
        return self._speak_of(session, told, own)

    async def answer(
        self, session: Session, exchange: Exchange, call: Call
    ) -> AsyncGenerator[ReplyEvent]:
        """Reply to what somebody else made an exchange of; raises as `say`."""
        async with aclosing(self._reply(session, call, lambda _: exchange)) as events:
            async for event in events:
                yield event

    def _session(self, session_id: str) -> Session:
        """An open session of two."""
        session = self._sessions.get(session_id)
        if session.scene_id:
            raise InvalidRequestError(
                f"session {session_id} is a part of scene {session.scene_id}; speak in the scene"
            )
        return session

    async def _speak_of(
        self, session: Session, happening: Happening, call: Call
    ) -> AsyncGenerator[ReplyEvent | Quiet]:
        await session.settle(call.call_id)
        now_s, known = time.monotonic(), session.exchange_of_call(call.call_id)
        session.story.situation = session.situation.with_values(call.world)
        at = Surroundings(state_of(session), session.story.fired_at_s, now_s, call.seed or 0)
        fired = Fired(known, None) if known else fire(session.persona, happening, at)
        if isinstance(fired, Quiet):
            yield fired
            return
        try:
            async with aclosing(self.answer(session, fired.exchange, call)) as events:
                async for event in events:
                    yield event
        finally:
            if fired.trigger and fired.exchange.takes:
                session.story.fired_at_s[fired.trigger] = now_s

    async def _reply(
        self,
        session: Session,
        call: Call,
        exchange_for: Callable[[Exchange | None], Exchange],
    ) -> AsyncGenerator[ReplyEvent]:
        """Answer a call; `exchange_for` gets the exchange that a call of this id was about."""
        await session.settle(call.call_id)
        with session.claim_turn(call.call_id):
            known = session.exchange_of_call(call.call_id)
            exchange = exchange_for(known)
            if answer := exchange.answer_to(call.call_id):
                replies = stream_again(answer)
            else:
                session.require_open(exchange)
                session.story.situation = session.situation.with_values(call.world)
                replies = self._replies.reply(session, exchange, call)
            async with aclosing(replies) as events:
                async for event in events:
                    yield event


def _exchange_of(line: str, heard_by: tuple[str, ...], known: Exchange | None) -> Exchange:
    """The exchange that a line begins, or that it began when its call came first."""
    if known is None:
        return Exchange(line, hearers=heard_by)
    if known.player_text != line:
        raise InvalidRequestError(
            "line_id was sent with another text before; a new line needs a new id"
        )
    return known


def _exchange_with(session: Session, turn_id: str, known: Exchange | None) -> Exchange:
    """The exchange to take again, or the one that the call was about when it came first."""
    if known is None:
        known = session.latest(turn_id)
    if known.verbatim:
        raise InvalidRequestError(f"turn {turn_id} was written by an author; it has no other take")
    if all(take.turn_id != turn_id for take in known.takes):
        raise InvalidRequestError(
            "take_id was sent with another turn before; a new take needs a new id"
        )
    return known
