"""Around every call, whichever door it came through: a request id, who may make it, errors as
statuses, a count.

The client's `x-request-id` metadata, or a fresh id, goes into every log line of the call and back
in the trailing metadata. An error raised on purpose becomes its status with its message; anything
else is logged with its trace and becomes INTERNAL with nothing but the id. Every call is counted
when it ends. Where an error tells when to try again, `retry-after-ms` says it: a busy engine, too
many events that wait, a player who sends too fast.

A door gives the call as a `CallContext`, runs the handler within `answering`, and writes a
`RefusedError` as its protocol does. A client that leaves, or whose deadline has passed, cancels the
task of its call.
"""

from __future__ import annotations

import contextvars
import logging
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Protocol

import grpc

from npc_server.errors import retry_after_ms, status_of

logger = logging.getLogger(__name__)

REQUEST_ID_KEY = "x-request-id"
RETRY_AFTER_KEY = "retry-after-ms"
Count = Callable[[str, grpc.StatusCode], None]
Metadata = tuple[tuple[str, str], ...]
request_id: contextvars.ContextVar[str] = contextvars.ContextVar("request_id", default="-")


class CallContext(Protocol):
    """One call as its door sees it."""

    @property
    def method(self) -> str:
        """The path of the RPC, such as `/npc.v1.Dialogue/Say`."""

    @property
    def metadata(self) -> Mapping[str, str | bytes]:
        """What the client sent beside the request; of a key sent twice, the last value."""

    def set_trailing_metadata(self, trailing: Metadata) -> None:
        """Have this sent back at the end of a call that is not refused."""


class RefusedError(Exception):
    """The call ends in a status other than OK; its text is for the client."""

    def __init__(self, code: grpc.StatusCode, message: str, trailing: Metadata) -> None:
        super().__init__(message)
        self.code = code
        self.trailing = trailing  # in place of the call's own


#: Lets a call in, and notes who makes it, or raises why not.
Admit = Callable[[CallContext], Awaitable[None]]


@dataclass(frozen=True)
class Reception:
    """What every call meets before its handler, and behind it."""

    count: Count
    admit: Admit


@asynccontextmanager
async def answering(context: CallContext, reception: Reception) -> AsyncIterator[None]:
    """Run the handler of a call that is let in, in the block, and count how it ends.

    Raises RefusedError for a call that is not let in, and for whatever the handler raises.
    """
    _identify(context)
    code = grpc.StatusCode.OK
    try:
        await reception.admit(context)
        yield
    except Exception as error:
        refused = _refusal(context.method, error)
        code = refused.code
        raise refused from error
    except BaseException:  # cancelled, or the stream was closed: the client left
        code = grpc.StatusCode.CANCELLED
        raise
    finally:
        reception.count(context.method, code)


def _identify(context: CallContext) -> None:
    identity = str(context.metadata.get(REQUEST_ID_KEY, "") or uuid.uuid4().hex)[:64]
    request_id.set(identity)
    context.set_trailing_metadata(((REQUEST_ID_KEY, identity),))


def _refusal(method: str, error: Exception) -> RefusedError:
    code = status_of(error)
    identity = (REQUEST_ID_KEY, request_id.get())
    if code is None or code is grpc.StatusCode.INTERNAL:
        logger.error("%s failed", method, exc_info=error)
        message = f"internal error; quote request id {request_id.get()}"
        return RefusedError(grpc.StatusCode.INTERNAL, message, (identity,))
    logger.info("%s refused: %s", method, code)
    return RefusedError(code, str(error), (identity, *_hints(error)))


def _hints(error: Exception) -> Metadata:
    if after_ms := retry_after_ms(error):
        return ((RETRY_AFTER_KEY, str(after_ms)),)
    return ()


class RequestIdFilter(logging.Filter):
    """Puts the id of the running call on every log record."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.request_id = request_id.get()
        return True
