"""An open turn: everything that makes its reply, and its record at the end.

Pure, but for the turn ids, which grow with time: rows that are read together then lie together in
the database, whose index pages stay warm.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from functools import lru_cache

from feedback_store.records import JSON, OPENING, Turn
from npc_server.adapters import LiveAdapter
from npc_server.engine.protocol import (
    Engine,
    Finish,
    FinishReason,
    Request,
    Sampling,
    SentenceRule,
    Thought,
)
from npc_server.guard_hits import GuardHit, annotation_of, hits_in, is_unread
from npc_server.reply_events import Answer, ChosenAction, Finished, Shown, ShownEmotion, Started
from npc_server.reranking import FaultScorer, Scorer
from npc_server.sessions import Cue, Exchange, Session, Take
from personas.cast_names import speaking_names
from personas.chat_thoughts import thinking_of
from personas.notes import NO_NOTES, Note, NoteKind, ToldNotes
from personas.persona import Persona
from personas.render import Line, Prompt, Speaker, Tokenizer
from personas.said_lines import said_lately
from personas.sentences import LAST, UNMARKED, WITHIN

SENTENCE_RULE = SentenceRule(WITHIN, LAST, UNMARKED)
_UNFINISHED = (FinishReason.CANCELLED, FinishReason.FAILED)  # not the end the reply would have had
_NOT_DRAWN = (*_UNFINISHED, FinishReason.SCRIPTED)  # or not to its end

NO_PROMPT = Prompt((), (), 0, 0, 0)  # of words that no model finds


@dataclass(frozen=True)
class Model:
    """The base model of all replies, fixed for the life of the server."""

    engine: Engine
    tokenizer: Tokenizer
    base_sha256: str
    scorer: Scorer = field(default_factory=FaultScorer)  # of candidates, where several are drawn
    thought_tokens: int = 0  # that it may think before a reply; 0 = it does not think

    @property
    def reply_context(self) -> int:
        """Tokens for a prompt and its reply."""
        return self.engine.info.context_tokens - self.thought_tokens

    def thought_before(self, prompt: Prompt) -> Thought | None:
        """What it is to think before it replies to a prompt; None = nothing."""
        if not prompt.thinking_ids:
            return None
        thinking = thinking_of(self.tokenizer)
        return Thought(prompt.thinking_ids, thinking.end, thinking.closing, self.thought_tokens)


@dataclass(frozen=True)
class OpenTurn:
    """A turn that is not recorded yet."""

    started: Started
    session: Session
    persona: Persona  # as it speaks now; its session's may change meanwhile
    exchange: Exchange
    adapter: LiveAdapter
    history: tuple[Line, ...]  # before the player's line, then the earlier takes on the reply
    prompt: Prompt
    sampling: Sampling
    tokenizer: Tokenizer
    thought: Thought | None = None  # before the reply; None = it comes at once
    judge: str = ""  # version of the reward head that chose the candidate; "" = none did
    call_id: str = ""  # of the call that asks for it; "" = it has none
    annotations: Mapping[str, JSON] = field(default_factory=dict)  # by topic, besides the notes
    in_one_piece: bool = True  # the reply was drawn as it stands
    shown: Shown = field(default_factory=Shown)

    @property
    def concluded(self) -> bool:
        """Whether the reply is complete and part of the conversation."""
        return any(take.turn_id == self.started.turn_id for take in self.exchange.takes)

    @property
    def best_of(self) -> int:
        """How many replies are drawn; one of them is said."""
        return self.persona.sampling.best_of

    @property
    def request(self) -> Request:
        """The request for the reply, or for the first candidate."""
        adapter = self.adapter.content_hash
        return Request(
            self.started.turn_id,
            self.prompt.ids,
            adapter,
            self.sampling,
            pinned_tokens=self.prompt.opening_tokens,
            sentences=SENTENCE_RULE if self.sampling.max_sentences else None,
            said=tuple(_ids_of_said(self.tokenizer, text) for text in self.said),
            speakers=speaking_names(self.persona),
            conversation=self.session.session_id,
            thought=self.thought,
            party=self.session.record.game,
        )

    @property
    def said(self) -> tuple[str, ...]:
        """What was said lately whose phrases count as said: in a scene, by others too."""
        if not self.sampling.minds_phrases:
            return ()
        overheard = self.exchange.overheard
        return (*(overheard.echoes if overheard else ()), *said_lately(self.history))

    @property
    def spoken(self) -> tuple[str, ...]:
        """All that the character said in the session, oldest first, and earlier takes."""
        own = (line.text for line in self.history if line.speaker is Speaker.CHARACTER)
        return tuple(text for text in own if text)


def _ids_of_said(tokenizer: Tokenizer, text: str) -> tuple[int, ...]:
    """The tokens of a line, which counts as said in turn after turn and is encoded once."""
    return _encode_once(tokenizer, text)  # type: ignore[arg-type]  # is hashed by identity


@lru_cache(maxsize=2048)
def _encode_once(tokenizer: Tokenizer, text: str) -> tuple[int, ...]:
    return tuple(tokenizer.encode(text))


def with_hits(turn: OpenTurn, hits: Iterable[GuardHit]) -> OpenTurn:
    """The turn, with what the guard found."""
    known = (*hits_in(turn.annotations), *hits)
    return replace(turn, annotations={**turn.annotations, **annotation_of(known)})


def new_turn_id() -> str:
    """32 hex digits: 48 bits of Unix time in milliseconds, then 80 random ones."""
    return f"{time.time_ns() // 1_000_000:012x}{secrets.token_hex(10)}"


def cut_short(text: str, turn: OpenTurn, reason: FinishReason) -> Finish:
    """The Finish of a reply cut off after `text`."""
    tokens = len(turn.prompt.ids)
    return Finish(text, (), reason, 0.0, (), tokens, 0, 0.0, 0.0, 0.0)


def script_end(text: str) -> Finish:
    """The Finish of words that an author wrote."""
    return Finish(text, (), FinishReason.SCRIPTED, 0.0, (), 0, 0, 0.0, 0.0, 0.0)


def finished_of(turn: OpenTurn, reply: Finish, live_version: str, candidates: int) -> Finished:
    """The end of a turn whose reply is complete."""
    started = turn.started
    return Finished(
        turn_id=started.turn_id,
        adapter_version=started.adapter_version,
        live_adapter_version=live_version,
        reply=reply,
        reply_tokens=len(reply.token_ids),
        candidates=candidates,
        guard=hits_in(turn.annotations),
        notes=turn.prompt.notes,
        emotion=turn.shown.emotion,
        action=turn.shown.action,
        aside_tokens=turn.shown.tokens,
    )


def take_of(turn: OpenTurn, reply: Finish, ended_at: datetime) -> Take:
    """The take that a complete reply becomes; it gets its answer when all of it is told."""
    unread = is_unread(hits_in(turn.annotations))
    turn_id, call_id = turn.started.turn_id, turn.call_id
    return Take(turn_id, reply.text, call_id=call_id, unread=unread, ended_at=ended_at)


def answer_of(turn: OpenTurn, finished: Finished) -> Answer | None:
    """What a repeated call is answered; None = this one cannot be repeated."""
    kept = replace(finished, reply=replace(finished.reply, token_ids=()))
    return Answer(turn.started, kept) if turn.call_id else None


def interrupted_take(turn: OpenTurn, said: str, ended_at: datetime) -> Take:
    """The take that a reply becomes which was broken off after `said`."""
    turn_id, call_id = turn.started.turn_id, turn.call_id
    return Take(turn_id, said, interrupted=True, call_id=call_id, ended_at=ended_at)


def stored_take(turn: Turn, call_id: str) -> Take:
    """The take that a turn was recorded from."""
    interrupted = turn.finish_reason in _UNFINISHED
    answer = _stored_answer(turn) if call_id and not interrupted else None
    return Take(
        turn.turn_id,
        turn.reply_text,
        interrupted,
        call_id,
        stored_action(turn),
        answer,
        unread=is_unread(hits_in(turn.annotations)),
        ended_at=turn.created_at,
    )


def _stored_answer(turn: Turn) -> Answer:
    """What a recorded reply is streamed as: all but what no record holds."""
    started = Started(
        turn.turn_id, turn.persona_version, turn.adapter_version, turn.take, turn.seed
    )
    best_of = turn.sampling.get("best_of")
    finished = Finished(
        turn_id=turn.turn_id,
        adapter_version=turn.adapter_version,
        live_adapter_version=turn.adapter_version,
        reply=_stored_reply(turn),
        reply_tokens=len(turn.reply_ids),
        candidates=best_of if isinstance(best_of, int) else 1,
        guard=hits_in(turn.annotations),
        notes=stored_told(turn),
        emotion=stored_emotion(turn),
        action=stored_action(turn),
    )
    return Answer(started, finished)


def _stored_reply(turn: Turn) -> Finish:
    return Finish(
        text=turn.reply_text,
        token_ids=(),
        reason=FinishReason(turn.finish_reason),
        logprob=turn.logprob or 0.0,
        token_logprobs=(),
        prompt_tokens=len(turn.prompt_ids),
        cached_tokens=0,
        queue_ms=turn.queue_ms,
        ttft_ms=turn.ttft_ms,
        total_ms=turn.total_ms,
    )


def record_of(turn: OpenTurn, reply: Finish, base_sha256: str, ended_at: datetime) -> Turn:
    """The stored form of a turn whose reply ended then."""
    started, session = turn.started, turn.session.record
    first = turn.exchange.takes[0].turn_id if started.take else started.turn_id
    return Turn(
        turn_id=started.turn_id,
        session_id=session.session_id,
        character=session.character,
        player_id=session.player_id,
        game=session.game,
        persona_version=started.persona_version,
        adapter_version=turn.adapter.version,
        adapter_hash=turn.adapter.content_hash,
        base_sha256=base_sha256,
        messages=tuple({"role": m.role, "content": m.content} for m in turn.prompt.messages),
        prompt_ids=turn.prompt.ids,
        reply_ids=reply.token_ids,
        player_text=turn.exchange.player_text,
        reply_text=reply.text,
        take=started.take,
        first_turn_id=first,
        finish_reason=reply.reason.value,
        sampling=_sampling(turn),
        seed=started.seed,
        arm_probability=1.0,  # one live version serves every session
        logprob=reply.logprob if _has_logprob(turn, reply) else None,
        queue_ms=reply.queue_ms,
        ttft_ms=reply.ttft_ms,
        total_ms=reply.total_ms,
        created_at=ended_at,
        consent=session.consent,
        annotations={
            **_of_prompt(turn.prompt),
            **_of_hearers(turn.exchange, session.character),
            **_of_cue(turn.exchange.cue),
            **turn.exchange.annotations,
            **_of_shown(turn.shown),
            **turn.annotations,
        },
    )


def _has_logprob(turn: OpenTurn, reply: Finish) -> bool:
    return turn.in_one_piece and reply.reason not in _NOT_DRAWN


def _of_shown(shown: Shown) -> dict[str, JSON]:
    told: dict[str, JSON] = {}
    if emotion := shown.emotion:
        told["emotion"] = {"label": emotion.label, "probability": emotion.probability}
    if action := shown.action:
        told["action"] = {"name": action.name, "arguments": dict(action.arguments)}
    return told


def stored_emotion(turn: Turn) -> ShownEmotion | None:
    """The emotion that a turn was recorded with; None = it showed none."""
    told = turn.annotations.get("emotion")
    if not isinstance(told, dict):
        return None
    return ShownEmotion(str(told["label"]), float(str(told["probability"])))


def stored_action(turn: Turn) -> ChosenAction | None:
    """The action that a turn was recorded with; None = nothing was done."""
    told = turn.annotations.get("action")
    given = told.get("arguments") if isinstance(told, dict) else None
    if not isinstance(told, dict) or not isinstance(given, dict):
        return None
    values = {
        name: value for name, value in given.items() if isinstance(value, bool | int | float | str)
    }
    return ChosenAction(str(told["name"]), values)


def _of_prompt(prompt: Prompt) -> dict[str, JSON]:
    opening: dict[str, JSON] = {OPENING: prompt.opening_messages} if prompt.messages else {}
    dropped: dict[str, JSON] = {"dropped_lines": prompt.dropped_lines}
    return {**opening, **_of_notes(prompt.notes), **(dropped if prompt.dropped_lines else {})}


def _of_hearers(exchange: Exchange, character: str) -> dict[str, JSON]:
    """Who heard the turn, where anybody did besides the character."""
    heard_by: list[JSON] = [*exchange.hearers]
    return {"audience": heard_by} if set(exchange.hearers) - {character} else {}


def stored_hearers(turn: Turn) -> tuple[str, ...]:
    """Ids of the characters that heard a recorded turn."""
    heard_by = turn.annotations.get("audience")
    return tuple(map(str, heard_by)) if isinstance(heard_by, list) else (turn.character,)


def of_world(session: Session) -> dict[str, JSON]:
    """How things stand in the session's world, as far as its game told; {} = it told nothing."""
    world, values = session.persona.setting, session.situation.values
    if world is None or not values:
        return {}
    stored: dict[str, JSON] = dict(values)
    return {"world": {"version": world.version, "values": stored}}


