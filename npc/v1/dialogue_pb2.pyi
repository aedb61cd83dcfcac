from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class MemorySpan(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    MEMORY_SPAN_UNSPECIFIED: _ClassVar[MemorySpan]
    MEMORY_SPAN_SESSION: _ClassVar[MemorySpan]
    MEMORY_SPAN_PLAYER: _ClassVar[MemorySpan]

class ContextMode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CONTEXT_MODE_UNSPECIFIED: _ClassVar[ContextMode]
    CONTEXT_MODE_APPEND: _ClassVar[ContextMode]
    CONTEXT_MODE_REPLACE: _ClassVar[ContextMode]
    CONTEXT_MODE_RESET: _ClassVar[ContextMode]

class NoteKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    NOTE_KIND_UNSPECIFIED: _ClassVar[NoteKind]
    NOTE_KIND_WORLD: _ClassVar[NoteKind]
    NOTE_KIND_LORE: _ClassVar[NoteKind]
    NOTE_KIND_MEMORY: _ClassVar[NoteKind]
    NOTE_KIND_EVENT: _ClassVar[NoteKind]

class SilentBecause(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SILENT_BECAUSE_UNSPECIFIED: _ClassVar[SilentBecause]
    SILENT_BECAUSE_CONDITION: _ClassVar[SilentBecause]
    SILENT_BECAUSE_COOLDOWN: _ClassVar[SilentBecause]
    SILENT_BECAUSE_CHANCE: _ClassVar[SilentBecause]

class FinishReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FINISH_REASON_UNSPECIFIED: _ClassVar[FinishReason]
    FINISH_REASON_STOP: _ClassVar[FinishReason]
    FINISH_REASON_LENGTH: _ClassVar[FinishReason]
    FINISH_REASON_SENTENCES: _ClassVar[FinishReason]
    FINISH_REASON_SCRIPTED: _ClassVar[FinishReason]

class GuardAction(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    GUARD_ACTION_UNSPECIFIED: _ClassVar[GuardAction]
    GUARD_ACTION_NOTED: _ClassVar[GuardAction]
    GUARD_ACTION_ANSWERED: _ClassVar[GuardAction]
    GUARD_ACTION_RETRIED: _ClassVar[GuardAction]
    GUARD_ACTION_CUT: _ClassVar[GuardAction]
    GUARD_ACTION_FELL_BACK: _ClassVar[GuardAction]
    GUARD_ACTION_WITHHELD: _ClassVar[GuardAction]
MEMORY_SPAN_UNSPECIFIED: MemorySpan
MEMORY_SPAN_SESSION: MemorySpan
MEMORY_SPAN_PLAYER: MemorySpan
CONTEXT_MODE_UNSPECIFIED: ContextMode
CONTEXT_MODE_APPEND: ContextMode
CONTEXT_MODE_REPLACE: ContextMode
CONTEXT_MODE_RESET: ContextMode
NOTE_KIND_UNSPECIFIED: NoteKind
NOTE_KIND_WORLD: NoteKind
NOTE_KIND_LORE: NoteKind
NOTE_KIND_MEMORY: NoteKind
NOTE_KIND_EVENT: NoteKind
SILENT_BECAUSE_UNSPECIFIED: SilentBecause
SILENT_BECAUSE_CONDITION: SilentBecause
SILENT_BECAUSE_COOLDOWN: SilentBecause
SILENT_BECAUSE_CHANCE: SilentBecause
FINISH_REASON_UNSPECIFIED: FinishReason
FINISH_REASON_STOP: FinishReason
FINISH_REASON_LENGTH: FinishReason
FINISH_REASON_SENTENCES: FinishReason
FINISH_REASON_SCRIPTED: FinishReason
GUARD_ACTION_UNSPECIFIED: GuardAction
GUARD_ACTION_NOTED: GuardAction
GUARD_ACTION_ANSWERED: GuardAction
GUARD_ACTION_RETRIED: GuardAction
GUARD_ACTION_CUT: GuardAction
GUARD_ACTION_FELL_BACK: GuardAction
GUARD_ACTION_WITHHELD: GuardAction

class StartSessionRequest(_message.Message):
    __slots__ = ("character", "player_id", "training_consent", "memory", "world", "present", "seed")
    class WorldEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: WorldValue
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[WorldValue, _Mapping]] = ...) -> None: ...
    CHARACTER_FIELD_NUMBER: _ClassVar[int]
    PLAYER_ID_FIELD_NUMBER: _ClassVar[int]
    TRAINING_CONSENT_FIELD_NUMBER: _ClassVar[int]
    MEMORY_FIELD_NUMBER: _ClassVar[int]
    WORLD_FIELD_NUMBER: _ClassVar[int]
    PRESENT_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    character: str
    player_id: str
    training_consent: bool
    memory: MemorySpan
    world: _containers.MessageMap[str, WorldValue]
    present: _containers.RepeatedScalarFieldContainer[str]
    seed: int
    def __init__(self, character: _Optional[str] = ..., player_id: _Optional[str] = ..., training_consent: _Optional[bool] = ..., memory: _Optional[_Union[MemorySpan, str]] = ..., world: _Optional[_Mapping[str, WorldValue]] = ..., present: _Optional[_Iterable[str]] = ..., seed: _Optional[int] = ...) -> None: ...

class WorldValue(_message.Message):
    __slots__ = ("flag", "whole", "number", "text", "written")
    FLAG_FIELD_NUMBER: _ClassVar[int]
    WHOLE_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    WRITTEN_FIELD_NUMBER: _ClassVar[int]
    flag: bool
    whole: int
    number: float
    text: str
    written: str
    def __init__(self, flag: _Optional[bool] = ..., whole: _Optional[int] = ..., number: _Optional[float] = ..., text: _Optional[str] = ..., written: _Optional[str] = ...) -> None: ...

class StartSessionResponse(_message.Message):
    __slots__ = ("session_id", "character_name", "persona_version", "adapter_version", "greeting")
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    CHARACTER_NAME_FIELD_NUMBER: _ClassVar[int]
    PERSONA_VERSION_FIELD_NUMBER: _ClassVar[int]
    ADAPTER_VERSION_FIELD_NUMBER: _ClassVar[int]
    GREETING_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    character_name: str
    persona_version: str
    adapter_version: str
    greeting: str
    def __init__(self, session_id: _Optional[str] = ..., character_name: _Optional[str] = ..., persona_version: _Optional[str] = ..., adapter_version: _Optional[str] = ..., greeting: _Optional[str] = ...) -> None: ...

class SayRequest(_message.Message):
    __slots__ = ("session_id", "text", "seed", "sampling", "line_id", "audience", "world")
    class WorldEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: WorldValue
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[WorldValue, _Mapping]] = ...) -> None: ...
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    SAMPLING_FIELD_NUMBER: _ClassVar[int]
    LINE_ID_FIELD_NUMBER: _ClassVar[int]
    AUDIENCE_FIELD_NUMBER: _ClassVar[int]
    WORLD_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    text: str
    seed: int
    sampling: SamplingOverrides
    line_id: str
    audience: _containers.RepeatedScalarFieldContainer[str]
    world: _containers.MessageMap[str, WorldValue]
    def __init__(self, session_id: _Optional[str] = ..., text: _Optional[str] = ..., seed: _Optional[int] = ..., sampling: _Optional[_Union[SamplingOverrides, _Mapping]] = ..., line_id: _Optional[str] = ..., audience: _Optional[_Iterable[str]] = ..., world: _Optional[_Mapping[str, WorldValue]] = ...) -> None: ...

