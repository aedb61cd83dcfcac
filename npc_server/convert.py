"""Between protobuf messages and our dataclasses; nothing is decided here but what is malformed."""

from __future__ import annotations

from dataclasses import asdict, fields
from datetime import UTC, datetime
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from feedback_store.records import Choice, Edit, Event, Payload, Reason, Receipt, Thumb
from npc.v1 import adapters_pb2, dialogue_pb2, feedback_pb2
from npc_server.adapters import CharacterListing
from npc_server.dialogue import Finished, Started, check_id, check_text
from npc_server.engine.protocol import Batching, Delta, FinishReason, Histogram, Stats
from npc_server.errors import InvalidRequestError
from npc_server.sessions import Session
from personas.adapter_repo import Manifest

_FINISH_REASONS = {
    FinishReason.STOP: dialogue_pb2.FINISH_REASON_STOP,
    FinishReason.LENGTH: dialogue_pb2.FINISH_REASON_LENGTH,
}

_BATCHINGS = {
    Batching.MIXED: adapters_pb2.BATCHING_MIXED,
    Batching.GROUPED: adapters_pb2.BATCHING_GROUPED,
}


def session_started(session: Session, adapter_version: str) -> dialogue_pb2.StartSessionResponse:
    """The answer to StartSession."""
    return dialogue_pb2.StartSessionResponse(
        session_id=session.session_id,
        character_name=session.persona.name,
        persona_version=session.persona.version,
        adapter_version=adapter_version,
    )


def changes(request: dialogue_pb2.SayRequest | dialogue_pb2.RegenerateRequest) -> dict[str, Any]:
    """What the call wants drawn differently: the contract names it as the engine does."""
    wanted = {field.name: value for field, value in request.sampling.ListFields()}
    return wanted | ({"stop": tuple(wanted["stop"])} if "stop" in wanted else {})


def reply_event(event: Started | Delta | Finished) -> dialogue_pb2.ReplyEvent:
    """One message of a reply stream."""
    if isinstance(event, Delta):
        return dialogue_pb2.ReplyEvent(delta=dialogue_pb2.Delta(text=event.text))
    if isinstance(event, Started):
        started = dialogue_pb2.Started(
            turn_id=event.turn_id,
            persona_version=event.persona_version,
            adapter_version=event.adapter_version,
            take=event.take,
            seed=event.seed,
        )
        return dialogue_pb2.ReplyEvent(started=started)
    return dialogue_pb2.ReplyEvent(finished=_finished(event))


def _finished(event: Finished) -> dialogue_pb2.Finished:
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
            reply_tokens=len(reply.token_ids),
        ),
        timing=dialogue_pb2.Timing(
            queue_ms=reply.queue_ms, ttft_ms=reply.ttft_ms, total_ms=reply.total_ms
        ),
        token_logprobs=reply.token_logprobs,
        candidates=event.candidates,
    )


def feedback_event(request: feedback_pb2.SubmitRequest, player_id: str) -> Event:
    """The event of a request about a turn of this player. Raises InvalidRequestError."""
    event_id = check_id("event_id", request.event_id)
    return Event(event_id, request.turn_id, player_id, _payload(request), datetime.now(UTC))


def _payload(request: feedback_pb2.SubmitRequest) -> Payload:
    kind = request.WhichOneof("reaction")
    if kind == "thumb":
        return _thumb(request.thumb)
    if kind == "choice":
        return Choice(tuple(check_id("over_turn_ids", i) for i in request.choice.over_turn_ids))
    if kind == "edit":
        return Edit(check_text("edit.text", request.edit.text))
    raise InvalidRequestError("no reaction is set; send one of thumb, choice, edit")


def _thumb(thumb: feedback_pb2.Thumb) -> Thumb:
    if thumb.up and thumb.reasons:
        raise InvalidRequestError("thumb.reasons say why not; leave them out with up = true")
    return Thumb(thumb.up, tuple(_reason(number) for number in thumb.reasons))


def _reason(number: int) -> Reason:
    name = feedback_pb2.Reason.Name(number) if number in feedback_pb2.Reason.values() else ""
    try:
        return Reason[name.removeprefix("REASON_")]
    except KeyError:
        known = ", ".join(reason.name for reason in Reason)
        raise InvalidRequestError(f"thumb.reasons holds {number}; known: {known}") from None


def submitted(receipt: Receipt) -> feedback_pb2.SubmitResponse:
    """The answer to Submit."""
    return feedback_pb2.SubmitResponse(
        event_id=receipt.event_id,
        received_at=_timestamp(receipt.received_at),
        duplicate=receipt.duplicate,
    )


def character_adapters(listing: CharacterListing) -> adapters_pb2.CharacterAdapters:
    """One character's versions."""
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


def stats_answer(stats: Stats) -> adapters_pb2.StatsResponse:
    """The answer to Stats; its fields are named as ours."""
    values: dict[str, Any] = {**asdict(stats), "batching": _BATCHINGS[stats.batching]}
    return adapters_pb2.StatsResponse(**values)


def engine_stats(answer: adapters_pb2.StatsResponse) -> Stats:
    """What a server answered to Stats; the inverse of `stats_answer`."""
    values: dict[str, Any] = {field.name: getattr(answer, field.name) for field in fields(Stats)}
    histograms = {
        name: Histogram(tuple(value.bounds), tuple(value.counts), value.sum)
        for name, value in values.items()
        if isinstance(value, adapters_pb2.Histogram)
    }
    (batching,) = [ours for ours, theirs in _BATCHINGS.items() if theirs == answer.batching]
    return Stats(
        **{**values, **histograms, "batching": batching, "adapters": tuple(answer.adapters)}
    )


def _timestamp(moment: datetime) -> Timestamp:
    stamp = Timestamp()
    stamp.FromDatetime(moment.astimezone(UTC))
    return stamp
