"""One turn: from the player's line to a recorded reply.

A turn claims its session, leases the live adapter version, renders the prompt, streams the
engine's deltas and is recorded with everything that made it before its end is announced, or soon
after when the disk is slow. Where the persona asks for the best of several replies, all are drawn,
and scored by the character's reward head if it has one, before the first word is sent. A turn cut
short is recorded as cancelled, or as failed when the engine broke off, with the text sent so far.
The conversation goes on from there: the player said their line, and heard that much. Only a call
that fails before its first delta said nothing, because its client is told to send it again.

A call may have an id. Repeated under the same id it gets the reply that it got, or would have got,
and makes a new one only where the first was broken off.

Personal data enters here. A player's id becomes a pseudonym, and their line loses what identifies
people outside the game, before anything else sees it: prompt, history and record hold the same
text. Replies are the model's own words and are kept as they are.
"""

from __future__ import annotations

import secrets
import time
import uuid
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from types import MappingProxyType
from typing import Any

from feedback_store.privacy.policy import CAREFUL, Policy
from feedback_store.privacy.pseudonyms import Pseudonyms
from feedback_store.privacy.redaction import redact
from feedback_store.records import Reaction
from feedback_store.records import Session as SessionRecord
from npc_server import signals
from npc_server.adapters import Adapters, LiveAdapter
from npc_server.engine.protocol import Delta, Finish, FinishReason, Sampling
from npc_server.errors import InvalidRequestError, UnknownCharacterError
from npc_server.limits import check_id, check_text
from npc_server.prefill import ReadingAhead
from npc_server.prompt_budget import Budget, budget_of, refusal_of
from npc_server.recorder import Recorder
from npc_server.reply_events import Answer, Finished, Started
from npc_server.reranking import Candidate, choose_favourite, draw_something_new, finalists
from npc_server.sessions import Exchange, Session, Sessions
from npc_server.turns import (
    Model,
    OpenTurn,
    cut_short,
    finished_of,
    interrupted_take,
    new_turn_id,
    record_of,
    take_of,
)
from personas.errors import PromptTooLongError
from personas.known_names import no_such
from personas.persona import Persona
from personas.render import (
    Beginning,
    Line,
    Prompt,
    Speaker,
    beginning,
    expected_beginning,
    prompt,
)

#: A call's changes to its persona's sampling, by field of `Sampling`.
Changes = Mapping[str, Any]
NO_CHANGES: Changes = MappingProxyType({})


@dataclass(frozen=True)
class Memory:
    """Where conversations are kept, in memory and on disk."""

    sessions: Sessions
    recorder: Recorder
    pseudonyms: Pseudonyms
    silence: timedelta  # after a reply; longer is a derived signal
    redaction: Policy = CAREFUL  # of players' lines


