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

class Sign(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SIGN_UNSPECIFIED: _ClassVar[Sign]
    SIGN_SKIPPED: _ClassVar[Sign]
    SIGN_REPHRASED: _ClassVar[Sign]
    SIGN_CLOSED: _ClassVar[Sign]
    SIGN_LINGERED: _ClassVar[Sign]
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
SIGN_UNSPECIFIED: Sign
SIGN_SKIPPED: Sign
SIGN_REPHRASED: Sign
SIGN_CLOSED: Sign
SIGN_LINGERED: Sign

class SubmitRequest(_message.Message):
    __slots__ = ("event_id", "turn_id", "session_id", "occurred_at", "thumb", "choice", "edit", "rating", "outcome", "signal")
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    TURN_ID_FIELD_NUMBER: _ClassVar[int]
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    OCCURRED_AT_FIELD_NUMBER: _ClassVar[int]
    THUMB_FIELD_NUMBER: _ClassVar[int]
    CHOICE_FIELD_NUMBER: _ClassVar[int]
    EDIT_FIELD_NUMBER: _ClassVar[int]
    RATING_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    SIGNAL_FIELD_NUMBER: _ClassVar[int]
    event_id: str
    turn_id: str
    session_id: str
    occurred_at: _timestamp_pb2.Timestamp
    thumb: Thumb
    choice: Choice
    edit: Edit
    rating: Rating
    outcome: Outcome
    signal: Signal
    def __init__(self, event_id: _Optional[str] = ..., turn_id: _Optional[str] = ..., session_id: _Optional[str] = ..., occurred_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., thumb: _Optional[_Union[Thumb, _Mapping]] = ..., choice: _Optional[_Union[Choice, _Mapping]] = ..., edit: _Optional[_Union[Edit, _Mapping]] = ..., rating: _Optional[_Union[Rating, _Mapping]] = ..., outcome: _Optional[_Union[Outcome, _Mapping]] = ..., signal: _Optional[_Union[Signal, _Mapping]] = ...) -> None: ...

class Thumb(_message.Message):
    __slots__ = ("up", "reasons")
    UP_FIELD_NUMBER: _ClassVar[int]
    REASONS_FIELD_NUMBER: _ClassVar[int]
    up: bool
    reasons: _containers.RepeatedScalarFieldContainer[Reason]
    def __init__(self, up: _Optional[bool] = ..., reasons: _Optional[_Iterable[_Union[Reason, str]]] = ...) -> None: ...

class Choice(_message.Message):
    __slots__ = ("over_turn_ids", "kept_position")
    OVER_TURN_IDS_FIELD_NUMBER: _ClassVar[int]
    KEPT_POSITION_FIELD_NUMBER: _ClassVar[int]
    over_turn_ids: _containers.RepeatedScalarFieldContainer[str]
    kept_position: int
    def __init__(self, over_turn_ids: _Optional[_Iterable[str]] = ..., kept_position: _Optional[int] = ...) -> None: ...

class Edit(_message.Message):
    __slots__ = ("text",)
    TEXT_FIELD_NUMBER: _ClassVar[int]
    text: str
    def __init__(self, text: _Optional[str] = ...) -> None: ...

class Rating(_message.Message):
    __slots__ = ("stars",)
    STARS_FIELD_NUMBER: _ClassVar[int]
    stars: int
    def __init__(self, stars: _Optional[int] = ...) -> None: ...

class Outcome(_message.Message):
    __slots__ = ("success", "name")
    SUCCESS_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    success: bool
    name: str
    def __init__(self, success: _Optional[bool] = ..., name: _Optional[str] = ...) -> None: ...

class Signal(_message.Message):
    __slots__ = ("sign",)
    SIGN_FIELD_NUMBER: _ClassVar[int]
    sign: Sign
    def __init__(self, sign: _Optional[_Union[Sign, str]] = ...) -> None: ...

class SubmitResponse(_message.Message):
    __slots__ = ("event_id", "received_at", "duplicate")
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    RECEIVED_AT_FIELD_NUMBER: _ClassVar[int]
    DUPLICATE_FIELD_NUMBER: _ClassVar[int]
    event_id: str
    received_at: _timestamp_pb2.Timestamp
    duplicate: bool
    def __init__(self, event_id: _Optional[str] = ..., received_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., duplicate: _Optional[bool] = ...) -> None: ...

class SubmitBatchRequest(_message.Message):
    __slots__ = ("events",)
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    events: _containers.RepeatedCompositeFieldContainer[SubmitRequest]
    def __init__(self, events: _Optional[_Iterable[_Union[SubmitRequest, _Mapping]]] = ...) -> None: ...

class SubmitBatchResponse(_message.Message):
    __slots__ = ("statuses",)
    STATUSES_FIELD_NUMBER: _ClassVar[int]
    statuses: _containers.RepeatedCompositeFieldContainer[EventStatus]
    def __init__(self, statuses: _Optional[_Iterable[_Union[EventStatus, _Mapping]]] = ...) -> None: ...

class EventStatus(_message.Message):
    __slots__ = ("event_id", "code", "message", "received_at", "duplicate", "retry_after_ms")
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    RECEIVED_AT_FIELD_NUMBER: _ClassVar[int]
    DUPLICATE_FIELD_NUMBER: _ClassVar[int]
    RETRY_AFTER_MS_FIELD_NUMBER: _ClassVar[int]
    event_id: str
    code: int
    message: str
    received_at: _timestamp_pb2.Timestamp
    duplicate: bool
    retry_after_ms: int
    def __init__(self, event_id: _Optional[str] = ..., code: _Optional[int] = ..., message: _Optional[str] = ..., received_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., duplicate: _Optional[bool] = ..., retry_after_ms: _Optional[int] = ...) -> None: ...

class UndoRequest(_message.Message):
    __slots__ = ("event_id",)
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    event_id: str
    def __init__(self, event_id: _Optional[str] = ...) -> None: ...

class UndoResponse(_message.Message):
    __slots__ = ("event_id", "turn_id")
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    TURN_ID_FIELD_NUMBER: _ClassVar[int]
    event_id: str
    turn_id: str
    def __init__(self, event_id: _Optional[str] = ..., turn_id: _Optional[str] = ...) -> None: ...
