"""A chat completion as clients write it, read into plain values.

Clients send fields that mean nothing here: those are passed over. Fields that would change the
reply, and that nothing here can do, are refused by name, unless they ask for nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from npc_server.errors import InvalidRequestError
from npc_server.limits import check_stop_text
from npc_server.reply_sampling import Changes

MAX_TAKES = 8  # of one line, in one call
MAX_STOPS = 16
MAX_TOP_LOGPROBS = 20

#: What none of them may ask for; a value listed with it asks for nothing.
_UNSUPPORTED: Mapping[str, tuple[object, ...]] = {
    "audio": (),
    "frequency_penalty": (0,),
    "function_call": ("none", "auto"),
    "functions": ([],),
    "logit_bias": ({}, []),
    "modalities": (["text"], []),
    "presence_penalty": (0,),
    "tool_choice": ("none", "auto"),
    "tools": ([],),
    "web_search_options": (),
}

_Read = TypeVar("_Read", bound=BaseModel)


class _Fields(BaseModel):
    model_config = ConfigDict(frozen=True, extra="allow", strict=True)


class _Part(_Fields):
    type: str
    text: str = ""


class _Message(_Fields):
    role: Literal["system", "developer", "user", "assistant"]
    content: str | list[_Part] | None = None
    name: str | None = None


class _StreamOptions(_Fields):
    include_usage: bool | None = None


class _Schema(_Fields):
    form: dict[str, Any] = Field(alias="schema")


class _ResponseFormat(_Fields):
    type: Literal["text", "json_object", "json_schema"]
    json_schema: _Schema | None = None


_Stop = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class _Completion(_Fields):
    model: str
    messages: Annotated[list[_Message], Field(min_length=1)]
    stream: bool | None = None
    stream_options: _StreamOptions | None = None
    n: Annotated[int, Field(ge=1, le=MAX_TAKES)] | None = None
    seed: int | None = None
    stop: _Stop | Annotated[list[_Stop], Field(max_length=MAX_STOPS)] | None = None
    temperature: Annotated[float, Field(ge=0, le=5)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    top_k: Annotated[int, Field(ge=0)] | None = None
    min_p: Annotated[float, Field(ge=0, le=1)] | None = None
    min_tokens: Annotated[int, Field(ge=0)] | None = None
    max_sentences: Annotated[int, Field(ge=0)] | None = None
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    max_completion_tokens: Annotated[int, Field(ge=1)] | None = None
    response_format: _ResponseFormat | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Field(ge=0, le=MAX_TOP_LOGPROBS)] | None = None
    user: str | None = None


@dataclass(frozen=True)
class Message:
    """One message of the conversation that a client sends."""

    role: Literal["system", "user", "assistant"]
    text: str
    name: str = ""


@dataclass(frozen=True)
class Completion:
    """What a client asks for."""

    model: str
    messages: tuple[Message, ...]
    changes: Changes  # to the persona's sampling
    most_tokens: int | None  # of the reply; None = as the character has it
    seed: int | None
    takes: int  # of one line
    stream: bool
    usage_in_stream: bool
    top_logprobs: int  # listed for each token
    player: str  # as the client calls them; "" = it does not

    @property
    def in_form(self) -> bool:
        """Whether the reply is to be JSON."""
        return "json_schema" in self.changes

    @property
    def logprobs(self) -> bool:
        """Whether the reply's tokens are to come with their log-probabilities."""
        return bool(self.changes.get("logprobs"))


def completion_of(body: bytes) -> Completion:
    """The completion that a body asks for. Raises InvalidRequestError, which names the field."""
    asked = read(_Completion, body)
    _refuse_unsupported(asked.model_extra or {})
    options = asked.stream_options
    return Completion(
        model=asked.model,
        messages=tuple(_message(i, one) for i, one in enumerate(asked.messages)),
        changes=_changes(asked),
        most_tokens=asked.max_completion_tokens or asked.max_tokens,
        seed=None if asked.seed is None or asked.seed < 0 else asked.seed % 2**32,
        takes=asked.n or 1,
        stream=bool(asked.stream),
        usage_in_stream=bool(options and options.include_usage),
        top_logprobs=asked.top_logprobs or 0,
        player=asked.user or "",
    )


def read(fields: type[_Read], body: bytes) -> _Read:
    """A body of JSON. Raises InvalidRequestError for the first thing that is wrong with it."""
    try:
        return fields.model_validate_json(body)
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in problem["loc"])
        raise InvalidRequestError(f"{where or 'body'}: {problem['msg']}") from error


def _refuse_unsupported(others: Mapping[str, Any]) -> None:
    for name, neutral in _UNSUPPORTED.items():
        value = others.get(name)
        if value is not None and value not in neutral:
            raise InvalidRequestError(f"{name}: is not supported; leave it out")


def _message(number: int, sent: _Message) -> Message:
    role: Any = "system" if sent.role == "developer" else sent.role
    for name in ("tool_calls", "function_call"):
        if (sent.model_extra or {}).get(name):
            raise InvalidRequestError(f"messages.{number}.{name}: is not supported")
    return Message(role, _text(number, sent.content), sent.name or "")


def _text(number: int, content: str | list[_Part] | None) -> str:
    if isinstance(content, list):
        for part in content:
            if part.type != "text":
                raise InvalidRequestError(
                    f"messages.{number}.content: {part.type[:40]!r} is not supported; send text"
                )
        return "\n".join(part.text for part in content)
    return content or ""


def _changes(asked: _Completion) -> Changes:
    """Of the persona's sampling, by field of `Sampling`."""
    stop = [asked.stop] if isinstance(asked.stop, str) else asked.stop
    wanted = {
        "temperature": asked.temperature,
        "top_p": asked.top_p,
        "top_k": asked.top_k,
        "min_p": asked.min_p,
        "min_tokens": asked.min_tokens,
        "max_sentences": asked.max_sentences,
        "stop": tuple(check_stop_text("stop", text) for text in stop) if stop else None,
        "json_schema": _form(asked.response_format),
        "logprobs": asked.logprobs or None,
    }
    return {name: value for name, value in wanted.items() if value is not None}


def _form(wanted: _ResponseFormat | None) -> str | None:
    """The JSON Schema that a reply keeps to; None = it is free."""
    if wanted is None or wanted.type == "text":
        return None
    if wanted.type == "json_object":
        return json.dumps({"type": "object"})
    if wanted.json_schema is None:
        raise InvalidRequestError("response_format.json_schema: is missing")
    return json.dumps(wanted.json_schema.form)
