"""One turn: from what the player said to a recorded reply.

A turn claims its session, leases the live adapter version, renders the prompt, streams the
engine's deltas and is recorded with all that made it before its end is announced, so that feedback
on it always finds it. Where the persona wants the best of several replies, all are drawn before the
first word is said. A turn cut short is recorded as cancelled, or failed when the engine broke
off, with what was said, and leaves no trace in the conversation.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
import uuid
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from feedback_store.errors import FeedbackStoreError
from feedback_store.records import JSON
from feedback_store.records import Session as SessionRecord
from feedback_store.records import Turn as TurnRecord
from feedback_store.store import Store
from npc_server.adapters import Adapters, LiveAdapter
from npc_server.engine.errors import EngineError
from npc_server.engine.protocol import Delta, Engine, Finish, FinishReason, Request, Sampling
from npc_server.errors import InvalidRequestError, UnknownCharacterError
from npc_server.reranking import FaultScorer, Scorer, best, candidates_of, drawn
from npc_server.sessions import Exchange, Session, Sessions, Take
from personas.persona import Persona
from personas.render import Line, Prompt, Speaker, Tokenizer, prompt

logger = logging.getLogger(__name__)

MAX_LINE_CHARACTERS = 2000
MAX_ID_CHARACTERS = 128

#: What a call wants drawn differently from its persona's way, by field of `Sampling`.
Changes = Mapping[str, Any]
NO_CHANGES: Changes = MappingProxyType({})

_UNFINISHED = (FinishReason.CANCELLED, FinishReason.FAILED)


@dataclass(frozen=True)
class Started:
    """A turn begins; everything that will make the reply is fixed."""

    turn_id: str
    persona_version: str
    adapter_version: str
    take: int
    seed: int


@dataclass(frozen=True)
class Finished:
    """A turn is over and recorded."""

    turn_id: str
    adapter_version: str
    live_adapter_version: str  # live for the character by now
    reply: Finish
    candidates: int  # replies drawn for this one


@dataclass(frozen=True)
class Model:
    """What replies are made with, fixed for the life of the server."""

    engine: Engine
    tokenizer: Tokenizer
    base_sha256: str
    scorer: Scorer = field(default_factory=FaultScorer)  # of candidates, where several are drawn


@dataclass(frozen=True)
class _Turn:
    """A turn in the making."""

    started: Started
    session: Session
    exchange: Exchange
    adapter: LiveAdapter
    history: tuple[Line, ...]  # before the player's line, then the earlier takes on the reply
    prompt: Prompt
    sampling: Sampling

    @property
    def best_of(self) -> int:
        return self.session.persona.sampling.best_of

    @property
    def request(self) -> Request:
        adapter = self.adapter.content_hash
        return Request(
            self.started.turn_id,
            self.prompt.ids,
            adapter,
            self.sampling,
            pinned_tokens=self.prompt.opening_tokens,
        )


class Dialogue:
    """Runs the turns of all sessions."""

    def __init__(
        self,
        characters: Mapping[str, Persona],
        model: Model,
        adapters: Adapters,
        sessions: Sessions,
        store: Store,
    ) -> None:
        self._characters = characters
        self._model = model
        self._adapters = adapters
        self._sessions = sessions
        self._store = store

    async def start_session(self, character: str, player_id: str) -> Session:
        """Open a session. Raises InvalidRequestError, UnknownCharacterError."""
        persona = self._characters.get(check_id("character", character))
        if persona is None:
            known = ", ".join(sorted(self._characters))
            raise UnknownCharacterError(f"no character {character!r}; known: {known}")
        session = Session(uuid.uuid4().hex, check_id("player_id", player_id), persona)
        now = datetime.now(UTC)
        record = SessionRecord(session.session_id, player_id, character, persona.version, now)
        await asyncio.wrap_future(self._store.record_session(record))
        self._sessions.add(session)
        return session

    def live_version(self, session: Session) -> str:
        """Adapter version that the session's next turn would speak under."""
        return self._adapters.live(session.persona.id).version

    def end_session(self, session_id: str) -> Session:
        """Close a session. Raises UnknownSessionError."""
        return self._sessions.end(session_id)

    def say(
        self, session_id: str, text: str, seed: int | None, changes: Changes = NO_CHANGES
    ) -> AsyncGenerator[Started | Delta | Finished]:
        """Reply to what the player says.

        Raises InvalidRequestError, UnknownSessionError, SessionBusyError, PromptTooLongError and
        what the engine raises.
        """
        session = self._sessions.get(session_id)
        return self._turn(session, Exchange(check_text("text", text)), seed, changes)

    def regenerate(
        self, session_id: str, turn_id: str, seed: int | None, changes: Changes = NO_CHANGES
    ) -> AsyncGenerator[Started | Delta | Finished]:
        """Another take on the session's latest turn. Raises NotLatestTurnError, and as `say`."""
        session = self._sessions.get(session_id)
        return self._turn(session, session.latest(turn_id), seed, changes)

    async def _turn(
        self, session: Session, exchange: Exchange, seed: int | None, changes: Changes
    ) -> AsyncGenerator[Started | Delta | Finished]:
        with session.speaking(), self._adapters.lease(session.persona.id) as adapter:
            seed = secrets.randbits(32) if seed is None else seed
            sampling = sampling_of(session.persona, seed, changes)
            turn = self._prepare(session, exchange, adapter, sampling)
            yield turn.started
            speak = self._speak if turn.best_of == 1 else self._speak_best
            async with aclosing(speak(turn)) as events:
                async for event in events:
                    yield event

    def _prepare(
        self, session: Session, exchange: Exchange, adapter: LiveAdapter, sampling: Sampling
    ) -> _Turn:
        persona = session.persona
        position = len(session.exchanges) if not exchange.takes else len(session.exchanges) - 1
        budget = _prompt_budget(self._model.engine.info.context_tokens, sampling.max_tokens)
        history = session.history(position)
        rendered = prompt(persona, history, exchange.player_text, self._model.tokenizer, budget)
        takes = (Line(Speaker.CHARACTER, take.text) for take in exchange.takes)
        started = Started(
            turn_id=uuid.uuid4().hex,
            persona_version=persona.version,
            adapter_version=adapter.version,
            take=len(exchange.takes),
            seed=sampling.seed,
        )
        heard = (*history, *takes)
        return _Turn(started, session, exchange, adapter, heard, rendered, sampling)

    async def _speak(self, turn: _Turn) -> AsyncGenerator[Delta | Finished]:
        said: list[str] = []
        complete = False
        reason = FinishReason.CANCELLED
        try:
            async with aclosing(self._model.engine.generate(turn.request)) as events:
                async for event in events:
                    if isinstance(event, Finish):
                        complete = True
                        yield await self._conclude(turn, event)
                    else:
                        said.append(event.text)
                        yield event
        except EngineError:
            reason = FinishReason.FAILED
            raise
        finally:
            if said and not complete:
                reply = _cut_short("".join(said), turn, reason)
                self._store.record_turn(_record(turn, reply, self._model))

    async def _speak_best(self, turn: _Turn) -> AsyncGenerator[Delta | Finished]:
        begun = time.perf_counter()
        candidates = await drawn(self._model.engine, candidates_of(turn.request, turn.best_of))
        persona, said = turn.session.persona, turn.exchange.player_text
        chosen = best(candidates, self._model.scorer, persona, said, turn.history)
        waited_ms = (time.perf_counter() - begun) * 1e3
        reply = replace(chosen.reply, ttft_ms=waited_ms, total_ms=waited_ms)
        turn = replace(turn, sampling=chosen.request.sampling)
        finished = await self._conclude(turn, reply, len(candidates))
        if reply.text:
            yield Delta(reply.text)
        yield finished

    async def _conclude(self, turn: _Turn, reply: Finish, candidates: int = 1) -> Finished:
        started = turn.started
        turn.session.add_take(turn.exchange, Take(started.turn_id, reply.text))
        turn.session.turns += 1
        try:
            record = _record(turn, reply, self._model)
            await asyncio.wrap_future(self._store.record_turn(record))
        except FeedbackStoreError:
            # The player's conversation matters more than its record.
            logger.exception("turn %s was not recorded", started.turn_id)
        live = self._adapters.live(turn.session.persona.id).version
        return Finished(started.turn_id, started.adapter_version, live, reply, candidates)


