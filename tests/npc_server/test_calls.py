"""What happens around every call."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

import grpc
import pytest

from npc_server.calls import CallContext, Metadata, Reception, RefusedError, answering, request_id
from npc_server.engine.errors import EngineBusyError
from npc_server.errors import UnauthenticatedError, UnknownSessionError

METHOD = "/npc.v1.Dialogue/Say"
NAMED: Mapping[str, str | bytes] = {"x-request-id": "game-7"}


@dataclass
class Door:
    """A door that notes what it is told."""

    metadata: Mapping[str, str | bytes] = field(default_factory=dict)
    method: str = METHOD
    trailing: Metadata = ()
    refuses: Exception | None = None  # to let calls in
    counted: list[tuple[str, grpc.StatusCode]] = field(default_factory=list)

    def set_trailing_metadata(self, trailing: Metadata) -> None:
        self.trailing = trailing

    def count(self, method: str, code: grpc.StatusCode) -> None:
        self.counted.append((method, code))

    async def admit(self, context: CallContext) -> None:
        assert context is self
        if self.refuses:
            raise self.refuses

    async def call(self, raised: BaseException | None = None) -> None:
        """One call whose handler does nothing, or raises."""
        async with answering(self, Reception(self.count, self.admit)):
            if raised:
                raise raised


async def refused(door: Door, raised: Exception) -> RefusedError:
    with pytest.raises(RefusedError) as caught:
        await door.call(raised)
    return caught.value


async def test_the_id_a_client_sent_goes_into_logs_and_back() -> None:
    door = Door(NAMED)
    await door.call()
    assert (request_id.get(), door.trailing) == ("game-7", (("x-request-id", "game-7"),))


async def test_a_call_without_an_id_gets_one() -> None:
    door = Door()
    await door.call()
    assert len(dict(door.trailing)["x-request-id"]) == 32


async def test_an_error_raised_on_purpose_becomes_its_status_with_its_message() -> None:
    refusal = await refused(Door(NAMED), UnknownSessionError("no session 's1'"))
    assert (refusal.code, str(refusal)) == (grpc.StatusCode.NOT_FOUND, "no session 's1'")


async def test_an_unexpected_error_shows_its_request_id_alone() -> None:
    refusal = await refused(Door(NAMED), RuntimeError("/secret/path"))
    told = (refusal.code, str(refusal))
    assert told == (grpc.StatusCode.INTERNAL, "internal error; quote request id game-7")


async def test_a_refusal_tells_when_to_try_again() -> None:
    refusal = await refused(Door(NAMED), EngineBusyError("busy", 1.5))
    assert refusal.trailing == (("x-request-id", "game-7"), ("retry-after-ms", "1500"))


async def test_a_call_that_is_not_let_in_never_meets_its_handler() -> None:
    refusal = await refused(Door(refuses=UnauthenticatedError("no key")), ZeroDivisionError())
    assert (refusal.code, str(refusal)) == (grpc.StatusCode.UNAUTHENTICATED, "no key")


async def test_calls_are_counted_by_how_they_ended() -> None:
    door = Door()
    await door.call()
    await refused(door, UnknownSessionError("no session 's1'"))
    with pytest.raises(asyncio.CancelledError):
        await door.call(asyncio.CancelledError())
    codes = [grpc.StatusCode.OK, grpc.StatusCode.NOT_FOUND, grpc.StatusCode.CANCELLED]
    assert door.counted == [(METHOD, code) for code in codes]