class RegenerateRequest(_message.Message):
    __slots__ = ("session_id", "turn_id", "seed", "sampling", "take_id")
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    TURN_ID_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    SAMPLING_FIELD_NUMBER: _ClassVar[int]
    TAKE_ID_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    turn_id: str
    seed: int
    sampling: SamplingOverrides
    take_id: str
    def __init__(self, session_id: _Optional[str] = ..., turn_id: _Optional[str] = ..., seed: _Optional[int] = ..., sampling: _Optional[_Union[SamplingOverrides, _Mapping]] = ..., take_id: _Optional[str] = ...) -> None: ...

class TriggerRequest(_message.Message):
    __slots__ = ("session_id", "event", "text", "verbatim", "seed", "sampling", "trigger_id", "world")
    class WorldEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: WorldValue
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[WorldValue, _Mapping]] = ...) -> None: ...
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    EVENT_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    VERBATIM_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    SAMPLING_FIELD_NUMBER: _ClassVar[int]
    TRIGGER_ID_FIELD_NUMBER: _ClassVar[int]
    WORLD_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    event: str
    text: str
    verbatim: str
    seed: int
    sampling: SamplingOverrides
    trigger_id: str
    world: _containers.MessageMap[str, WorldValue]
    def __init__(self, session_id: _Optional[str] = ..., event: _Optional[str] = ..., text: _Optional[str] = ..., verbatim: _Optional[str] = ..., seed: _Optional[int] = ..., sampling: _Optional[_Union[SamplingOverrides, _Mapping]] = ..., trigger_id: _Optional[str] = ..., world: _Optional[_Mapping[str, WorldValue]] = ...) -> None: ...

