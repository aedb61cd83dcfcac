"""While characters speak, events wait a little, and nothing is lost; what steers goes at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import grpc.aio
import pytest

from npc.v1 import feedback_pb2_grpc
from npc_server import event_queue
from tests.support.calls import a_turn, thumbs
from tests.support.interruptions import begin, opened, stub_of
from tests.support.scripted_server import Stage, StageMaker

pytestmark = pytest.mark.service

NEVER_S = 3600.0


@asynccontextmanager
async def speech(stage: Stage) -> AsyncIterator[None]:
    """Somebody is being answered for the length of the block."""
    session = await opened(stage)
    stage.engine.gate.clear()
    async with stub_of(stage) as stub:
        call, _ = await begin(stub, session, "Tell me all.")
        yield
        call.cancel()
    stage.engine.gate.set()


async def test_an_event_is_answered_while_somebody_speaks(stage: StageMaker) -> None:
    made = await stage()
    turn_id = await a_turn(made)
    async with speech(made):
        await made.client.thumb(turn_id, up=True)
        assert len(made.store.events("mira")) == 1


async def test_many_single_events_share_a_write(stage: StageMaker) -> None:
    made = await stage()
    turn_id = await a_turn(made)
    names = [f"e{number}" for number in range(20)]
    async with speech(made), grpc.aio.insecure_channel(made.client.address) as channel:
        stub = feedback_pb2_grpc.FeedbackStub(channel)
        answers = await asyncio.gather(*map(stub.Submit, thumbs(turn_id, *names)))
    assert [answer.event_id for answer in answers] == names
    assert len({answer.received_at.ToNanoseconds() for answer in answers}) < len(names)


async def test_a_correction_of_an_open_conversation_does_not_wait(
    stage: StageMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_queue, "LOOK_EVERY_S", NEVER_S)
    made = await stage()
    turn_id = await a_turn(made)
    async with speech(made), asyncio.timeout(10):
        event_id = await made.client.edit(turn_id, "By noon, stranger.")
        await made.client.undo(event_id)


async def test_what_finds_no_room_is_told_when_to_come_back(
    stage: StageMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_queue, "MAX_WAITING", 0)
    made = await stage()
    (event,) = thumbs(await a_turn(made), "e1")
    async with speech(made), grpc.aio.insecure_channel(made.client.address) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await feedback_pb2_grpc.FeedbackStub(channel).Submit(event)
        (status,) = await made.client.submit_batch([event])
    hints: Any = caught.value.trailing_metadata()
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert int(hints["retry-after-ms"]) == status.retry_after_ms == 1000
    assert "send this one again" in status.message


async def test_the_client_sends_it_again_until_there_is_room(
    stage: StageMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_queue, "MAX_WAITING", 0)
    monkeypatch.setattr(event_queue, "FIRST_RETRY_S", 0.02)
    made = await stage()
    turn_id = await a_turn(made)
    async with speech(made):
        liking = asyncio.create_task(made.client.thumb(turn_id, up=True))
        await asyncio.sleep(0.1)
        assert not liking.done()
        monkeypatch.setattr(event_queue, "MAX_WAITING", 1)
        event_id = await liking
    assert [event.event_id for event in made.store.events("mira")] == [event_id]
