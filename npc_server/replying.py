"""One turn: a prompt is rendered, a reply streamed, and all of it recorded.

A turn leases the live adapter version, renders the prompt, streams the engine's deltas and is
recorded with everything that made it before its end is announced, or soon after when the disk is
slow. Where the persona asks for the best of several replies, all are drawn, and scored by the
character's reward head if it has one, before the first word is sent. A turn cut short is recorded
as cancelled, or as failed when the engine broke off, with the text sent so far. The conversation
goes on from there: the player said their line, and heard that much. Only a call that fails before
its first delta said nothing, because its client is told to send it again.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial

from feedback_store.records import Reaction
from npc_server import signals
from npc_server.adapters import Adapters, LiveAdapter
from npc_server.asides import Asides
from npc_server.conversations import Conversations
from npc_server.engine.protocol import Delta, Finish, FinishReason, Request, Sampling
from npc_server.guard import Guard
from npc_server.guard_hits import GuardAction, GuardHit, annotation_of, hits_in, is_unread
from npc_server.guarded_reply import Guarded, Speech, again, speak, without_model
from npc_server.note_sources import Moment, NoteSource, notes_of
from npc_server.prompt_budget import refusal_of
from npc_server.reading import NextPrompts
from npc_server.reply_events import Finished, ReplyEvent, Started
from npc_server.reply_sampling import Changes, sampling_of
from npc_server.reranking import (
    Candidate,
    Judged,
    candidate_requests,
    choose_favourite,
    draw,
    draw_something_new,
    finalists,
)
from npc_server.sessions import Exchange, Session
from npc_server.turns import (
    NO_PROMPT,
    Model,
    OpenTurn,
    answer_of,
    cut_short,
    finished_of,
    interrupted_take,
    new_turn_id,
    of_world,
    record_of,
    script_end,
    take_of,
    with_hits,
)
from npc_server.watchers import Watcher
from npc_server.world_notes import state_of
from personas.errors import PromptTooLongError
from personas.fallback import fallback_line
from personas.faults import Fault
from personas.guarded_stream import Watch
from personas.notes import ToldNotes
from personas.persona import Persona
from personas.render import (
    Line,
    Prompt,
    Speaker,
    dropped_lines,
    notes_before_a_line,
    prompt,
)
from personas.variables import Values


@dataclass(frozen=True)
class Call:
    """What a client asks for."""

    call_id: str  # "" = the call has none
    seed: int | None  # None = any
    changes: Changes
    world: Values = field(default_factory=dict)  # how things stand from this call on


@dataclass(frozen=True)
class _Said:
    """All words of a turn, which guard and judge may have given another seed."""

    turn: OpenTurn
    reply: Finish
    candidates: int = 1


class Replies:
    """Makes the replies of all sessions."""

    def __init__(
        self,
        characters: Mapping[str, Persona],
        model: Model,
        adapters: Adapters,
        conversations: Conversations,
        heads: Adapters | None,
        sources: tuple[NoteSource, ...],
        watchers: tuple[Watcher, ...],
        guard: Guard,
    ) -> None:
        self._watchers = watchers
        self._characters = characters
        self._model = model
        self._adapters = adapters
        self._heads = heads
        self._sessions = conversations.sessions
        self._recorder = conversations.recorder
        self._silence = conversations.silence
        self._sources = sources
        self._guard = guard
        self._asides = Asides(model)
        self._ending = False
        self.next_prompts = NextPrompts(model, adapters, conversations.sessions, sources)
        self.speaking = 0  # turns that are being generated

    def end(self) -> None:
        """Stop: replies cut short from now on are no sign that their players left."""
        self._ending = True
        self.next_prompts.end()

    async def reply(
        self, session: Session, exchange: Exchange, call: Call
    ) -> AsyncGenerator[ReplyEvent]:
        """Make a take on an exchange of a session that the caller has claimed.

        It is made under the persona as it is now; who left the cast speaks on as they were.
        Raises InvalidRequestError, PromptTooLongError and the engine's errors.
        """
        session.persona = self._characters.get(session.record.character, session.persona)
        with self._adapters.lease(session.persona.id, session.on_trial) as adapter:
            self.next_prompts.stop(session.session_id)
            seed = secrets.randbits(32) if call.seed is None else call.seed
            sampling = sampling_of(session.persona, seed, call.changes)
            turn = await self._prepare(session, exchange, adapter, sampling, call.call_id)
            self._note_signals(turn)
            self.speaking += 1
            try:
                async with aclosing(self._perform(turn)) as events:
                    async for event in events:
                        yield event
            finally:
                self.speaking -= 1

    async def next_notes(self, session: Session) -> ToldNotes:
        """What the next prompt would carry if the player said nothing."""
        moment = Moment(session, "", session.history(), new_turn_id(), 0)
        notes = await notes_of(self._sources, moment)
        own = Sampling(max_tokens=session.persona.sampling.max_reply_tokens)
        room = self.next_prompts.budget(session, own).notes
        return replace(notes_before_a_line(notes, room, "", self._model.tokenizer), room=room)

    async def _perform(self, turn: OpenTurn) -> AsyncGenerator[ReplyEvent]:
        """Run a turn; what was sent of it stays, whatever ends it."""
        said: list[str] = []
        reason = FinishReason.CANCELLED
        try:
            yield turn.started
            await self._asides.before_words(turn)
            if turn.shown.emotion:
                yield turn.shown.emotion
            ended = None
            async with aclosing(self._words(turn)) as events:
                async for event in events:
                    if isinstance(event, Delta):
                        said.append(event.text)
                        yield event
                    else:
                        ended = event
            assert ended is not None  # the last event, or the words raise
            async with aclosing(self._conclude(ended)) as told:
                async for end in told:
                    yield end
        except Exception:  # of any kind: raised again as it is
            reason = FinishReason.FAILED
            raise
        finally:
            if not turn.concluded and (said or reason is FinishReason.CANCELLED):
                self._break_off(turn, "".join(said), reason)
            self.next_prompts.read_ahead(turn)

    def _words(self, turn: OpenTurn) -> AsyncGenerator[Delta | _Said]:
        """The way in which the turn's reply is made."""
        if turn.exchange.verbatim:
            return self._recite(turn)
        if is_unread(hits_in(turn.annotations)):
            return self._answer_without_model(turn)
        watch = self._guard.watch(turn.session.persona)
        if watch is not None:
            watch = replace(watch, state=state_of(turn.session))
        if turn.best_of > 1:
            return self._speak_best(turn, watch)
        return self._speak(turn) if watch is None else self._speak_guarded(turn, watch)

    async def _prepare(
        self,
        session: Session,
        exchange: Exchange,
        adapter: LiveAdapter,
        sampling: Sampling,
        call_id: str,
    ) -> OpenTurn:
        persona, turn_id = session.persona, new_turn_id()
        history = session.history_before(exchange)
        if exchange.notes is None and not exchange.verbatim:
            said = exchange.player_text
            dropped = (
                self._dropped_lines(session, history, said, sampling)
                if self._sources and history
                else 0
            )
            moment = Moment(session, said, history, turn_id, sampling.seed, dropped)
            exchange.notes = await notes_of(self._sources, moment)
        rendered = self._render(session, history, exchange, sampling)
        exchange.told = rendered.notes.kept
        takes = (Line(Speaker.CHARACTER, take.text) for take in exchange.takes)
        started = Started(
            turn_id=turn_id,
            persona_version=persona.version,
            adapter_version=adapter.version,
            take=len(exchange.takes),
            seed=sampling.seed,
        )
        heard = tuple(line for line in (*history, *takes) if line.text)
        return OpenTurn(
            started,
            session,
            persona,
            exchange,
            adapter,
            heard,
            rendered,
            sampling,
            self._model.tokenizer,
            self._model.thought_before(rendered),
            call_id=call_id,
            annotations={**annotation_of(self._hits_in(exchange, persona)), **of_world(session)},
        )

    def _dropped_lines(
        self, session: Session, history: Sequence[Line], said: str, sampling: Sampling
    ) -> int:
        budget = self.next_prompts.budget(session, sampling)
        tokenizer, notes = self._model.tokenizer, budget.notes
        persona = session.persona
        return dropped_lines(persona, history, said, tokenizer, budget.most, budget.usual, notes)

    def _hits_in(self, exchange: Exchange, persona: Persona) -> tuple[GuardHit, ...]:
        """What the guard finds in what a player typed; what the game tells is its author's."""
        hit = self._guard.hit_in(exchange.typed, persona) if exchange.typed else None
        return () if hit is None else (hit,)

    def _render(
        self, session: Session, history: Sequence[Line], exchange: Exchange, sampling: Sampling
    ) -> Prompt:
        if exchange.verbatim:
            return NO_PROMPT
        budget = self.next_prompts.budget(session, sampling)
        said, notes = exchange.asked, exchange.notes or ()
        try:
            return prompt(
                session.persona,
                history,
                said,
                self._model.tokenizer,
                budget.most,
                budget.usual,
                notes,
                budget.notes,
            )
        except PromptTooLongError as error:
            raise refusal_of(error, budget) from error

    def _note_signals(self, turn: OpenTurn) -> None:
        """Record what a new line implies about earlier replies; another take is no new line."""
        if turn.exchange.of_player and not turn.exchange.takes:
            said, now = turn.exchange.player_text, datetime.now(UTC)
            before = turn.session.exchanges
            self._note(signals.on_line(before, said, now, self._silence))

    def _note(self, noticed: Iterable[Reaction]) -> None:
        for reaction in noticed:
            self._recorder.note(reaction)

    async def _recite(self, turn: OpenTurn) -> AsyncGenerator[Delta | _Said]:
        yield Delta(turn.exchange.verbatim)
        yield _Said(turn, script_end(turn.exchange.verbatim))

    async def _speak(self, turn: OpenTurn) -> AsyncGenerator[Delta | _Said]:
        async with aclosing(self._generate(turn, turn.request)) as events:
            async for event in events:
                yield _Said(turn, event) if isinstance(event, Finish) else event

    async def _generate(self, turn: OpenTurn, request: Request) -> AsyncGenerator[Delta | Finish]:
        """Generate a reply; beside it, the engine reads what the next prompt begins with."""
        begun = False
        async with aclosing(self._model.engine.generate(request)) as events:
            async for event in events:
                if not begun:
                    self.next_prompts.read_beside(turn)
                    begun = True
                yield event

    async def _speak_guarded(self, turn: OpenTurn, watch: Watch) -> AsyncGenerator[Delta | _Said]:
        generate = partial(self._generate, turn)
        fallback = _fallback_of(turn)
        speech = Speech(generate, turn.tokenizer, turn.request, watch, fallback)
        async with aclosing(speak(speech)) as events:
            async for event in events:
                yield event if isinstance(event, Delta) else _said_guarded(turn, event)

    async def _answer_without_model(self, turn: OpenTurn) -> AsyncGenerator[Delta | _Said]:
        text = "" if turn.sampling.in_form else _fallback_of(turn)
        if text:
            yield Delta(text)
        reply = without_model(text, turn.tokenizer, len(turn.prompt.ids), 0.0)
        yield _Said(replace(turn, in_one_piece=False), reply)

    def _break_off(self, turn: OpenTurn, said: str, reason: FinishReason) -> None:
        reply, now = cut_short(said, turn, reason), datetime.now(UTC)
        record = record_of(turn, reply, self._model.base_sha256, now)
        take = interrupted_take(turn, said, now)
        self._sessions.add_take(turn.session, turn.exchange, take)
        self._recorder.record_cut_turn(record, turn.session.record)
        self._tell_watchers(turn)
        if reason is FinishReason.CANCELLED and not self._ending:
            self._note([signals.on_abandoned(record.turn_id, record.created_at)])

    async def _speak_best(
        self, turn: OpenTurn, watch: Watch | None
    ) -> AsyncGenerator[Delta | _Said]:
        begun = time.perf_counter()
        candidates = await draw_something_new(
            self._model.engine, turn.request, turn.best_of, turn.spoken
        )
        turn, chosen = await self._choose(turn, candidates)
        reply = chosen.reply
        if watch is not None and (fault := watch.fault_in(reply.text)):
            turn, reply = await self._mend(turn, watch, fault)
        waited_ms = (time.perf_counter() - begun) * 1e3
        if reply.text:
            yield Delta(reply.text)
        timed = replace(reply, ttft_ms=waited_ms, total_ms=waited_ms)
        yield _Said(turn, timed, len(candidates))

    async def _mend(self, turn: OpenTurn, watch: Watch, fault: Fault) -> tuple[OpenTurn, Finish]:
        """Draw all candidates again; fall back, when the best of them has a fault, too."""
        request = again(turn.request, "", turn.tokenizer)
        drawn = await draw(self._model.engine, candidate_requests(request, turn.best_of))
        chosen_turn, chosen = await self._choose(turn, drawn)
        if found := watch.fault_in(chosen.reply.text):
            form = turn.sampling.in_form
            action = GuardAction.WITHHELD if form else GuardAction.FELL_BACK
            text = "" if form else _fallback_of(turn)
            reply = without_model(text, turn.tokenizer, len(turn.prompt.ids), 0.0)
            mended = replace(turn, in_one_piece=False)
            tried = GuardHit(fault, GuardAction.RETRIED)
            return with_hits(mended, [tried, GuardHit(found, action)]), reply
        return with_hits(chosen_turn, [GuardHit(fault, GuardAction.RETRIED)]), chosen.reply

    async def _choose(
        self, turn: OpenTurn, candidates: Sequence[Candidate]
    ) -> tuple[OpenTurn, Candidate]:
        """Choose the best candidate; returns it, and the turn with its seed and judge."""
        persona, said = turn.session.persona, turn.exchange.player_text
        at = Judged(persona, said, turn.history, state_of(turn.session))
        best = finalists(candidates, self._model.scorer, at)
        head, chosen = await self._judge(persona, best)
        return replace(turn, sampling=chosen.request.sampling, judge=head), chosen

    async def _judge(self, persona: Persona, best: Sequence[Candidate]) -> tuple[str, Candidate]:
        """The version of the head and its favourite; without a head, "" and the first."""
        if self._heads is None:
            return "", best[0]
        with self._heads.lease(persona.id) as head:
            chosen = await choose_favourite(self._model.engine, head, self._model.tokenizer, best)
        return (head.version, chosen) if chosen else ("", best[0])

    async def _conclude(self, said: _Said) -> AsyncGenerator[ReplyEvent]:
        """Let the conversation go on; then tell what the turn shows besides, and record it all."""
        turn, session, complete = said.turn, said.turn.session, False
        take = take_of(turn, said.reply, datetime.now(UTC))
        self._sessions.add_take(session, turn.exchange, take)
        if self._asides.concern(turn):
            session.go_on()
        try:
            async with aclosing(self._asides.after_words(turn, said.reply)) as shown:
                async for event in shown:
                    yield event
            complete = True
        finally:
            finished = self._announce_end(said)
            take.action, take.answer = finished.action, answer_of(turn, finished)
            record = record_of(turn, said.reply, self._model.base_sha256, take.ended_at)
            if not complete:  # nobody listens any more, or the server broke
                self._recorder.record_cut_turn(record, session.record)
                self._tell_watchers(turn)
        try:
            await self._recorder.record_turn(record, session.record)
        finally:
            self._tell_watchers(turn)
        yield finished

    def _announce_end(self, said: _Said) -> Finished:
        live = self._adapters.live(said.turn.persona.id).version
        finished = finished_of(said.turn, said.reply, live, said.candidates)
        self._guard.note(finished.turn_id, finished.guard)
        return finished

    def _tell_watchers(self, turn: OpenTurn) -> None:
        for watcher in self._watchers:
            watcher.note_turn(turn)


def _said_guarded(turn: OpenTurn, ended: Guarded) -> _Said:
    seed = turn.sampling.seed if ended.seed is None else ended.seed
    sampling = replace(turn.sampling, seed=seed)
    turn = replace(turn, sampling=sampling, in_one_piece=ended.in_one_piece)
    return _Said(with_hits(turn, ended.hits), ended.reply)


def _fallback_of(turn: OpenTurn) -> str:
    takes = (take for exchange in turn.session.exchanges for take in exchange.takes)
    return fallback_line(turn.session.persona, turn.sampling.seed, [take.said for take in takes])