class SamplingOverrides(_message.Message):
    __slots__ = ("temperature", "top_k", "top_p", "min_p", "repeat_penalty", "dry_multiplier", "min_tokens", "max_tokens", "stop", "grammar", "json_schema", "logprobs", "max_sentences", "most_said_again")
    TEMPERATURE_FIELD_NUMBER: _ClassVar[int]
    TOP_K_FIELD_NUMBER: _ClassVar[int]
    TOP_P_FIELD_NUMBER: _ClassVar[int]
    MIN_P_FIELD_NUMBER: _ClassVar[int]
    REPEAT_PENALTY_FIELD_NUMBER: _ClassVar[int]
    DRY_MULTIPLIER_FIELD_NUMBER: _ClassVar[int]
    MIN_TOKENS_FIELD_NUMBER: _ClassVar[int]
    MAX_TOKENS_FIELD_NUMBER: _ClassVar[int]
    STOP_FIELD_NUMBER: _ClassVar[int]
    GRAMMAR_FIELD_NUMBER: _ClassVar[int]
    JSON_SCHEMA_FIELD_NUMBER: _ClassVar[int]
    LOGPROBS_FIELD_NUMBER: _ClassVar[int]
    MAX_SENTENCES_FIELD_NUMBER: _ClassVar[int]
    MOST_SAID_AGAIN_FIELD_NUMBER: _ClassVar[int]
    temperature: float
    top_k: int
    top_p: float
    min_p: float
    repeat_penalty: float
    dry_multiplier: float
    min_tokens: int
    max_tokens: int
    stop: _containers.RepeatedScalarFieldContainer[str]
    grammar: str
    json_schema: str
    logprobs: bool
    max_sentences: int
    most_said_again: float
    def __init__(self, temperature: _Optional[float] = ..., top_k: _Optional[int] = ..., top_p: _Optional[float] = ..., min_p: _Optional[float] = ..., repeat_penalty: _Optional[float] = ..., dry_multiplier: _Optional[float] = ..., min_tokens: _Optional[int] = ..., max_tokens: _Optional[int] = ..., stop: _Optional[_Iterable[str]] = ..., grammar: _Optional[str] = ..., json_schema: _Optional[str] = ..., logprobs: _Optional[bool] = ..., max_sentences: _Optional[int] = ..., most_said_again: _Optional[float] = ...) -> None: ...

class UpdateContextRequest(_message.Message):
    __slots__ = ("session_id", "mode", "notes", "world")
    class WorldEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: WorldValue
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[WorldValue, _Mapping]] = ...) -> None: ...
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    NOTES_FIELD_NUMBER: _ClassVar[int]
    WORLD_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    mode: ContextMode
    notes: _containers.RepeatedCompositeFieldContainer[ContextNote]
    world: _containers.MessageMap[str, WorldValue]
    def __init__(self, session_id: _Optional[str] = ..., mode: _Optional[_Union[ContextMode, str]] = ..., notes: _Optional[_Iterable[_Union[ContextNote, _Mapping]]] = ..., world: _Optional[_Mapping[str, WorldValue]] = ...) -> None: ...

class ContextNote(_message.Message):
    __slots__ = ("text", "priority")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    text: str
    priority: int
    def __init__(self, text: _Optional[str] = ..., priority: _Optional[int] = ...) -> None: ...

