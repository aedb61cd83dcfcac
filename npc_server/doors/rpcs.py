"""The RPCs over HTTP: Connect, in binary and in JSON, and gRPC-Web, as connectrpc speaks them.

Whatever the contract declares is here, because the endpoints are made of its descriptors; the
handlers are those of the native door, and what happens around a call is the same.
"""

from __future__ import annotations

import binascii
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import grpc
from connectrpc.code import Code
from connectrpc.compat import google_protobuf_binary_codec
from connectrpc.errors import ConnectError
from connectrpc.method import IdempotencyLevel, MethodInfo, StreamType
from connectrpc.request import RequestContext
from connectrpc.server import ConnectASGIApplication, Endpoint
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.json_format import MessageToJson, Parse
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from npc_server.calls import Metadata, Reception, RefusedError, answering
from npc_server.contract import Service

#: Of one message, as the native door has it.
MAX_MESSAGE_BYTES = 4 * 1024 * 1024

Context = RequestContext[Any, Any]
_BINARY_SUFFIX = "-bin"


class Rpcs(ConnectASGIApplication[None]):
    """The ASGI application."""

    path = ""

    def __init__(self, services: Iterable[Service], reception: Reception) -> None:
        made = {
            f"/{service.descriptor.full_name}/{method.name}": _endpoint(service, method, reception)
            for service in services
            for method in service.descriptor.methods
        }
        super().__init__(
            service=None,
            endpoints=lambda _: made,
            read_max_bytes=MAX_MESSAGE_BYTES,
            codecs=(google_protobuf_binary_codec(), _Json()),
        )


class _Json:
    """Messages as JSON, on one line. People write it by hand, so unknown fields are mistakes."""

    def name(self) -> str:
        return "json"

    def encode(self, message: Message) -> bytes:
        return MessageToJson(message, indent=None).encode()

    def decode(self, data: bytes | bytearray, message_class: type[Message]) -> Message:
        return Parse(bytes(data), message_class())


@dataclass(frozen=True)
class _HttpCall:
    """A call of connectrpc as a CallContext."""

    method: str
    context: Context

    @property
    def metadata(self) -> Mapping[str, str | bytes]:
        return {key: _value(key, text) for key, text in self.context.request_headers.items()}

    def set_trailing_metadata(self, trailing: Metadata) -> None:
        self.context.response_trailers.clear()
        self.context.response_trailers.update(trailing)


def _value(key: str, text: str) -> str | bytes:
    if not key.endswith(_BINARY_SUFFIX):
        return text
    try:
        return binascii.a2b_base64(text + "==")
    except binascii.Error as error:
        raise ConnectError(Code.INVALID_ARGUMENT, f"header {key} is not base64") from error


def _endpoint(service: Service, method: MethodDescriptor, reception: Reception) -> Any:
    name = f"/{service.descriptor.full_name}/{method.name}"
    handler = getattr(service.servicer, method.name)
    make, wrap, kind = _KINDS[method.client_streaming, method.server_streaming]
    info = MethodInfo(
        name=method.name,
        service_name=service.descriptor.full_name,
        input=GetMessageClass(method.input_type),
        output=GetMessageClass(method.output_type),
        # So that every call is a POST, for which a browser asks first.
        idempotency_level=IdempotencyLevel.UNKNOWN,
        stream_type=kind,
    )
    return make(method=info, function=wrap(handler, name, reception))


def _unary(handler: Any, name: str, reception: Reception) -> Any:
    async def answer(request: Any, context: Context) -> Any:
        call = _HttpCall(name, context)
        try:
            async with answering(call, reception):
                return await handler(request, call)
        except RefusedError as refused:
            raise _error(call, refused) from refused

    return answer


def _stream(handler: Any, name: str, reception: Reception) -> Any:
    async def answer(request: Any, context: Context) -> AsyncIterator[Any]:
        call = _HttpCall(name, context)
        try:
            # A client that leaves must end the turn below now.
            async with answering(call, reception), aclosing(handler(request, call)) as replies:
                async for reply in replies:
                    yield reply
        except RefusedError as refused:
            raise _error(call, refused) from refused

    return answer


def _error(call: _HttpCall, refused: RefusedError) -> ConnectError:
    call.set_trailing_metadata(refused.trailing)
    return ConnectError(_code(refused.code), str(refused))


def _code(code: grpc.StatusCode) -> Code:
    return Code.CANCELED if code is grpc.StatusCode.CANCELLED else Code[code.name]


#: By whether the client and whether the server streams. No RPC has both.
_KINDS: dict[tuple[bool, bool], tuple[Callable[..., Any], Callable[..., Any], StreamType]] = {
    (False, False): (Endpoint.unary, _unary, StreamType.UNARY),
    (True, False): (Endpoint.client_stream, _unary, StreamType.CLIENT_STREAM),
    (False, True): (Endpoint.server_stream, _stream, StreamType.SERVER_STREAM),
}
