"""The native gRPC door: what happens around every call, in the form that grpc.aio wants."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import grpc
import grpc.aio

from npc_server.calls import Metadata, Reception, RefusedError, answering

if TYPE_CHECKING:  # generic in the stubs only
    Handler = grpc.RpcMethodHandler[Any, Any]
    Context = grpc.aio.ServicerContext[Any, Any]
    ServerInterceptor = grpc.aio.ServerInterceptor[Any, Any]
else:
    ServerInterceptor = grpc.aio.ServerInterceptor


class RequestInterceptor(ServerInterceptor):
    """Wraps unary, server-streaming and client-streaming handlers alike."""

    def __init__(self, reception: Reception) -> None:
        self._reception = reception

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler:
        handler = await continuation(handler_call_details)
        method = handler_call_details.method
        if handler is None or "npc.v1" not in method:
            return handler
        if handler.request_streaming:
            return grpc.stream_unary_rpc_method_handler(
                _unary(handler.stream_unary, method, self._reception),
                handler.request_deserializer,
                handler.response_serializer,
            )
        if handler.response_streaming:
            return grpc.unary_stream_rpc_method_handler(
                _stream(handler.unary_stream, method, self._reception),
                handler.request_deserializer,
                handler.response_serializer,
            )
        return grpc.unary_unary_rpc_method_handler(
            _unary(handler.unary_unary, method, self._reception),
            handler.request_deserializer,
            handler.response_serializer,
        )


@dataclass(frozen=True)
class _GrpcCall:
    """A call of grpc.aio as a CallContext."""

    method: str
    context: Context

    @property
    def metadata(self) -> Mapping[str, str | bytes]:
        return dict(self.context.invocation_metadata() or ())

    def set_trailing_metadata(self, trailing: Metadata) -> None:
        self.context.set_trailing_metadata(trailing)


def _unary(behaviour: Any, method: str, reception: Reception) -> Any:
    @functools.wraps(behaviour)
    async def answer(request: Any, context: Context) -> Any:
        try:
            async with answering(_GrpcCall(method, context), reception):
                return await behaviour(request, context)
        except RefusedError as refused:
            await context.abort(refused.code, str(refused), refused.trailing)

    return answer


def _stream(behaviour: Any, method: str, reception: Reception) -> Any:
    @functools.wraps(behaviour)
    async def answer(request: Any, context: Context) -> AsyncIterator[Any]:
        try:
            async with (
                answering(_GrpcCall(method, context), reception),
                # A client that leaves ends this generator only; the turn below must end now as
                # well, not whenever the garbage collector finds it.
                aclosing(behaviour(request, context)) as replies,
            ):
                async for reply in replies:
                    yield reply
        except RefusedError as refused:
            await context.abort(refused.code, str(refused), refused.trailing)

    return answer