class UpdateContextResponse(_message.Message):
    __slots__ = ("notes",)
    NOTES_FIELD_NUMBER: _ClassVar[int]
    notes: Notes
    def __init__(self, notes: _Optional[_Union[Notes, _Mapping]] = ...) -> None: ...

class Notes(_message.Message):
    __slots__ = ("told", "left_out", "tokens", "tokens_left")
    TOLD_FIELD_NUMBER: _ClassVar[int]
    LEFT_OUT_FIELD_NUMBER: _ClassVar[int]
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    TOKENS_LEFT_FIELD_NUMBER: _ClassVar[int]
    told: _containers.RepeatedCompositeFieldContainer[Note]
    left_out: _containers.RepeatedCompositeFieldContainer[Note]
    tokens: int
    tokens_left: int
    def __init__(self, told: _Optional[_Iterable[_Union[Note, _Mapping]]] = ..., left_out: _Optional[_Iterable[_Union[Note, _Mapping]]] = ..., tokens: _Optional[int] = ..., tokens_left: _Optional[int] = ...) -> None: ...

class Note(_message.Message):
    __slots__ = ("kind", "text", "source")
    KIND_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    kind: NoteKind
    text: str
    source: str
    def __init__(self, kind: _Optional[_Union[NoteKind, str]] = ..., text: _Optional[str] = ..., source: _Optional[str] = ...) -> None: ...

class CheckpointRequest(_message.Message):
    __slots__ = ("session_id",)
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    def __init__(self, session_id: _Optional[str] = ...) -> None: ...

class CheckpointResponse(_message.Message):
    __slots__ = ("token", "exchanges")
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    EXCHANGES_FIELD_NUMBER: _ClassVar[int]
    token: str
    exchanges: int
    def __init__(self, token: _Optional[str] = ..., exchanges: _Optional[int] = ...) -> None: ...

class RestoreRequest(_message.Message):
    __slots__ = ("token",)
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    token: str
    def __init__(self, token: _Optional[str] = ...) -> None: ...

class RestoreResponse(_message.Message):
    __slots__ = ("session_id", "character", "character_name", "persona_version", "adapter_version", "exchanges", "greeting")
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    CHARACTER_FIELD_NUMBER: _ClassVar[int]
    CHARACTER_NAME_FIELD_NUMBER: _ClassVar[int]
    PERSONA_VERSION_FIELD_NUMBER: _ClassVar[int]
    ADAPTER_VERSION_FIELD_NUMBER: _ClassVar[int]
    EXCHANGES_FIELD_NUMBER: _ClassVar[int]
    GREETING_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    character: str
    character_name: str
    persona_version: str
    adapter_version: str
    exchanges: _containers.RepeatedCompositeFieldContainer[LivedExchange]
    greeting: str
    def __init__(self, session_id: _Optional[str] = ..., character: _Optional[str] = ..., character_name: _Optional[str] = ..., persona_version: _Optional[str] = ..., adapter_version: _Optional[str] = ..., exchanges: _Optional[_Iterable[_Union[LivedExchange, _Mapping]]] = ..., greeting: _Optional[str] = ...) -> None: ...

class LivedExchange(_message.Message):
    __slots__ = ("player_text", "reply_text", "turn_id", "interrupted", "happened")
    PLAYER_TEXT_FIELD_NUMBER: _ClassVar[int]
    REPLY_TEXT_FIELD_NUMBER: _ClassVar[int]
    TURN_ID_FIELD_NUMBER: _ClassVar[int]
    INTERRUPTED_FIELD_NUMBER: _ClassVar[int]
    HAPPENED_FIELD_NUMBER: _ClassVar[int]
    player_text: str
    reply_text: str
    turn_id: str
    interrupted: bool
    happened: str
    def __init__(self, player_text: _Optional[str] = ..., reply_text: _Optional[str] = ..., turn_id: _Optional[str] = ..., interrupted: _Optional[bool] = ..., happened: _Optional[str] = ...) -> None: ...

class EndSessionRequest(_message.Message):
    __slots__ = ("session_id",)
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    def __init__(self, session_id: _Optional[str] = ...) -> None: ...