def _of_notes(notes: ToldNotes) -> dict[str, JSON]:
    """What was told, and what had no room; nothing where there was nothing to tell."""
    if not (notes.kept or notes.dropped):
        return {}
    kept: list[JSON] = [_plain(note) for note in notes.kept]
    dropped: list[JSON] = [_plain(note) for note in notes.dropped]
    counted: dict[str, JSON] = {"tokens": notes.tokens, "room": notes.room}
    return {"notes": {"kept": kept, "dropped": dropped, **counted}}


def _of_cue(cue: Cue | None) -> dict[str, JSON]:
    return {"trigger": dict(asdict(cue))} if cue else {}


def stored_cue(turn: Turn) -> Cue | None:
    """What made the character speak, of a turn that answers no line."""
    match turn.annotations.get("trigger"):
        case {"event": str(event), "asked": str(asked), "verbatim": str(verbatim)}:
            return Cue(event, asked, verbatim)
    return None


def _plain(note: Note) -> dict[str, JSON]:
    return {**asdict(note), "kind": note.kind.value}


def stored_notes(turn: Turn) -> tuple[Note, ...]:
    """The notes that a turn was recorded with, those that had no room apart."""
    return stored_told(turn).kept


def stored_told(turn: Turn) -> ToldNotes:
    """What a turn was recorded with of notes, and what had no room."""
    told = turn.annotations.get("notes")
    if not isinstance(told, dict):
        return NO_NOTES
    kept, dropped = _notes_in(told.get("kept")), _notes_in(told.get("dropped"))
    return ToldNotes(kept, dropped, _whole(told.get("tokens")), _whole(told.get("room")))


def _notes_in(stored: JSON) -> tuple[Note, ...]:
    rows = [row for row in stored if isinstance(row, dict)] if isinstance(stored, list) else []
    return tuple(
        Note(
            NoteKind(str(row["kind"])),
            str(row["text"]),
            str(row["source"]),
            _whole(row["priority"]),
        )
        for row in rows
    )


def _whole(stored: JSON) -> int:
    return stored if isinstance(stored, int) else 0


def _sampling(turn: OpenTurn) -> dict[str, JSON]:
    drawn = asdict(turn.sampling)
    judge: dict[str, JSON] = {"judge": turn.judge} if turn.judge else {}
    said: dict[str, JSON] = {"said": list(turn.said)} if turn.said else {}
    stop = list(turn.sampling.stop)
    return {**drawn, "stop": stop, "best_of": turn.best_of, **judge, **said}
