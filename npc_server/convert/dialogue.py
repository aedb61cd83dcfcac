"""What calls of `npc.v1.Dialogue` say, and the answers to those that are no replies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from feedback_store.memory_records import Span
from npc.v1 import dialogue_pb2
from npc_server.convert.replies import notes_message
from npc_server.errors import InvalidRequestError
from npc_server.limits import check_stop_text
from npc_server.sessions import Session
from npc_server.situations import ContextUpdate, Reported
from npc_server.triggering import Happening
from personas.notes import ToldNotes
from personas.situation import GameNote, Mode
from personas.variables import Value, Written

_SPANS: Mapping[int, Span] = {
    dialogue_pb2.MEMORY_SPAN_UNSPECIFIED: Span.SESSION,
    dialogue_pb2.MEMORY_SPAN_SESSION: Span.SESSION,
    dialogue_pb2.MEMORY_SPAN_PLAYER: Span.PLAYER,
}

_MODES: Mapping[int, Mode] = {
    dialogue_pb2.CONTEXT_MODE_UNSPECIFIED: Mode.APPEND,
    dialogue_pb2.CONTEXT_MODE_APPEND: Mode.APPEND,
    dialogue_pb2.CONTEXT_MODE_REPLACE: Mode.REPLACE,
    dialogue_pb2.CONTEXT_MODE_RESET: Mode.RESET,
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
    return dialogue_pb2.UpdateContextResponse(notes=notes_message(told))


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


def sampling_changes(sampling: dialogue_pb2.SamplingOverrides) -> dict[str, Any]:
    """A call's changes to the persona's sampling; contract and engine name them alike."""
    wanted = {field.name: value for field, value in sampling.ListFields()}
    if "stop" not in wanted:
        return wanted
    return wanted | {"stop": tuple(check_stop_text("stop", text) for text in wanted["stop"])}


def happening_of(request: dialogue_pb2.TriggerRequest) -> Happening:
    """What happens in the game, as a call of Trigger tells it."""
    return Happening(request.event, request.text, request.verbatim)