class EndSessionResponse(_message.Message):
    __slots__ = ("turns",)
    TURNS_FIELD_NUMBER: _ClassVar[int]
    turns: int
    def __init__(self, turns: _Optional[int] = ...) -> None: ...

class ReplyEvent(_message.Message):
    __slots__ = ("started", "delta", "finished", "emotion", "action", "silence")
    STARTED_FIELD_NUMBER: _ClassVar[int]
    DELTA_FIELD_NUMBER: _ClassVar[int]
    FINISHED_FIELD_NUMBER: _ClassVar[int]
    EMOTION_FIELD_NUMBER: _ClassVar[int]
    ACTION_FIELD_NUMBER: _ClassVar[int]
    SILENCE_FIELD_NUMBER: _ClassVar[int]
    started: Started
    delta: Delta
    finished: Finished
    emotion: Emotion
    action: Action
    silence: Silence
    def __init__(self, started: _Optional[_Union[Started, _Mapping]] = ..., delta: _Optional[_Union[Delta, _Mapping]] = ..., finished: _Optional[_Union[Finished, _Mapping]] = ..., emotion: _Optional[_Union[Emotion, _Mapping]] = ..., action: _Optional[_Union[Action, _Mapping]] = ..., silence: _Optional[_Union[Silence, _Mapping]] = ...) -> None: ...

class Silence(_message.Message):
    __slots__ = ("because",)
    BECAUSE_FIELD_NUMBER: _ClassVar[int]
    because: SilentBecause
    def __init__(self, because: _Optional[_Union[SilentBecause, str]] = ...) -> None: ...

class Emotion(_message.Message):
    __slots__ = ("label", "probability")
    LABEL_FIELD_NUMBER: _ClassVar[int]
    PROBABILITY_FIELD_NUMBER: _ClassVar[int]
    label: str
    probability: float
    def __init__(self, label: _Optional[str] = ..., probability: _Optional[float] = ...) -> None: ...

class Action(_message.Message):
    __slots__ = ("name", "arguments")
    class ArgumentsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: ActionArgument
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[ActionArgument, _Mapping]] = ...) -> None: ...
    NAME_FIELD_NUMBER: _ClassVar[int]
    ARGUMENTS_FIELD_NUMBER: _ClassVar[int]
    name: str
    arguments: _containers.MessageMap[str, ActionArgument]
    def __init__(self, name: _Optional[str] = ..., arguments: _Optional[_Mapping[str, ActionArgument]] = ...) -> None: ...

class ActionArgument(_message.Message):
    __slots__ = ("text", "whole", "number", "truth")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    WHOLE_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    TRUTH_FIELD_NUMBER: _ClassVar[int]
    text: str
    whole: int
    number: float
    truth: bool
    def __init__(self, text: _Optional[str] = ..., whole: _Optional[int] = ..., number: _Optional[float] = ..., truth: _Optional[bool] = ...) -> None: ...

class ReportActionRequest(_message.Message):
    __slots__ = ("turn_id", "name", "ok", "text")
    TURN_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    OK_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    turn_id: str
    name: str
    ok: bool
    text: str
    def __init__(self, turn_id: _Optional[str] = ..., name: _Optional[str] = ..., ok: _Optional[bool] = ..., text: _Optional[str] = ...) -> None: ...

class ReportActionResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Started(_message.Message):
    __slots__ = ("turn_id", "persona_version", "adapter_version", "take", "seed")
    TURN_ID_FIELD_NUMBER: _ClassVar[int]
    PERSONA_VERSION_FIELD_NUMBER: _ClassVar[int]
    ADAPTER_VERSION_FIELD_NUMBER: _ClassVar[int]
    TAKE_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    turn_id: str
    persona_version: str
    adapter_version: str
    take: int
    seed: int
    def __init__(self, turn_id: _Optional[str] = ..., persona_version: _Optional[str] = ..., adapter_version: _Optional[str] = ..., take: _Optional[int] = ..., seed: _Optional[int] = ...) -> None: ...

class Delta(_message.Message):
    __slots__ = ("text",)
    TEXT_FIELD_NUMBER: _ClassVar[int]
    text: str
    def __init__(self, text: _Optional[str] = ...) -> None: ...

