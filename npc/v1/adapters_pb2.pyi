import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Batching(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    BATCHING_UNSPECIFIED: _ClassVar[Batching]
    BATCHING_MIXED: _ClassVar[Batching]
    BATCHING_GROUPED: _ClassVar[Batching]
BATCHING_UNSPECIFIED: Batching
BATCHING_MIXED: Batching
BATCHING_GROUPED: Batching

class ListAdaptersRequest(_message.Message):
    __slots__ = ("character",)
    CHARACTER_FIELD_NUMBER: _ClassVar[int]
    character: str
    def __init__(self, character: _Optional[str] = ...) -> None: ...

class ListAdaptersResponse(_message.Message):
    __slots__ = ("characters",)
    CHARACTERS_FIELD_NUMBER: _ClassVar[int]
    characters: _containers.RepeatedCompositeFieldContainer[CharacterAdapters]
    def __init__(self, characters: _Optional[_Iterable[_Union[CharacterAdapters, _Mapping]]] = ...) -> None: ...

class CharacterAdapters(_message.Message):
    __slots__ = ("character", "live_version", "versions", "problem")
    CHARACTER_FIELD_NUMBER: _ClassVar[int]
    LIVE_VERSION_FIELD_NUMBER: _ClassVar[int]
    VERSIONS_FIELD_NUMBER: _ClassVar[int]
    PROBLEM_FIELD_NUMBER: _ClassVar[int]
    character: str
    live_version: str
    versions: _containers.RepeatedCompositeFieldContainer[AdapterVersion]
    problem: str
    def __init__(self, character: _Optional[str] = ..., live_version: _Optional[str] = ..., versions: _Optional[_Iterable[_Union[AdapterVersion, _Mapping]]] = ..., problem: _Optional[str] = ...) -> None: ...

class AdapterVersion(_message.Message):
    __slots__ = ("version", "parent", "method", "created_at", "running_turns")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    PARENT_FIELD_NUMBER: _ClassVar[int]
    METHOD_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    RUNNING_TURNS_FIELD_NUMBER: _ClassVar[int]
    version: str
    parent: str
    method: str
    created_at: _timestamp_pb2.Timestamp
    running_turns: int
    def __init__(self, version: _Optional[str] = ..., parent: _Optional[str] = ..., method: _Optional[str] = ..., created_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., running_turns: _Optional[int] = ...) -> None: ...

class PromoteRequest(_message.Message):
    __slots__ = ("character", "version")
    CHARACTER_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    character: str
    version: str
    def __init__(self, character: _Optional[str] = ..., version: _Optional[str] = ...) -> None: ...

class PromoteResponse(_message.Message):
    __slots__ = ("live_version", "previous_version")
    LIVE_VERSION_FIELD_NUMBER: _ClassVar[int]
    PREVIOUS_VERSION_FIELD_NUMBER: _ClassVar[int]
    live_version: str
    previous_version: str
    def __init__(self, live_version: _Optional[str] = ..., previous_version: _Optional[str] = ...) -> None: ...

class RollbackRequest(_message.Message):
    __slots__ = ("character",)
    CHARACTER_FIELD_NUMBER: _ClassVar[int]
    character: str
    def __init__(self, character: _Optional[str] = ...) -> None: ...

class RollbackResponse(_message.Message):
    __slots__ = ("live_version", "previous_version")
    LIVE_VERSION_FIELD_NUMBER: _ClassVar[int]
    PREVIOUS_VERSION_FIELD_NUMBER: _ClassVar[int]
    live_version: str
    previous_version: str
    def __init__(self, live_version: _Optional[str] = ..., previous_version: _Optional[str] = ...) -> None: ...

class StatsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Histogram(_message.Message):
    __slots__ = ("bounds", "counts", "sum")
    BOUNDS_FIELD_NUMBER: _ClassVar[int]
    COUNTS_FIELD_NUMBER: _ClassVar[int]
    SUM_FIELD_NUMBER: _ClassVar[int]
    bounds: _containers.RepeatedScalarFieldContainer[float]
    counts: _containers.RepeatedScalarFieldContainer[int]
    sum: float
    def __init__(self, bounds: _Optional[_Iterable[float]] = ..., counts: _Optional[_Iterable[int]] = ..., sum: _Optional[float] = ...) -> None: ...

class StatsResponse(_message.Message):
    __slots__ = ("batching", "batching_reason", "running", "waiting", "sequences", "adapters", "adapter_bytes", "cache_entries", "cache_bytes", "steps", "slot_hits", "slot_loads", "kv_moves", "prompt_tokens", "cached_tokens", "generated_tokens", "turns", "rejected", "step_ms", "adapters_per_step", "queue_ms", "ttft_ms", "tokens_per_s", "adapter_load_ms")
    BATCHING_FIELD_NUMBER: _ClassVar[int]
    BATCHING_REASON_FIELD_NUMBER: _ClassVar[int]
    RUNNING_FIELD_NUMBER: _ClassVar[int]
    WAITING_FIELD_NUMBER: _ClassVar[int]
    SEQUENCES_FIELD_NUMBER: _ClassVar[int]
    ADAPTERS_FIELD_NUMBER: _ClassVar[int]
    ADAPTER_BYTES_FIELD_NUMBER: _ClassVar[int]
    CACHE_ENTRIES_FIELD_NUMBER: _ClassVar[int]
    CACHE_BYTES_FIELD_NUMBER: _ClassVar[int]
    STEPS_FIELD_NUMBER: _ClassVar[int]
    SLOT_HITS_FIELD_NUMBER: _ClassVar[int]
    SLOT_LOADS_FIELD_NUMBER: _ClassVar[int]
    KV_MOVES_FIELD_NUMBER: _ClassVar[int]
    PROMPT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    CACHED_TOKENS_FIELD_NUMBER: _ClassVar[int]
    GENERATED_TOKENS_FIELD_NUMBER: _ClassVar[int]
    TURNS_FIELD_NUMBER: _ClassVar[int]
    REJECTED_FIELD_NUMBER: _ClassVar[int]
    STEP_MS_FIELD_NUMBER: _ClassVar[int]
    ADAPTERS_PER_STEP_FIELD_NUMBER: _ClassVar[int]
    QUEUE_MS_FIELD_NUMBER: _ClassVar[int]
    TTFT_MS_FIELD_NUMBER: _ClassVar[int]
    TOKENS_PER_S_FIELD_NUMBER: _ClassVar[int]
    ADAPTER_LOAD_MS_FIELD_NUMBER: _ClassVar[int]
    batching: Batching
    batching_reason: str
    running: int
    waiting: int
    sequences: int
    adapters: _containers.RepeatedScalarFieldContainer[str]
    adapter_bytes: int
    cache_entries: int
    cache_bytes: int
    steps: int
    slot_hits: int
    slot_loads: int
    kv_moves: int
    prompt_tokens: int
    cached_tokens: int
    generated_tokens: int
    turns: int
    rejected: int
    step_ms: Histogram
    adapters_per_step: Histogram
    queue_ms: Histogram
    ttft_ms: Histogram
    tokens_per_s: Histogram
    adapter_load_ms: Histogram
    def __init__(self, batching: _Optional[_Union[Batching, str]] = ..., batching_reason: _Optional[str] = ..., running: _Optional[int] = ..., waiting: _Optional[int] = ..., sequences: _Optional[int] = ..., adapters: _Optional[_Iterable[str]] = ..., adapter_bytes: _Optional[int] = ..., cache_entries: _Optional[int] = ..., cache_bytes: _Optional[int] = ..., steps: _Optional[int] = ..., slot_hits: _Optional[int] = ..., slot_loads: _Optional[int] = ..., kv_moves: _Optional[int] = ..., prompt_tokens: _Optional[int] = ..., cached_tokens: _Optional[int] = ..., generated_tokens: _Optional[int] = ..., turns: _Optional[int] = ..., rejected: _Optional[int] = ..., step_ms: _Optional[_Union[Histogram, _Mapping]] = ..., adapters_per_step: _Optional[_Union[Histogram, _Mapping]] = ..., queue_ms: _Optional[_Union[Histogram, _Mapping]] = ..., ttft_ms: _Optional[_Union[Histogram, _Mapping]] = ..., tokens_per_s: _Optional[_Union[Histogram, _Mapping]] = ..., adapter_load_ms: _Optional[_Union[Histogram, _Mapping]] = ...) -> None: ...
