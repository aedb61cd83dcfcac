"""The messages of a reply stream, and the notes that go with a prompt."""

from __future__ import annotations

from npc.v1 import dialogue_pb2
from npc_server.engine.protocol import Delta, FinishReason
from npc_server.guard_hits import GuardAction, GuardHit
from npc_server.reply_events import ChosenAction, Finished, ReplyEvent, ShownEmotion, Started
from personas.notes import Note, NoteKind, ToldNotes
from personas.triggers import Quiet

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

_GUARD_ACTIONS = {
    GuardAction.NOTED: dialogue_pb2.GUARD_ACTION_NOTED,
    GuardAction.ANSWERED: dialogue_pb2.GUARD_ACTION_ANSWERED,
    GuardAction.RETRIED: dialogue_pb2.GUARD_ACTION_RETRIED,
    GuardAction.CUT: dialogue_pb2.GUARD_ACTION_CUT,
    GuardAction.FELL_BACK: dialogue_pb2.GUARD_ACTION_FELL_BACK,
    GuardAction.WITHHELD: dialogue_pb2.GUARD_ACTION_WITHHELD,
}

_NOTE_KINDS = {
    NoteKind.WORLD: dialogue_pb2.NOTE_KIND_WORLD,
    NoteKind.LORE: dialogue_pb2.NOTE_KIND_LORE,
    NoteKind.MEMORY: dialogue_pb2.NOTE_KIND_MEMORY,
    NoteKind.EVENT: dialogue_pb2.NOTE_KIND_EVENT,
}


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
        notes=notes_message(event.notes) if event.notes.kept or event.notes.dropped else None,
        emotion=_emotion_message(event.emotion) if event.emotion else None,
        actions=[_action_message(event.action)] if event.action else [],
    )


def _guard_hit(hit: GuardHit) -> dialogue_pb2.GuardHit:
    return dialogue_pb2.GuardHit(rule=hit.rule, action=_GUARD_ACTIONS[hit.action])


def notes_message(told: ToldNotes) -> dialogue_pb2.Notes:
    """What a prompt carries of the notes, and what it has no room for."""
    return dialogue_pb2.Notes(
        told=map(_note, told.kept),
        left_out=map(_note, told.dropped),
        tokens=told.tokens,
        tokens_left=max(0, told.room - told.tokens),
    )


def _note(note: Note) -> dialogue_pb2.Note:
    return dialogue_pb2.Note(kind=_NOTE_KINDS[note.kind], text=note.text, source=note.source)