class Dialogue:
    """Runs the turns of all sessions."""

    def __init__(
        self,
        characters: Mapping[str, Persona],
        model: Model,
        adapters: Adapters,
        memory: Memory,
        heads: Adapters | None = None,  # of characters with several candidates; None = no judge
    ) -> None:
        self._characters = characters
        self._model = model
        self._adapters = adapters
        self._heads = heads
        self._sessions = memory.sessions
        self._recorder = memory.recorder
        self._memory = memory
        self._ahead = ReadingAhead(model)
        self._ending = False
        self.speaking = 0  # turns that are being generated

    async def start_session(self, character: str, player_id: str, consent: bool) -> Session:
        """Open a session. Raises InvalidRequestError and UnknownCharacterError."""
        persona = self._characters.get(check_id("character", character))
        if persona is None:
            raise UnknownCharacterError(no_such("character", character, self._characters))
        pseudonym = self._memory.pseudonyms.of(check_id("player_id", player_id))
        now = datetime.now(UTC)
        record = SessionRecord(
            uuid.uuid4().hex, pseudonym, character, persona.version, consent, now
        )
        session = Session(record, persona)
        await self._recorder.record_session(record)
        self._sessions.add(session)
        return session

    def live_version(self, session: Session) -> str:
        """The adapter version that the session's next turn would be generated under."""
        return self._adapters.live(session.persona.id).version

    def end_session(self, session_id: str) -> Session:
        """Close a session. Raises UnknownSessionError."""
        session = self._sessions.end(session_id)
        self._ahead.stop(session_id)
        now = datetime.now(UTC)
        self._note(signals.on_end(session.exchanges, now, self._memory.silence))
        return session

    def end(self) -> None:
        """Stop: replies cut short from now on are no sign that their players left."""
        self._ending = True
        self._ahead.stop_all()

    def say(
        self,
        session_id: str,
        text: str,
        seed: int | None,
        changes: Changes = NO_CHANGES,
        line_id: str | None = None,
    ) -> AsyncGenerator[Started | Delta | Finished]:
        """Reply to the player's line; the same `line_id` is the same line.

        Raises InvalidRequestError, UnknownSessionError, SessionBusyError, PromptTooLongError,
        NotLatestTurnError for a line that was interrupted before later ones, and the engine's
        errors.
        """
        session = self._sessions.get(session_id)
        line = redact(check_text("text", text), self._memory.redaction)
        call_id = "" if line_id is None else f"line {check_id('line_id', line_id)}"
        return self._reply(session, call_id, partial(_exchange_of, session, line), seed, changes)

    def regenerate(
        self,
        session_id: str,
        turn_id: str,
        seed: int | None,
        changes: Changes = NO_CHANGES,
        take_id: str | None = None,
    ) -> AsyncGenerator[Started | Delta | Finished]:
        """Make another take on the latest turn; the same `take_id` is the same take.

        Raises NotLatestTurnError, and as `say`.
        """
        session = self._sessions.get(session_id)
        call_id = "" if take_id is None else f"take {check_id('take_id', take_id)}"
        return self._reply(
            session, call_id, partial(_exchange_with, session, turn_id), seed, changes
        )

    async def _reply(
        self,
        session: Session,
        call_id: str,
        exchange_for: Callable[[Exchange | None], Exchange],
        seed: int | None,
        changes: Changes,
    ) -> AsyncGenerator[Started | Delta | Finished]:
        """Answer a call; `exchange_for` gets the exchange that a call of this id was about."""
        await session.settle(call_id)
        with session.claim_turn(call_id):
            known = session.exchange_of_call(call_id)
            exchange = exchange_for(known)
            if answer := exchange.answer_to(call_id):
                replies = _stream_again(answer)
            else:
                session.require_open(exchange)
                replies = self._turn(session, exchange, call_id, seed, changes)
            async with aclosing(replies) as events:
                async for event in events:
                    yield event

    async def _turn(
        self,
        session: Session,
        exchange: Exchange,
        call_id: str,
        seed: int | None,
        changes: Changes,
    ) -> AsyncGenerator[Started | Delta | Finished]:
        with self._adapters.lease(session.persona.id) as adapter:
            self._ahead.stop(session.session_id)
            seed = secrets.randbits(32) if seed is None else seed
            sampling = sampling_of(session.persona, seed, changes)
            turn = self._prepare(session, exchange, adapter, sampling, call_id)
            self._note_signals(turn)
            self.speaking += 1
            try:
                async with aclosing(self._perform(turn)) as events:
                    async for event in events:
                        yield event
            finally:
                self.speaking -= 1

    async def _perform(self, turn: OpenTurn) -> AsyncGenerator[Started | Delta | Finished]:
        """Run a turn; what was sent of it stays, whatever ends it."""
        said: list[str] = []
        reason = FinishReason.CANCELLED
        try:
            yield turn.started
            speak = self._speak if turn.best_of == 1 else self._speak_best
            async with aclosing(speak(turn)) as events:
                async for event in events:
                    if isinstance(event, Delta):
                        said.append(event.text)
                    yield event
        except Exception:  # of any kind: raised again as it is
            reason = FinishReason.FAILED
            raise
        finally:
            if not turn.concluded and (said or reason is FinishReason.CANCELLED):
                self._break_off(turn, "".join(said), reason)
            self._read_ahead(turn)

    def _prepare(
        self,
        session: Session,
        exchange: Exchange,
        adapter: LiveAdapter,
        sampling: Sampling,
        call_id: str,
    ) -> OpenTurn:
        persona = session.persona
        history = session.history_before(exchange)
        rendered = self._render(persona, history, exchange.player_text, sampling)
        takes = (Line(Speaker.CHARACTER, take.text) for take in exchange.takes)
        started = Started(
            turn_id=new_turn_id(),
            persona_version=persona.version,
            adapter_version=adapter.version,
            take=len(exchange.takes),
            seed=sampling.seed,
        )
        heard = tuple(line for line in (*history, *takes) if line.text)
        return OpenTurn(
            started,
            session,
            exchange,
            adapter,
            heard,
            rendered,
            sampling,
            self._model.tokenizer,
            self._model.thought_before(rendered),
            call_id=call_id,
        )

    def _render(
        self, persona: Persona, history: Sequence[Line], said: str, sampling: Sampling
    ) -> Prompt:
        budget = self._budget(persona, sampling)
        try:
            return prompt(persona, history, said, self._model.tokenizer, budget.most, budget.usual)
        except PromptTooLongError as error:
            raise refusal_of(error, budget) from error

    def _budget(self, persona: Persona, sampling: Sampling) -> Budget:
        return budget_of(persona, self._model.reply_context, sampling.max_tokens)

    def read_restored(self, session: Session) -> None:
        """Have the engine read a conversation that goes on after a break, until its next line."""
        own = Sampling(max_tokens=session.persona.sampling.max_reply_tokens)
        if session.exchanges:
            self._read_next(session, own, dropped_lines=None)

    def _read_beside(self, turn: OpenTurn) -> None:
        """Have the engine read, beside a reply, what the next prompt begins with before it."""
        session, said = turn.session, turn.exchange.player_text
        usual = self._budget(session.persona, turn.sampling).usual
        history = session.history_before(turn.exchange)
        ahead = expected_beginning(session.persona, history, said, self._model.tokenizer, usual)
        self._read(session, ahead, turn.prompt.dropped_lines)

    def _read_ahead(self, turn: OpenTurn) -> None:
        """Have the engine read the next prompt's beginning where it is not that of this turn."""
        self._read_next(turn.session, turn.sampling, turn.prompt.dropped_lines)

    def _read_next(self, session: Session, sampling: Sampling, dropped_lines: int | None) -> None:
        usual = self._budget(session.persona, sampling).usual
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

    def _note_signals(self, turn: OpenTurn) -> None:
        """Record what a new line implies about earlier replies; another take is no new line."""
        if not turn.exchange.takes:
            said, now = turn.exchange.player_text, datetime.now(UTC)
            before = turn.session.exchanges
            self._note(signals.on_line(before, said, now, self._memory.silence))

    def _note(self, noticed: Iterable[Reaction]) -> None:
        for reaction in noticed:
            self._recorder.note(reaction)

    async def _speak(self, turn: OpenTurn) -> AsyncGenerator[Delta | Finished]:
        begun = False
        async with aclosing(self._model.engine.generate(turn.request)) as events:
            async for event in events:
                if not begun:
                    self._read_beside(turn)
                    begun = True
                yield await self._conclude(turn, event) if isinstance(event, Finish) else event

    def _break_off(self, turn: OpenTurn, said: str, reason: FinishReason) -> None:
        record = record_of(turn, cut_short(said, turn, reason), self._model.base_sha256)
        take = interrupted_take(turn, said, record.created_at)
        self._sessions.add_take(turn.session, turn.exchange, take)
        self._recorder.record_cut_turn(record, turn.session.record)
        if reason is FinishReason.CANCELLED and not self._ending:
            self._note([signals.on_abandoned(record.turn_id, record.created_at)])

    async def _speak_best(self, turn: OpenTurn) -> AsyncGenerator[Delta | Finished]:
        begun = time.perf_counter()
        candidates = await draw_something_new(
            self._model.engine, turn.request, turn.best_of, turn.spoken
        )
        turn, chosen = await self._choose(turn, candidates)
        waited_ms = (time.perf_counter() - begun) * 1e3
        reply = replace(chosen.reply, ttft_ms=waited_ms, total_ms=waited_ms)
        if reply.text:
            yield Delta(reply.text)
        yield await self._conclude(turn, reply, len(candidates))

    async def _choose(
        self, turn: OpenTurn, candidates: Sequence[Candidate]
    ) -> tuple[OpenTurn, Candidate]:
        """Choose the best candidate; returns it, and the turn with its seed and judge."""
        persona, said = turn.session.persona, turn.exchange.player_text
        best = finalists(candidates, self._model.scorer, persona, said, turn.history)
        head, chosen = await self._judge(persona, best)
        return replace(turn, sampling=chosen.request.sampling, judge=head), chosen

    async def _judge(self, persona: Persona, best: Sequence[Candidate]) -> tuple[str, Candidate]:
        """The version of the head and its favourite; without a head, "" and the first."""
        if self._heads is None:
            return "", best[0]
        with self._heads.lease(persona.id) as head:
            chosen = await choose_favourite(self._model.engine, head, self._model.tokenizer, best)
        return (head.version, chosen) if chosen else ("", best[0])

    async def _conclude(self, turn: OpenTurn, reply: Finish, candidates: int = 1) -> Finished:
        session = turn.session
        record = record_of(turn, reply, self._model.base_sha256)
        live = self._adapters.live(session.persona.id).version
        finished = finished_of(turn, reply, live, candidates)
        take = take_of(turn, finished, record.created_at)
        self._sessions.add_take(session, turn.exchange, take)
        await self._recorder.record_turn(record, session.record)
        return finished


