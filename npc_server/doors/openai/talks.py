"""Talks with clients that send all that was said again: each call finds its session, and speaks.

What players do in such a client comes as feedback by itself. Asking for the same line again makes
another take; going on from a take that is not the newest one is a choice, and going on from text
that was never said is a correction.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from feedback_store.records import Choice, Edit, Payload, Reaction, Receipt
from npc_server.adapters import Adapters
from npc_server.allowances import Allowances
from npc_server.cast import cast_member
from npc_server.dialogue import Dialogue
from npc_server.doors.openai.callers import Client, visible_cast
from npc_server.doors.openai.fields import Completion
from npc_server.doors.openai.threads import Place, Thread, Threads, Trail, place_of, trail_of
from npc_server.doors.openai.transcripts import Transcript, transcript_of
from npc_server.keys.callers import Role
from npc_server.limits import check_id, check_text
from npc_server.reactions import Reactions
from npc_server.reply_events import ReplyEvent
from npc_server.reply_sampling import Changes
from npc_server.sessions import Session, Sessions
from personas.persona import Persona

logger = logging.getLogger(__name__)

_AT = "@"  # between a character and a version
_BASE = "base"  # the version of who speaks without an adapter


@dataclass(frozen=True)
class Manners:
    """What an operator decides for such clients."""

    tells_system: bool = True  # the character is told their system messages
    consent: bool = False  # their players let their talks be trained on


@dataclass(frozen=True)
class Asked:
    """A completion, by whom, and under which id; "" = the call has none."""

    completion: Completion
    client: Client
    call_id: str = ""


class Talks:
    """Makes the replies of all such talks."""

    def __init__(
        self,
        characters: Mapping[str, Persona],
        dialogue: Dialogue,
        reactions: Reactions,
        sessions: Sessions,
        adapters: Adapters,
        allowances: Allowances,
        manners: Manners,
        threads: Threads,
    ) -> None:
        self._characters = characters
        self._dialogue = dialogue
        self._reactions = reactions
        self._sessions = sessions
        self._adapters = adapters
        self._allowances = allowances
        self._manners = manners
        self._threads = threads

    def persona(self, model: str) -> Persona:
        """The character that a model is. Raises InvalidRequestError, UnknownCharacterError."""
        return cast_member(visible_cast(self._characters), "model", model.partition(_AT)[0])

    async def takes(self, asked: Asked) -> AsyncGenerator[tuple[int, ReplyEvent]]:
        """The takes that a call asks for, one after the other, each event with its take's number.

        Raises as `Dialogue.say`, and the adapter repo's errors for a version that cannot be tried.
        """
        wanted = asked.completion
        persona = self.persona(wanted.model)
        transcript = transcript_of(wanted.messages, persona.name)
        async with self._join(asked, persona, transcript) as (thread, session, place):
            await self._learn(session, place)
            self._dialogue.set_scene(
                session, transcript.scene if self._manners.tells_system else ()
            )
            for number in range(wanted.takes):
                take = self._take(asked, thread, session, place.at, transcript.line, number)
                async with aclosing(take) as events:
                    async for event in events:
                        yield number, event

    @asynccontextmanager
    async def _join(
        self, asked: Asked, persona: Persona, transcript: Transcript
    ) -> AsyncIterator[tuple[Thread, Session, Place]]:
        """The talk that a call belongs to, for it alone, under the version that it names."""
        model = asked.completion.model
        trail = trail_of((*asked.client.talks, model), transcript)
        async with AsyncExitStack() as stack:
            _, at, version = model.partition(_AT)
            trial = None
            if at:
                asked.client.require_role(Role.OPERATOR, "model: a version by its name")
                version = "" if version == _BASE else check_id("model", version)
                trial = await stack.enter_async_context(
                    self._adapters.lease_version(persona.id, version)
                )
            thread, place = await self._claim(stack, trail, transcript)
            session = thread.session or self._resume(asked, persona, transcript)
            thread.session = session
            if place.at == len(session.exchanges):
                thread.begin(place.at, transcript.line, asked.call_id)
            session.on_trial = trial
            yield thread, session, place

    async def _claim(
        self, stack: AsyncExitStack, trail: Trail, transcript: Transcript
    ) -> tuple[Thread, Place]:
        """Claim the talk that goes on here, or a new one, until the stack unwinds."""
        if found := self._threads.find(trail):
            thread, at, number = found
            await thread.turn.acquire()
            place = place_of(thread, at, number, transcript) if self._is_open(thread) else None
            if place is not None:
                stack.callback(thread.turn.release)
                self._threads.note(thread, trail, place.at)
                return thread, place
            thread.turn.release()
        thread = Thread()
        thread.begin(0, transcript.line, "")
        self._threads.note(thread, trail, 0)  # at once: who asks the same meanwhile waits for it
        await stack.enter_async_context(thread.turn)
        return thread, Place(0)

    def _is_open(self, thread: Thread) -> bool:
        session = thread.session
        return session is not None and self._sessions.find(session.session_id) is session

    def _resume(self, asked: Asked, persona: Persona, transcript: Transcript) -> Session:
        client, consent = asked.client, self._manners.consent
        self._allowances.require_session(client.caller, client)
        game = client.caller.game
        return self._dialogue.resume(
            persona.id, client.player_id, consent, transcript.brought, game
        )

    def _take(
        self, asked: Asked, thread: Thread, session: Session, at: int, line: str, number: int
    ) -> AsyncGenerator[ReplyEvent]:
        """The first take on a line, or another one; the same call gets the same ones."""
        wanted = asked.completion
        seed = None if wanted.seed is None else (wanted.seed + number) % 2**32
        call_id = f"{asked.call_id}.{number}" if asked.call_id else None
        changes = _changes(wanted, session.persona)
        begins = at == len(session.exchanges)
        again = bool(asked.call_id) and asked.call_id == thread.call_ids[at] and not number
        if begins or again:
            return self._dialogue.say(session.session_id, line, seed, changes, call_id)
        turn_id = session.exchanges[at].takes[-1].turn_id
        return self._dialogue.regenerate(session.session_id, turn_id, seed, changes, call_id)

    async def _learn(self, session: Session, place: Place) -> None:
        """Record what the player did about replies, and go on from it."""
        if (pick := place.pick) is not None:
            choice = Choice(pick.over, pick.position)
            if not (pick.over and await self._record(choice, pick.turn_id)):
                session.keep(pick.turn_id, "", datetime.now(UTC))
        for rewriting in place.rewritings:
            text = check_text("messages", rewriting.text)
            await self._record(Edit(text), rewriting.turn_id)

    async def _record(self, payload: Payload, turn_id: str) -> bool:
        event_id = f"openai-{uuid.uuid4().hex}"
        result = await self._reactions.submit(
            Reaction(event_id, payload, datetime.now(UTC), turn_id)
        )
        if not isinstance(result, Receipt):
            logger.info("what was done about turn %s is not recorded: %s", turn_id, result)
        return isinstance(result, Receipt)


def _changes(wanted: Completion, persona: Persona) -> Changes:
    """Of the persona's sampling. A client says how long a reply may be, a character how long it is.

    Only a form, which no character has by itself, is as long as the client says.
    """
    if wanted.most_tokens is None:
        return wanted.changes
    own = wanted.most_tokens if wanted.in_form else persona.sampling.max_reply_tokens
    return {**wanted.changes, "max_tokens": min(wanted.most_tokens, own)}
