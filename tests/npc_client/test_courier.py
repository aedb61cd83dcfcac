"""Events that the server asks to send later: sent later, in their order, and not for ever."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator

import grpc
import grpc.aio
import pytest

from npc.v1 import feedback_pb2
from npc_client import courier
from npc_client.courier import Courier, pause_s

EXHAUSTED, UNAVAILABLE = grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.UNAVAILABLE


def refusal(code: grpc.StatusCode, after_ms: int = 0) -> grpc.aio.AioRpcError:
    """What a call ends with that the server refused."""
    hints = [("x-request-id", "r1"), *([("retry-after-ms", str(after_ms))] if after_ms else [])]
    return grpc.aio.AioRpcError(code, grpc.aio.Metadata(), grpc.aio.Metadata(*hints), "not now", "")


class Server:
    """Takes events as its answers say: a refusal, or None for a stored one; then all."""

    def __init__(self, *answers: grpc.aio.AioRpcError | None) -> None:
        self._answers: Iterator[grpc.aio.AioRpcError | None] = iter(answers)
        self.asked: list[str] = []
        self.stored: list[str] = []

    async def submit(self, event: feedback_pb2.SubmitRequest) -> feedback_pb2.SubmitResponse:
        self.asked.append(event.event_id)
        if answer := next(self._answers, None):
            raise answer
        self.stored.append(event.event_id)
        return feedback_pb2.SubmitResponse(event_id=event.event_id)


def event(name: str, turn_id: str = "t1") -> feedback_pb2.SubmitRequest:
    """An event under that id."""
    return feedback_pb2.SubmitRequest(event_id=name, turn_id=turn_id)


async def test_a_refused_event_is_sent_again_under_its_id() -> None:
    server = Server(refusal(EXHAUSTED, 1), refusal(UNAVAILABLE, 1))
    answer = await Courier(server.submit).send(event("e1"))
    assert (answer.event_id, server.asked, server.stored) == ("e1", ["e1"] * 3, ["e1"])


async def test_later_events_about_the_turn_follow_the_refused_one_in_their_order() -> None:
    server = Server(refusal(EXHAUSTED, 1), refusal(EXHAUSTED, 1))
    one, names = Courier(server.submit), ["e1", "e2", "e3"]
    await asyncio.gather(*(one.send(event(name)) for name in names))
    assert server.stored == names


async def test_events_about_another_turn_do_not_wait() -> None:
    server = Server(refusal(EXHAUSTED, 30_000))
    one = Courier(server.submit)
    waiting = asyncio.create_task(one.send(event("e1")))
    while not server.asked:
        await asyncio.sleep(0)
    await one.send(event("e2", turn_id="t2"))
    assert (server.stored, waiting.done()) == (["e2"], False)
    waiting.cancel()


@pytest.mark.parametrize(
    "code", [EXHAUSTED, UNAVAILABLE, grpc.StatusCode.NOT_FOUND, grpc.StatusCode.INVALID_ARGUMENT]
)
async def test_a_refusal_that_names_no_time_is_raised(code: grpc.StatusCode) -> None:
    server = Server(refusal(code))
    with pytest.raises(grpc.aio.AioRpcError):
        await Courier(server.submit).send(event("e1"))
    assert server.asked == ["e1"]


async def test_who_waits_too_long_gets_the_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(courier, "PATIENCE_S", 0.05)
    server = Server(*[refusal(EXHAUSTED, 10)] * 99)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await Courier(server.submit).send(event("e1"))
    assert (caught.value.code(), len(server.asked) < 5) == (EXHAUSTED, True)


async def test_after_a_refusal_for_good_the_next_event_is_sent() -> None:
    server = Server(refusal(EXHAUSTED, 1), refusal(grpc.StatusCode.NOT_FOUND))
    one = Courier(server.submit)
    with pytest.raises(grpc.aio.AioRpcError):
        await one.send(event("e1"))
    await one.send(event("e2"))
    assert server.stored == ["e2"]


@pytest.mark.parametrize(
    ("made", "pauses", "draw", "expected"),
    [
        pytest.param(lambda: refusal(EXHAUSTED, 800), 0, 0.0, 0.8, id="as-asked"),
        pytest.param(lambda: refusal(EXHAUSTED, 800), 0, 1.0, 1.2, id="scattered"),
        pytest.param(lambda: refusal(EXHAUSTED, 800), 3, 0.0, 6.4, id="longer-each-time"),
        pytest.param(lambda: refusal(EXHAUSTED, 800), 20, 0.0, 15.0, id="at-most"),
        pytest.param(lambda: refusal(UNAVAILABLE), 0, 0.0, None, id="no-server"),
    ],
)
def test_the_pause_before_the_next_try(
    made: Callable[[], grpc.aio.AioRpcError], pauses: int, draw: float, expected: float | None
) -> None:
    assert pause_s(made(), pauses, draw) == (expected and pytest.approx(expected))