class Finished(_message.Message):
    __slots__ = ("turn_id", "text", "finish_reason", "adapter_version", "live_adapter_version", "usage", "timing", "token_logprobs", "candidates", "emotion", "actions", "notes", "guard_hits")
    TURN_ID_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    FINISH_REASON_FIELD_NUMBER: _ClassVar[int]
    ADAPTER_VERSION_FIELD_NUMBER: _ClassVar[int]
    LIVE_ADAPTER_VERSION_FIELD_NUMBER: _ClassVar[int]
    USAGE_FIELD_NUMBER: _ClassVar[int]
    TIMING_FIELD_NUMBER: _ClassVar[int]
    TOKEN_LOGPROBS_FIELD_NUMBER: _ClassVar[int]
    CANDIDATES_FIELD_NUMBER: _ClassVar[int]
    EMOTION_FIELD_NUMBER: _ClassVar[int]
    ACTIONS_FIELD_NUMBER: _ClassVar[int]
    NOTES_FIELD_NUMBER: _ClassVar[int]
    GUARD_HITS_FIELD_NUMBER: _ClassVar[int]
    turn_id: str
    text: str
    finish_reason: FinishReason
    adapter_version: str
    live_adapter_version: str
    usage: Usage
    timing: Timing
    token_logprobs: _containers.RepeatedScalarFieldContainer[float]
    candidates: int
    emotion: Emotion
    actions: _containers.RepeatedCompositeFieldContainer[Action]
    notes: Notes
    guard_hits: _containers.RepeatedCompositeFieldContainer[GuardHit]
    def __init__(self, turn_id: _Optional[str] = ..., text: _Optional[str] = ..., finish_reason: _Optional[_Union[FinishReason, str]] = ..., adapter_version: _Optional[str] = ..., live_adapter_version: _Optional[str] = ..., usage: _Optional[_Union[Usage, _Mapping]] = ..., timing: _Optional[_Union[Timing, _Mapping]] = ..., token_logprobs: _Optional[_Iterable[float]] = ..., candidates: _Optional[int] = ..., emotion: _Optional[_Union[Emotion, _Mapping]] = ..., actions: _Optional[_Iterable[_Union[Action, _Mapping]]] = ..., notes: _Optional[_Union[Notes, _Mapping]] = ..., guard_hits: _Optional[_Iterable[_Union[GuardHit, _Mapping]]] = ...) -> None: ...

class GuardHit(_message.Message):
    __slots__ = ("rule", "action")
    RULE_FIELD_NUMBER: _ClassVar[int]
    ACTION_FIELD_NUMBER: _ClassVar[int]
    rule: str
    action: GuardAction
    def __init__(self, rule: _Optional[str] = ..., action: _Optional[_Union[GuardAction, str]] = ...) -> None: ...

class Usage(_message.Message):
    __slots__ = ("prompt_tokens", "cached_tokens", "reply_tokens", "thought_tokens", "aside_tokens")
    PROMPT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    CACHED_TOKENS_FIELD_NUMBER: _ClassVar[int]
    REPLY_TOKENS_FIELD_NUMBER: _ClassVar[int]
    THOUGHT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    ASIDE_TOKENS_FIELD_NUMBER: _ClassVar[int]
    prompt_tokens: int
    cached_tokens: int
    reply_tokens: int
    thought_tokens: int
    aside_tokens: int
    def __init__(self, prompt_tokens: _Optional[int] = ..., cached_tokens: _Optional[int] = ..., reply_tokens: _Optional[int] = ..., thought_tokens: _Optional[int] = ..., aside_tokens: _Optional[int] = ...) -> None: ...

class Timing(_message.Message):
    __slots__ = ("queue_ms", "ttft_ms", "total_ms")
    QUEUE_MS_FIELD_NUMBER: _ClassVar[int]
    TTFT_MS_FIELD_NUMBER: _ClassVar[int]
    TOTAL_MS_FIELD_NUMBER: _ClassVar[int]
    queue_ms: float
    ttft_ms: float
    total_ms: float
    def __init__(self, queue_ms: _Optional[float] = ..., ttft_ms: _Optional[float] = ..., total_ms: _Optional[float] = ...) -> None: ...
