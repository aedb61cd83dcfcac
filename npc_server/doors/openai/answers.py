"""The JSON of completions, whole and in chunks, of models and of errors. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, TypeAlias

import grpc

from npc_server.calls import RETRY_AFTER_KEY, Metadata, RefusedError
from npc_server.engine.protocol import Finish, FinishReason
from npc_server.errors import UnknownCharacterError
from npc_server.reply_events import Finished
from personas.errors import PromptTooLongError
from personas.persona import Persona

JSON: TypeAlias = Mapping[str, Any]
Decode: TypeAlias = Callable[[Sequence[int]], str]

_CUT = (FinishReason.LENGTH, FinishReason.TRIMMED)
_OWNER = "troupe"

_Code = grpc.StatusCode
#: HTTP status and OpenAI's name of the kind of error.
_ERRORS: Mapping[grpc.StatusCode, tuple[int, str]] = MappingProxyType(
    {
        _Code.INVALID_ARGUMENT: (400, "invalid_request_error"),
        _Code.FAILED_PRECONDITION: (400, "invalid_request_error"),
        _Code.UNAUTHENTICATED: (401, "authentication_error"),
        _Code.PERMISSION_DENIED: (403, "permission_error"),
        _Code.NOT_FOUND: (404, "invalid_request_error"),
        _Code.ALREADY_EXISTS: (409, "invalid_request_error"),
        _Code.ABORTED: (409, "conflict_error"),
        _Code.RESOURCE_EXHAUSTED: (429, "rate_limit_error"),
        _Code.UNAVAILABLE: (503, "server_error"),
    }
)
_INTERNAL = (500, "server_error")
_CODES: Mapping[type[BaseException], str] = MappingProxyType(
    {UnknownCharacterError: "model_not_found", PromptTooLongError: "context_length_exceeded"}
)


@dataclass(frozen=True)
class Head:
    """What every part of a completion says."""

    completion_id: str
    model: str
    created: int  # seconds since 1970
    version: str  # of the adapter; "" = the bare base

    def fields(self, kind: str) -> dict[str, Any]:
        """The same as the fields of an object of this kind."""
        return {
            "id": self.completion_id,
            "object": kind,
            "created": self.created,
            "model": self.model,
            "system_fingerprint": self.version or "base",
        }


@dataclass(frozen=True)
class Refusal:
    """An HTTP response that says no."""

    status: int
    body: JSON
    headers: tuple[tuple[bytes, bytes], ...] = ()


def completion(head: Head, choices: Sequence[JSON], ended: Sequence[Finished]) -> JSON:
    """A whole completion."""
    return {**head.fields("chat.completion"), "choices": choices, "usage": usage(ended)}


def choice(number: int, ended: Finished, logprobs: JSON | None) -> JSON:
    """One take."""
    message = {"role": "assistant", "content": ended.reply.text, "refusal": None}
    return {
        "index": number,
        "message": message,
        "logprobs": logprobs,
        "finish_reason": _reason(ended),
        "turn_id": ended.turn_id,
    }


def chunk(head: Head, number: int, text: str, first: bool) -> JSON:
    """More of a take."""
    delta = {"role": "assistant", "content": text} if first else {"content": text}
    return _chunk(head, {"index": number, "delta": delta, "logprobs": None, "finish_reason": None})


def last_chunk(head: Head, number: int, ended: Finished, logprobs: JSON | None) -> JSON:
    """The end of a take."""
    return _chunk(
        head,
        {
            "index": number,
            "delta": {},
            "logprobs": logprobs,
            "finish_reason": _reason(ended),
            "turn_id": ended.turn_id,
        },
    )


def usage_chunk(head: Head, ended: Sequence[Finished]) -> JSON:
    """What all takes cost, behind the last one."""
    return {**head.fields("chat.completion.chunk"), "choices": [], "usage": usage(ended)}


def _chunk(head: Head, part: JSON) -> JSON:
    return {**head.fields("chat.completion.chunk"), "choices": [part]}


def usage(ended: Sequence[Finished]) -> JSON:
    """What takes on one line cost; their prompt counts once, as it is read once."""
    prompt = max(one.reply.prompt_tokens for one in ended)
    thought = sum(one.reply.thought_tokens for one in ended)
    drawn = sum(one.reply_tokens for one in ended) + thought
    return {
        "prompt_tokens": prompt,
        "completion_tokens": drawn,
        "total_tokens": prompt + drawn,
        "prompt_tokens_details": {"cached_tokens": ended[0].reply.cached_tokens},
        "completion_tokens_details": {"reasoning_tokens": thought},
    }


def logprobs_of(reply: Finish, decode: Decode, top: int) -> JSON:
    """The log-probability of every token. Of the others that might have been drawn none is known.

    A reply that was put together, or is sent again, has none.
    """
    content: list[JSON] = []
    shown = ""
    for number, logprob in enumerate(reply.token_logprobs[: len(reply.token_ids)]):
        text = decode(reply.token_ids[: number + 1])
        token = {"token": text[len(shown) :], "logprob": logprob, "bytes": None}
        content.append({**token, "top_logprobs": [token] if top else []})
        shown = text
    return {"content": content, "refusal": None}


def models(personas: Sequence[Persona]) -> JSON:
    """The list of who can be spoken with."""
    return {"object": "list", "data": [model(one) for one in personas]}


def model(persona: Persona) -> JSON:
    """One character."""
    return {
        "id": persona.id,
        "object": "model",
        "created": 0,
        "owned_by": _OWNER,
        "name": persona.name,
    }


def refusal_of(refused: RefusedError) -> Refusal:
    """The response to a call that is refused."""
    status, kind = _ERRORS.get(refused.code, _INTERNAL)
    code = next((c for error, c in _CODES.items() if isinstance(refused.__cause__, error)), None)
    headers = headers_of(refused.trailing)
    if wait_ms := dict(refused.trailing).get(RETRY_AFTER_KEY):
        headers.append((b"retry-after", b"%d" % -(-int(wait_ms) // 1000)))
    return Refusal(status, _error(str(refused), kind, code), tuple(headers))


def headers_of(trailing: Metadata) -> list[tuple[bytes, bytes]]:
    """What goes back beside a response."""
    return [(key.encode(), value.encode("latin-1", "replace")) for key, value in trailing]


def refusal(status: int, message: str) -> Refusal:
    """The response to what is no call of this door."""
    return Refusal(status, _error(message, "invalid_request_error", None))


def _error(message: str, kind: str, code: str | None) -> JSON:
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


def encode(body: JSON) -> bytes:
    """A body as it is sent."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def event(data: bytes) -> bytes:
    """A server-sent event."""
    return b"data: " + data + b"\n\n"


def _reason(ended: Finished) -> str:
    return "length" if ended.reply.reason in _CUT else "stop"