def _exchange_of(session: Session, line: str, known: Exchange | None) -> Exchange:
    """The exchange that a line begins, or that it began when its call came first."""
    if known is None:
        return Exchange(line)
    if known.player_text != line:
        raise InvalidRequestError(
            "line_id was sent with another text before; a new line needs a new id"
        )
    return known


def _exchange_with(session: Session, turn_id: str, known: Exchange | None) -> Exchange:
    """The exchange to take again, or the one that the call was about when it came first."""
    if known is None:
        return session.latest(turn_id)
    if all(take.turn_id != turn_id for take in known.takes):
        raise InvalidRequestError(
            "take_id was sent with another turn before; a new take needs a new id"
        )
    return known


async def _stream_again(answer: Answer) -> AsyncGenerator[Started | Delta | Finished]:
    yield answer.started
    if answer.finished.reply.text:
        yield Delta(answer.finished.reply.text)
    yield answer.finished


def sampling_of(persona: Persona, seed: int, changes: Changes = NO_CHANGES) -> Sampling:
    """The sampling of a reply: the persona's, with the changes of the call."""
    own = Sampling(seed=seed, **persona.drawing())
    sampling = replace(own, **changes)
    if sampling.in_form and "max_sentences" not in changes:
        sampling = replace(sampling, max_sentences=0)  # a form ends where it says
    if "min_tokens" not in changes:  # a short max_tokens is no contradiction
        sampling = replace(sampling, min_tokens=min(own.min_tokens, sampling.max_tokens))
    return sampling
