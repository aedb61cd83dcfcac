import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ListPersonasRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListPersonasResponse(_message.Message):
    __slots__ = ("personas",)
    PERSONAS_FIELD_NUMBER: _ClassVar[int]
    personas: _containers.RepeatedCompositeFieldContainer[PersonaSummary]
    def __init__(self, personas: _Optional[_Iterable[_Union[PersonaSummary, _Mapping]]] = ...) -> None: ...

class PersonaSummary(_message.Message):
    __slots__ = ("character", "name", "role", "language", "version")
    CHARACTER_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    LANGUAGE_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    character: str
    name: str
    role: str
    language: str
    version: str
    def __init__(self, character: _Optional[str] = ..., name: _Optional[str] = ..., role: _Optional[str] = ..., language: _Optional[str] = ..., version: _Optional[str] = ...) -> None: ...

class GetPersonaRequest(_message.Message):
    __slots__ = ("character",)
    CHARACTER_FIELD_NUMBER: _ClassVar[int]
    character: str
    def __init__(self, character: _Optional[str] = ...) -> None: ...

class GetPersonaResponse(_message.Message):
    __slots__ = ("summary", "system_text", "cost", "files")
    class FilesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    SUMMARY_FIELD_NUMBER: _ClassVar[int]
    SYSTEM_TEXT_FIELD_NUMBER: _ClassVar[int]
    COST_FIELD_NUMBER: _ClassVar[int]
    FILES_FIELD_NUMBER: _ClassVar[int]
    summary: PersonaSummary
    system_text: str
    cost: PromptCost
    files: _containers.ScalarMap[str, str]
    def __init__(self, summary: _Optional[_Union[PersonaSummary, _Mapping]] = ..., system_text: _Optional[str] = ..., cost: _Optional[_Union[PromptCost, _Mapping]] = ..., files: _Optional[_Mapping[str, str]] = ...) -> None: ...

class PromptCost(_message.Message):
    __slots__ = ("parts", "opening_tokens", "reply_tokens", "context_tokens", "history_tokens")
    PARTS_FIELD_NUMBER: _ClassVar[int]
    OPENING_TOKENS_FIELD_NUMBER: _ClassVar[int]
    REPLY_TOKENS_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    HISTORY_TOKENS_FIELD_NUMBER: _ClassVar[int]
    parts: _containers.RepeatedCompositeFieldContainer[PromptPart]
    opening_tokens: int
    reply_tokens: int
    context_tokens: int
    history_tokens: int
    def __init__(self, parts: _Optional[_Iterable[_Union[PromptPart, _Mapping]]] = ..., opening_tokens: _Optional[int] = ..., reply_tokens: _Optional[int] = ..., context_tokens: _Optional[int] = ..., history_tokens: _Optional[int] = ...) -> None: ...

class PromptPart(_message.Message):
    __slots__ = ("name", "tokens")
    NAME_FIELD_NUMBER: _ClassVar[int]
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    name: str
    tokens: int
    def __init__(self, name: _Optional[str] = ..., tokens: _Optional[int] = ...) -> None: ...

class ValidatePersonaRequest(_message.Message):
    __slots__ = ("character", "files")
    class FilesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    CHARACTER_FIELD_NUMBER: _ClassVar[int]
    FILES_FIELD_NUMBER: _ClassVar[int]
    character: str
    files: _containers.ScalarMap[str, str]
    def __init__(self, character: _Optional[str] = ..., files: _Optional[_Mapping[str, str]] = ...) -> None: ...

class ValidatePersonaResponse(_message.Message):
    __slots__ = ("problems", "version", "cost")
    PROBLEMS_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    COST_FIELD_NUMBER: _ClassVar[int]
    problems: _containers.RepeatedCompositeFieldContainer[PersonaProblem]
    version: str
    cost: PromptCost
    def __init__(self, problems: _Optional[_Iterable[_Union[PersonaProblem, _Mapping]]] = ..., version: _Optional[str] = ..., cost: _Optional[_Union[PromptCost, _Mapping]] = ...) -> None: ...

class PersonaProblem(_message.Message):
    __slots__ = ("file", "line", "column", "field", "what")
    FILE_FIELD_NUMBER: _ClassVar[int]
    LINE_FIELD_NUMBER: _ClassVar[int]
    COLUMN_FIELD_NUMBER: _ClassVar[int]
    FIELD_FIELD_NUMBER: _ClassVar[int]
    WHAT_FIELD_NUMBER: _ClassVar[int]
    file: str
    line: int
    column: int
    field: str
    what: str
    def __init__(self, file: _Optional[str] = ..., line: _Optional[int] = ..., column: _Optional[int] = ..., field: _Optional[str] = ..., what: _Optional[str] = ...) -> None: ...

class PersonaStatusRequest(_message.Message):
    __slots__ = ("character",)
    CHARACTER_FIELD_NUMBER: _ClassVar[int]
    character: str
    def __init__(self, character: _Optional[str] = ...) -> None: ...

class PersonaStatusResponse(_message.Message):
    __slots__ = ("personas", "folder_problem", "folder", "watch")
    PERSONAS_FIELD_NUMBER: _ClassVar[int]
    FOLDER_PROBLEM_FIELD_NUMBER: _ClassVar[int]
    FOLDER_FIELD_NUMBER: _ClassVar[int]
    WATCH_FIELD_NUMBER: _ClassVar[int]
    personas: _containers.RepeatedCompositeFieldContainer[PersonaStanding]
    folder_problem: str
    folder: str
    watch: str
    def __init__(self, personas: _Optional[_Iterable[_Union[PersonaStanding, _Mapping]]] = ..., folder_problem: _Optional[str] = ..., folder: _Optional[str] = ..., watch: _Optional[str] = ...) -> None: ...

class PersonaStanding(_message.Message):
    __slots__ = ("character", "version", "since", "problems")
    CHARACTER_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    SINCE_FIELD_NUMBER: _ClassVar[int]
    PROBLEMS_FIELD_NUMBER: _ClassVar[int]
    character: str
    version: str
    since: _timestamp_pb2.Timestamp
    problems: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, character: _Optional[str] = ..., version: _Optional[str] = ..., since: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., problems: _Optional[_Iterable[str]] = ...) -> None: ...