def check_text(field: str, text: str) -> str:
    """A player's words, if they are words of bearable length. Raises InvalidRequestError."""
    return _checked(field, text, MAX_LINE_CHARACTERS)


def check_id(field: str, value: str) -> str:
    """A client-made id of bearable length. Raises InvalidRequestError."""
    return _checked(field, value, MAX_ID_CHARACTERS)


def _checked(field: str, value: str, most_characters: int) -> str:
    if not value.strip():
        raise InvalidRequestError(f"{field} is empty")
    if len(value) > most_characters:
        raise InvalidRequestError(
            f"{field} has {len(value)} characters; at most {most_characters} are taken"
        )
    return value


def sampling_of(persona: Persona, seed: int, changes: Changes = NO_CHANGES) -> Sampling:
    """How this character's reply is drawn; what a call changes goes before the persona's way."""
    own = Sampling(seed=seed, **persona.sampling.drawing())
    sampling = replace(own, **changes)
    if "min_tokens" not in changes:  # a call for a short reply need not know how short is too short
        sampling = replace(sampling, min_tokens=min(own.min_tokens, sampling.max_tokens))
    return sampling


def _prompt_budget(context_tokens: int, max_tokens: int) -> int:
    if max_tokens >= context_tokens:
        raise InvalidRequestError(
            f"max_tokens is {max_tokens}, but prompt and reply together have {context_tokens};"
            " ask for less"
        )
    return context_tokens - max_tokens


def _cut_short(text: str, turn: _Turn, reason: FinishReason) -> Finish:
    tokens = len(turn.prompt.ids)
    return Finish(text, (), reason, 0.0, (), tokens, 0, 0.0, 0.0, 0.0)


def _record(turn: _Turn, reply: Finish, model: Model) -> TurnRecord:
    started, session = turn.started, turn.session
    first = turn.exchange.takes[0].turn_id if turn.started.take else started.turn_id
    sampling: dict[str, JSON] = {
        **asdict(turn.sampling),
        "stop": list(turn.sampling.stop),
        "best_of": turn.best_of,
    }
    return TurnRecord(
        turn_id=started.turn_id,
        session_id=session.session_id,
        character=session.persona.id,
        player_id=session.player_id,
        persona_version=started.persona_version,
        adapter_version=turn.adapter.version,
        adapter_hash=turn.adapter.content_hash,
        base_sha256=model.base_sha256,
        messages=tuple({"role": m.role, "content": m.content} for m in turn.prompt.messages),
        prompt_ids=turn.prompt.ids,
        reply_ids=reply.token_ids,
        player_text=turn.exchange.player_text,
        reply_text=reply.text,
        take=started.take,
        first_turn_id=first,
        finish_reason=reply.reason.value,
        sampling=sampling,
        seed=started.seed,
        arm_probability=1.0,  # one live version serves every session
        logprob=None if reply.reason in _UNFINISHED else reply.logprob,
        queue_ms=reply.queue_ms,
        ttft_ms=reply.ttft_ms,
        total_ms=reply.total_ms,
        created_at=datetime.now(UTC),
    )
