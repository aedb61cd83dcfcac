import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ListMemoryRequest(_message.Message):
    __slots__ = ("session_id",)
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    def __init__(self, session_id: _Optional[str] = ...) -> None: ...

class ListMemoryResponse(_message.Message):
    __slots__ = ("player_name", "facts", "summaries")
    PLAYER_NAME_FIELD_NUMBER: _ClassVar[int]
    FACTS_FIELD_NUMBER: _ClassVar[int]
    SUMMARIES_FIELD_NUMBER: _ClassVar[int]
    player_name: str
    facts: _containers.RepeatedCompositeFieldContainer[RememberedFact]
    summaries: _containers.RepeatedCompositeFieldContainer[RememberedTalk]
    def __init__(self, player_name: _Optional[str] = ..., facts: _Optional[_Iterable[_Union[RememberedFact, _Mapping]]] = ..., summaries: _Optional[_Iterable[_Union[RememberedTalk, _Mapping]]] = ...) -> None: ...

class RememberedFact(_message.Message):
    __slots__ = ("id", "text", "topic", "turn_ids", "told_at", "overheard", "replaced")
    ID_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    TOPIC_FIELD_NUMBER: _ClassVar[int]
    TURN_IDS_FIELD_NUMBER: _ClassVar[int]
    TOLD_AT_FIELD_NUMBER: _ClassVar[int]
    OVERHEARD_FIELD_NUMBER: _ClassVar[int]
    REPLACED_FIELD_NUMBER: _ClassVar[int]
    id: str
    text: str
    topic: str
    turn_ids: _containers.RepeatedScalarFieldContainer[str]
    told_at: _timestamp_pb2.Timestamp
    overheard: bool
    replaced: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, id: _Optional[str] = ..., text: _Optional[str] = ..., topic: _Optional[str] = ..., turn_ids: _Optional[_Iterable[str]] = ..., told_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., overheard: _Optional[bool] = ..., replaced: _Optional[_Iterable[str]] = ...) -> None: ...

class RememberedTalk(_message.Message):
    __slots__ = ("id", "text", "turn_ids")
    ID_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    TURN_IDS_FIELD_NUMBER: _ClassVar[int]
    id: str
    text: str
    turn_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, id: _Optional[str] = ..., text: _Optional[str] = ..., turn_ids: _Optional[_Iterable[str]] = ...) -> None: ...

class ForgetMemoryRequest(_message.Message):
    __slots__ = ("session_id", "ids")
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    IDS_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, session_id: _Optional[str] = ..., ids: _Optional[_Iterable[str]] = ...) -> None: ...

class ForgetMemoryResponse(_message.Message):
    __slots__ = ("forgotten",)
    FORGOTTEN_FIELD_NUMBER: _ClassVar[int]
    forgotten: int
    def __init__(self, forgotten: _Optional[int] = ...) -> None: ...
