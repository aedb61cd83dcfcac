"""Around every call: a request id, and errors as statuses.

The client's `x-request-id` metadata, or a fresh id, goes into every log line of the call and back
in the trailing metadata. An error raised on purpose becomes its status with its message; anything
else is logged with its trace and becomes INTERNAL with nothing but the id. Every call is counted
when it ends. Where an error tells when to try again, `retry-after-ms` says it: a busy engine, too
many events that wait, a player who sends too fast.
"""

from __future__ import annotations

import contextvars
import functools
import logging
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import grpc
import grpc.aio

from npc_server.errors import retry_after_ms, status_of

logger = logging.getLogger(__name__)

REQUEST_ID_KEY = "x-request-id"
RETRY_AFTER_KEY = "retry-after-ms"
Count = Callable[[str, grpc.StatusCode], None]
request_id: contextvars.ContextVar[str] = contextvars.ContextVar("request_id", default="-")

if TYPE_CHECKING:  # generic in the stubs only
    Handler = grpc.RpcMethodHandler[Any, Any]
    Context = grpc.aio.ServicerContext[Any, Any]
    ServerInterceptor = grpc.aio.ServerInterceptor[Any, Any]
else:
    ServerInterceptor = grpc.aio.ServerInterceptor


class RequestInterceptor(ServerInterceptor):
    """Wraps unary, server-streaming and client-streaming handlers alike.

    `count` gets the method and the status of every call that ends.
    """

    def __init__(self, count: Count) -> None:
        self._count = count

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
                _unary(handler.stream_unary, method, self._count),
                handler.request_deserializer,
                handler.response_serializer,
            )
        if handler.response_streaming:
            return grpc.unary_stream_rpc_method_handler(
                _stream(handler.unary_stream, method, self._count),
                handler.request_deserializer,
                handler.response_serializer,
            )
        return grpc.unary_unary_rpc_method_handler(
            _unary(handler.unary_unary, method, self._count),
            handler.request_deserializer,
            handler.response_serializer,
        )


def _unary(behaviour: Any, method: str, count: Count) -> Any:
    @functools.wraps(behaviour)
    async def answer(request: Any, context: Context) -> Any:
        _identify(context)
        try:
            with _count_call(method, count):
                return await behaviour(request, context)
        except Exception as error:
            await _abort(context, method, error)

    return answer


def _stream(behaviour: Any, method: str, count: Count) -> Any:
    @functools.wraps(behaviour)
    async def answer(request: Any, context: Context) -> AsyncIterator[Any]:
        _identify(context)
        replies = behaviour(request, context)
        try:
            with _count_call(method, count):
                async for reply in replies:
                    yield reply
        except Exception as error:
            await _abort(context, method, error)
        finally:
            # A client that leaves ends this generator only; the turn below must end now as well,
            # not whenever the garbage collector finds it.
            await replies.aclose()

    return answer


@contextmanager
def _count_call(method: str, count: Count) -> Iterator[None]:
    code = grpc.StatusCode.OK
    try:
        yield
    except Exception as error:
        code = status_of(error) or grpc.StatusCode.INTERNAL
        raise
    except BaseException:  # cancelled, or the stream was closed: the client left
        code = grpc.StatusCode.CANCELLED
        raise
    finally:
        count(method, code)


def _identify(context: Context) -> None:
    sent = dict(context.invocation_metadata() or ())
    identity = str(sent.get(REQUEST_ID_KEY, "") or uuid.uuid4().hex)[:64]
    request_id.set(identity)
    context.set_trailing_metadata(((REQUEST_ID_KEY, identity),))


async def _abort(context: Context, method: str, error: Exception) -> None:
    if isinstance(error, grpc.aio.AbortError):
        raise error
    code = status_of(error)
    if code is None or code is grpc.StatusCode.INTERNAL:
        logger.error("%s failed", method, exc_info=error)
        message = f"internal error; quote request id {request_id.get()}"
        await context.abort(grpc.StatusCode.INTERNAL, message)
    logger.info("%s refused: %s", method, code)
    await context.abort(code, str(error), _hints(error))


def _hints(error: Exception) -> tuple[tuple[str, str], ...]:
    """The trailing metadata of a refusal, which replaces that of the call."""
    identity = (REQUEST_ID_KEY, request_id.get())
    if after_ms := retry_after_ms(error):
        return identity, (RETRY_AFTER_KEY, str(after_ms))
    return (identity,)


class RequestIdFilter(logging.Filter):
    """Puts the id of the running call on every log record."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.request_id = request_id.get()
        return True
