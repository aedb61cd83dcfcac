import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Reason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    REASON_UNSPECIFIED: _ClassVar[Reason]
    REASON_IRRELEVANT: _ClassVar[Reason]
    REASON_UNSAFE: _ClassVar[Reason]
    REASON_UNTRUE: _ClassVar[Reason]
    REASON_WRONG_KNOWLEDGE: _ClassVar[Reason]
    REASON_UNEXPECTED_ACTION: _ClassVar[Reason]
    REASON_REPETITION: _ClassVar[Reason]
    REASON_OUT_OF_CHARACTER: _ClassVar[Reason]
    REASON_TOO_LONG: _ClassVar[Reason]
    REASON_BORING: _ClassVar[Reason]
REASON_UNSPECIFIED: Reason
REASON_IRRELEVANT: Reason
REASON_UNSAFE: Reason
REASON_UNTRUE: Reason
REASON_WRONG_KNOWLEDGE: Reason
REASON_UNEXPECTED_ACTION: Reason
REASON_REPETITION: Reason
REASON_OUT_OF_CHARACTER: Reason
REASON_TOO_LONG: Reason
REASON_BORING: Reason

class SubmitRequest(_message.Message):
    __slots__ = ("event_id", "turn_id", "thumb", "choice", "edit")
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    TURN_ID_FIELD_NUMBER: _ClassVar[int]
    THUMB_FIELD_NUMBER: _ClassVar[int]
    CHOICE_FIELD_NUMBER: _ClassVar[int]
    EDIT_FIELD_NUMBER: _ClassVar[int]
    event_id: str
    turn_id: str
    thumb: Thumb
    choice: Choice
    edit: Edit
    def __init__(self, event_id: _Optional[str] = ..., turn_id: _Optional[str] = ..., thumb: _Optional[_Union[Thumb, _Mapping]] = ..., choice: _Optional[_Union[Choice, _Mapping]] = ..., edit: _Optional[_Union[Edit, _Mapping]] = ...) -> None: ...

class Thumb(_message.Message):
    __slots__ = ("up", "reasons")
    UP_FIELD_NUMBER: _ClassVar[int]
    REASONS_FIELD_NUMBER: _ClassVar[int]
    up: bool
    reasons: _containers.RepeatedScalarFieldContainer[Reason]
    def __init__(self, up: _Optional[bool] = ..., reasons: _Optional[_Iterable[_Union[Reason, str]]] = ...) -> None: ...

class Choice(_message.Message):
    __slots__ = ("over_turn_ids",)
    OVER_TURN_IDS_FIELD_NUMBER: _ClassVar[int]
    over_turn_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, over_turn_ids: _Optional[_Iterable[str]] = ...) -> None: ...

class Edit(_message.Message):
    __slots__ = ("text",)
    TEXT_FIELD_NUMBER: _ClassVar[int]
    text: str
    def __init__(self, text: _Optional[str] = ...) -> None: ...

class SubmitResponse(_message.Message):
    __slots__ = ("event_id", "received_at", "duplicate")
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    RECEIVED_AT_FIELD_NUMBER: _ClassVar[int]
    DUPLICATE_FIELD_NUMBER: _ClassVar[int]
    event_id: str
    received_at: _timestamp_pb2.Timestamp
    duplicate: bool
    def __init__(self, event_id: _Optional[str] = ..., received_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., duplicate: _Optional[bool] = ...) -> None: ...
