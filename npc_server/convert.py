"""Conversions between protobuf messages and our dataclasses; refuses malformed requests."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, fields
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
from google.protobuf.timestamp_pb2 import Timestamp

from feedback_store.memory_records import Memories, Span
from feedback_store.records import (
    MAX_STARS,
    MIN_STARS,
    Choice,
    Edit,
    Outcome,
    Payload,
    Rating,
    Reaction,
    Reason,
    Receipt,
    Sign,
    Signal,
    Thumb,
)
from npc.v1 import adapters_pb2, dialogue_pb2, feedback_pb2, memory_pb2
from npc_server.adapters import CharacterListing
from npc_server.engine.protocol import Batching, Delta, FinishReason, Histogram, Stats
from npc_server.errors import InvalidRequestError, retry_after_ms, status_of
from npc_server.guard_hits import GuardAction, GuardHit
from npc_server.limits import MAX_TAKES, check_id, check_stop_text, check_text
from npc_server.memory.facts import Fact, facts, player_name
from npc_server.reactions import ParsedEvent, SubmitResult
from npc_server.reply_events import ChosenAction, Finished, ReplyEvent, ShownEmotion, Started
from npc_server.sessions import Session
from npc_server.signals import DERIVED_PREFIX
from npc_server.situations import ContextUpdate, Reported
from npc_server.triggering import Happening
from personas.adapter_repo import Manifest
from personas.notes import Note, NoteKind, ToldNotes
from personas.situation import GameNote, Mode
from personas.triggers import Quiet
from personas.variables import Value, Written

_FINISH_REASONS = {
    FinishReason.STOP: dialogue_pb2.FINISH_REASON_STOP,
    FinishReason.SENTENCES: dialogue_pb2.FINISH_REASON_SENTENCES,
    FinishReason.LENGTH: dialogue_pb2.FINISH_REASON_LENGTH,
    FinishReason.TRIMMED: dialogue_pb2.FINISH_REASON_LENGTH,
    FinishReason.SCRIPTED: dialogue_pb2.FINISH_REASON_SCRIPTED,
}

_SILENCES = {
    Quiet.CONDITION: dialogue_pb2.SILENT_BECAUSE_CONDITION,
    Quiet.COOLDOWN: dialogue_pb2.SILENT_BECAUSE_COOLDOWN,
    Quiet.CHANCE: dialogue_pb2.SILENT_BECAUSE_CHANCE,
}

_SPANS: Mapping[int, Span] = {
    dialogue_pb2.MEMORY_SPAN_UNSPECIFIED: Span.SESSION,
    dialogue_pb2.MEMORY_SPAN_SESSION: Span.SESSION,
    dialogue_pb2.MEMORY_SPAN_PLAYER: Span.PLAYER,
}

_GUARD_ACTIONS = {
    GuardAction.NOTED: dialogue_pb2.GUARD_ACTION_NOTED,
    GuardAction.ANSWERED: dialogue_pb2.GUARD_ACTION_ANSWERED,
    GuardAction.RETRIED: dialogue_pb2.GUARD_ACTION_RETRIED,
    GuardAction.CUT: dialogue_pb2.GUARD_ACTION_CUT,
    GuardAction.FELL_BACK: dialogue_pb2.GUARD_ACTION_FELL_BACK,
    GuardAction.WITHHELD: dialogue_pb2.GUARD_ACTION_WITHHELD,
}

_BATCHINGS = {
    Batching.MIXED: adapters_pb2.BATCHING_MIXED,
    Batching.GROUPED: adapters_pb2.BATCHING_GROUPED,
}


def start_session_response(
    session: Session, adapter_version: str
) -> dialogue_pb2.StartSessionResponse:
    """The response to StartSession."""
    return dialogue_pb2.StartSessionResponse(
        session_id=session.session_id,
        character_name=session.persona.name,
        persona_version=session.persona.version,
        adapter_version=adapter_version,
        greeting=session.record.greeting,
    )


def memory_span(number: int) -> Span:
    """How long to remember. Raises InvalidRequestError."""
    if number not in _SPANS:
        known = ", ".join(dialogue_pb2.MemorySpan.Name(one) for one in _SPANS if one)
        raise InvalidRequestError(f"memory is {number}; known: {known}")
    return _SPANS[number]


def list_memory_response(memories: Memories) -> memory_pb2.ListMemoryResponse:
    """The response to List of npc.v1.Memory."""
    known = facts(memories.statements)
    summaries = [
        memory_pb2.RememberedTalk(id=one.summary_id, text=one.text, turn_ids=one.turn_ids)
        for one in memories.summaries
    ]
    return memory_pb2.ListMemoryResponse(
        player_name=player_name(known), facts=map(_fact, known), summaries=summaries
    )


def _fact(fact: Fact) -> memory_pb2.RememberedFact:
    said = fact.statement
    return memory_pb2.RememberedFact(
        id=fact.fact_id,
        text=said.text,
        topic=said.topic,
        turn_ids=fact.turn_ids,
        told_at=_timestamp(said.told_at),
        overheard=said.character != said.spoken_to,
        replaced=[one.text for one in fact.replaced],
    )


_MODES: Mapping[int, Mode] = {
    dialogue_pb2.CONTEXT_MODE_UNSPECIFIED: Mode.APPEND,
    dialogue_pb2.CONTEXT_MODE_APPEND: Mode.APPEND,
    dialogue_pb2.CONTEXT_MODE_REPLACE: Mode.REPLACE,
    dialogue_pb2.CONTEXT_MODE_RESET: Mode.RESET,
}

_NOTE_KINDS = {
    NoteKind.WORLD: dialogue_pb2.NOTE_KIND_WORLD,
    NoteKind.LORE: dialogue_pb2.NOTE_KIND_LORE,
    NoteKind.MEMORY: dialogue_pb2.NOTE_KIND_MEMORY,
    NoteKind.EVENT: dialogue_pb2.NOTE_KIND_EVENT,
}


def world_report(world: Mapping[str, dialogue_pb2.WorldValue]) -> Reported:
    """Values by name. Raises InvalidRequestError for one that is unset."""
    return {name: _world_value(name, value) for name, value in world.items()}


def _world_value(name: str, value: dialogue_pb2.WorldValue) -> Value | Written:
    kind = value.WhichOneof("value")
    if kind is None:
        raise InvalidRequestError(f"world: {name} has no value; set one of its fields")
    if kind == "written":
        return Written(value.written)
    read: Value = getattr(value, kind)
    return read


def context_update(request: dialogue_pb2.UpdateContextRequest) -> ContextUpdate:
    """What a game reports. Raises InvalidRequestError."""
    if request.mode not in _MODES:
        known = ", ".join(dialogue_pb2.ContextMode.Name(one) for one in _MODES if one)
        raise InvalidRequestError(f"mode is {request.mode}; known: {known}")
    notes = [GameNote(note.text, note.priority) for note in request.notes]
    return ContextUpdate(_MODES[request.mode], notes, world_report(request.world))


def update_context_response(told: ToldNotes) -> dialogue_pb2.UpdateContextResponse:
    """The response to UpdateContext."""
    return dialogue_pb2.UpdateContextResponse(notes=_notes(told))


def _notes(told: ToldNotes) -> dialogue_pb2.Notes:
    return dialogue_pb2.Notes(
        told=map(_note, told.kept),
        left_out=map(_note, told.dropped),
        tokens=told.tokens,
        tokens_left=max(0, told.room - told.tokens),
    )


def _note(note: Note) -> dialogue_pb2.Note:
    return dialogue_pb2.Note(kind=_NOTE_KINDS[note.kind], text=note.text, source=note.source)


def restore_response(session: Session, adapter_version: str) -> dialogue_pb2.RestoreResponse:
    """The response to Restore."""
    lived = [
        dialogue_pb2.LivedExchange(
            player_text="" if exchange.cue else exchange.player_text,
            reply_text=exchange.kept.text,
            turn_id=exchange.kept.turn_id,
            interrupted=exchange.kept.broken_off,
            happened=exchange.player_text if exchange.cue else "",
        )
        for exchange in session.exchanges
    ]
    return dialogue_pb2.RestoreResponse(
        session_id=session.session_id,
        character=session.persona.id,
        character_name=session.persona.name,
        persona_version=session.persona.version,
        adapter_version=adapter_version,
        exchanges=lived,
        greeting=session.record.greeting,
    )


def changes(sampling: dialogue_pb2.SamplingOverrides) -> dict[str, Any]:
    """A call's changes to the persona's sampling; contract and engine name them alike."""
    wanted = {field.name: value for field, value in sampling.ListFields()}
    if "stop" not in wanted:
        return wanted
    return wanted | {"stop": tuple(check_stop_text("stop", text) for text in wanted["stop"])}


def happening(request: dialogue_pb2.TriggerRequest) -> Happening:
    """What happens in the game, as a call of Trigger tells it."""
    return Happening(request.event, request.text, request.verbatim)


def reply_event(event: ReplyEvent | Quiet) -> dialogue_pb2.ReplyEvent:
    """One message of a reply stream."""
    match event:
        case Quiet():
            silence = dialogue_pb2.Silence(because=_SILENCES[event])
            return dialogue_pb2.ReplyEvent(silence=silence)
        case Delta():
            return dialogue_pb2.ReplyEvent(delta=dialogue_pb2.Delta(text=event.text))
        case Started():
            return dialogue_pb2.ReplyEvent(started=_started_message(event))
        case ShownEmotion():
            return dialogue_pb2.ReplyEvent(emotion=_emotion_message(event))
        case ChosenAction():
            return dialogue_pb2.ReplyEvent(action=_action_message(event))
        case Finished():
            return dialogue_pb2.ReplyEvent(finished=_finished_message(event))


def _started_message(event: Started) -> dialogue_pb2.Started:
    return dialogue_pb2.Started(
        turn_id=event.turn_id,
        persona_version=event.persona_version,
        adapter_version=event.adapter_version,
        take=event.take,
        seed=event.seed,
    )


def _emotion_message(emotion: ShownEmotion) -> dialogue_pb2.Emotion:
    return dialogue_pb2.Emotion(label=emotion.label, probability=emotion.probability)


def _action_message(action: ChosenAction) -> dialogue_pb2.Action:
    given = {name: _argument(value) for name, value in action.arguments.items()}
    return dialogue_pb2.Action(name=action.name, arguments=given)


def _argument(value: bool | int | float | str) -> dialogue_pb2.ActionArgument:
    match value:
        case bool():
            return dialogue_pb2.ActionArgument(truth=value)
        case int():
            return dialogue_pb2.ActionArgument(whole=value)
        case float():
            return dialogue_pb2.ActionArgument(number=value)
        case str():
            return dialogue_pb2.ActionArgument(text=value)


def _finished_message(event: Finished) -> dialogue_pb2.Finished:
    reply = event.reply
    return dialogue_pb2.Finished(
        turn_id=event.turn_id,
        text=reply.text,
        finish_reason=_FINISH_REASONS[reply.reason],
        adapter_version=event.adapter_version,
        live_adapter_version=event.live_adapter_version,
        usage=dialogue_pb2.Usage(
            prompt_tokens=reply.prompt_tokens,
            cached_tokens=reply.cached_tokens,
            reply_tokens=event.reply_tokens,
            thought_tokens=reply.thought_tokens,
            aside_tokens=event.aside_tokens,
        ),
        timing=dialogue_pb2.Timing(
            queue_ms=reply.queue_ms, ttft_ms=reply.ttft_ms, total_ms=reply.total_ms
        ),
        token_logprobs=reply.token_logprobs,
        candidates=event.candidates,
        guard_hits=[_guard_hit(hit) for hit in event.guard],
        notes=_notes(event.notes) if event.notes.kept or event.notes.dropped else None,
        emotion=_emotion_message(event.emotion) if event.emotion else None,
        actions=[_action_message(event.action)] if event.action else [],
    )


def _guard_hit(hit: GuardHit) -> dialogue_pb2.GuardHit:
    return dialogue_pb2.GuardHit(rule=hit.rule, action=_GUARD_ACTIONS[hit.action])


def parse_batch(message: feedback_pb2.SubmitBatchRequest, now: datetime) -> list[ParsedEvent]:
    """The events of a message, each a microsecond later than the one before it."""
    return [
        _parse_or_error(request, now + timedelta(microseconds=i))
        for i, request in enumerate(message.events)
    ]


def _parse_or_error(request: feedback_pb2.SubmitRequest, now: datetime) -> ParsedEvent:
    try:
        return parse_reaction(request, now)
    except InvalidRequestError as error:
        return error


def parse_reaction(request: feedback_pb2.SubmitRequest, now: datetime) -> Reaction:
    """The event of a request that arrived at `now`. Raises InvalidRequestError."""
    event_id = check_id("event_id", request.event_id)
    if event_id.startswith(DERIVED_PREFIX):
        raise InvalidRequestError(
            f"event_id {event_id!r} starts with {DERIVED_PREFIX!r}, which only the server may use"
        )
    kind = request.WhichOneof("reaction")
    if kind is None:
        raise InvalidRequestError(f"no reaction is set; send one of {', '.join(_PAYLOADS)}")
    payload = _PAYLOADS[kind](getattr(request, kind))
    occurred_at = _occurred_at(request)
    if request.session_id and not request.turn_id:
        session_id = check_id("session_id", request.session_id)
        return Reaction(event_id, payload, now, session_id=session_id, occurred_at=occurred_at)
    turn_id = check_id("turn_id", request.turn_id)
    return Reaction(event_id, payload, now, turn_id, request.session_id, occurred_at=occurred_at)


def _occurred_at(request: feedback_pb2.SubmitRequest) -> datetime | None:
    if not request.HasField("occurred_at"):
        return None
    try:
        return request.occurred_at.ToDatetime(tzinfo=UTC)
    except (ValueError, OverflowError) as error:
        raise InvalidRequestError(
            f"occurred_at has {request.occurred_at.seconds} seconds and"
            f" {request.occurred_at.nanos} nanos, which is no time; count from 1970 in seconds"
        ) from error


def _thumb(thumb: feedback_pb2.Thumb) -> Thumb:
    if thumb.up and thumb.reasons:
        raise InvalidRequestError("thumb.reasons go with a thumb down; leave them out with up")
    if len(thumb.reasons) > len(_REASONS):
        raise InvalidRequestError(f"thumb.reasons holds {len(thumb.reasons)}; name each once")
    return Thumb(thumb.up, tuple(_reason(number) for number in thumb.reasons))


def _reason(number: int) -> Reason:
    if number not in _REASONS:
        known = ", ".join(reason.name for reason in _REASONS.values())
        raise InvalidRequestError(f"thumb.reasons holds {number}; known: {known}")
    return _REASONS[number]


def _choice(choice: feedback_pb2.Choice) -> Choice:
    if len(choice.over_turn_ids) > MAX_TAKES:
        raise InvalidRequestError(
            f"choice.over_turn_ids holds {len(choice.over_turn_ids)}; name at most {MAX_TAKES}"
        )
    over = tuple(check_id("choice.over_turn_ids", i) for i in choice.over_turn_ids)
    return Choice(over, choice.kept_position)


def _edit(edit: feedback_pb2.Edit) -> Edit:
    return Edit(check_text("edit.text", edit.text))


def _rating(rating: feedback_pb2.Rating) -> Rating:
    if not MIN_STARS <= rating.stars <= MAX_STARS:
        raise InvalidRequestError(
            f"rating.stars is {rating.stars}; give {MIN_STARS} to {MAX_STARS}"
        )
    return Rating(rating.stars)


def _outcome(outcome: feedback_pb2.Outcome) -> Outcome:
    return Outcome(outcome.success, check_id("outcome.name", outcome.name))


def _signal(signal: feedback_pb2.Signal) -> Signal:
    if signal.sign not in _SIGNS:
        known = ", ".join(sign.name for sign in _SIGNS.values())
        raise InvalidRequestError(f"signal.sign is {signal.sign}; known: {known}")
    return Signal(_SIGNS[signal.sign])


_PAYLOADS: Mapping[str, Callable[[Any], Payload]] = {
    "thumb": _thumb,
    "choice": _choice,
    "edit": _edit,
    "rating": _rating,
    "outcome": _outcome,
    "signal": _signal,
}
_REASONS = {
    number: Reason[name.removeprefix("REASON_")]
    for name, number in feedback_pb2.Reason.items()
    if number != feedback_pb2.REASON_UNSPECIFIED
}
#: Those that a game may send; the server derives the others.
_SIGNS = {
    number: Sign[name.removeprefix("SIGN_")]
    for name, number in feedback_pb2.Sign.items()
    if number != feedback_pb2.SIGN_UNSPECIFIED
}


def submit_response(receipt: Receipt) -> feedback_pb2.SubmitResponse:
    """The response to Submit."""
    return feedback_pb2.SubmitResponse(
        event_id=receipt.event_id,
        received_at=_timestamp(receipt.received_at),
        duplicate=receipt.duplicate,
    )


def submit_batch_response(
    ids: Sequence[str], results: Sequence[SubmitResult]
) -> feedback_pb2.SubmitBatchResponse:
    """The response to SubmitBatch."""
    stamps: dict[datetime, Timestamp] = {}  # events that were stored together share one
    statuses = [
        _stored_status(result, stamps)
        if isinstance(result, Receipt)
        else _refused_status(event_id, result)
        for event_id, result in zip(ids, results, strict=True)
    ]
    return feedback_pb2.SubmitBatchResponse(statuses=statuses)


def _stored_status(receipt: Receipt, stamps: dict[datetime, Timestamp]) -> feedback_pb2.EventStatus:
    moment = receipt.received_at
    if moment not in stamps:
        stamps[moment] = _timestamp(moment)
    return feedback_pb2.EventStatus(
        event_id=receipt.event_id, received_at=stamps[moment], duplicate=receipt.duplicate
    )


def _refused_status(event_id: str, error: Exception) -> feedback_pb2.EventStatus:
    return feedback_pb2.EventStatus(
        event_id=event_id,
        code=(status_of(error) or grpc.StatusCode.INTERNAL).value[0],
        message=str(error),
        retry_after_ms=retry_after_ms(error),
    )


def character_adapters(listing: CharacterListing) -> adapters_pb2.CharacterAdapters:
    """The versions of one character."""
    return adapters_pb2.CharacterAdapters(
        character=listing.character,
        live_version=listing.live_version,
        versions=[_version(manifest, listing) for manifest in listing.versions],
        problem=listing.problem,
    )


def _version(manifest: Manifest, listing: CharacterListing) -> adapters_pb2.AdapterVersion:
    return adapters_pb2.AdapterVersion(
        version=manifest.version,
        parent=manifest.parent or "",
        method=manifest.method,
        created_at=_timestamp(datetime.fromisoformat(manifest.created_at)),
        running_turns=listing.running_turns[manifest.version],
    )


def stats_response(stats: Stats) -> adapters_pb2.StatsResponse:
    """The response to Stats; its fields are named like those of `Stats`."""
    values: dict[str, Any] = {**asdict(stats), "batching": _BATCHINGS[stats.batching]}
    return adapters_pb2.StatsResponse(**values)


def engine_stats(response: adapters_pb2.StatsResponse) -> Stats:
    """The stats in a response to Stats; the inverse of `stats_response`."""
    values: dict[str, Any] = {field.name: getattr(response, field.name) for field in fields(Stats)}
    histograms = {
        name: Histogram(tuple(value.bounds), tuple(value.counts), value.sum)
        for name, value in values.items()
        if isinstance(value, adapters_pb2.Histogram)
    }
    (batching,) = [ours for ours, theirs in _BATCHINGS.items() if theirs == response.batching]
    return Stats(
        **{**values, **histograms, "batching": batching, "adapters": tuple(response.adapters)}
    )


def _timestamp(moment: datetime) -> Timestamp:
    stamp = Timestamp()
    stamp.FromDatetime(moment.astimezone(UTC))
    return stamp
