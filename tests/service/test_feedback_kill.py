"""Acknowledged events are stored once, even when the server is killed while it accepts more."""

import asyncio
import contextlib
from collections import Counter
from pathlib import Path

import grpc.aio
import pytest

from feedback_store.store import Store
from npc.v1 import feedback_pb2
from npc_client.client import Client, SubmitRequest, new_event_id
from tests.support.fake_server import child

pytestmark = pytest.mark.service

KILLS = 3
BATCH = 100  # events


def thumb(turn_id: str) -> SubmitRequest:
    """A new event."""
    up = feedback_pb2.Thumb(up=True)
    return SubmitRequest(event_id=new_event_id(), turn_id=turn_id, thumb=up)


async def batches(client: Client, turn_id: str, acknowledged: list[str]) -> None:
    """Send batches until the server is gone."""
    with contextlib.suppress(grpc.aio.AioRpcError):
        while True:
            statuses = await client.submit_batch([thumb(turn_id) for _ in range(BATCH)])
            acknowledged += [status.event_id for status in statuses if status.code == 0]


async def singles(client: Client, turn_id: str, acknowledged: list[str]) -> None:
    """Send single events until the server is gone."""
    with contextlib.suppress(grpc.aio.AioRpcError):
        while True:
            acknowledged.append((await client.submit(thumb(turn_id))).event_id)


async def load_until_killed(folder: Path, speaking: bool) -> list[str]:
    """The events that a server acknowledged before it was killed."""
    acknowledged: list[str] = []
    with child(folder, whole_replies=int(speaking)) as (process, address):
        async with Client(address) as client:
            session = await client.start_session("mira", "p1")
            turn_id = (await client.say(session.session_id, "Hello.")).turn_id
            if speaking:
                endless = client.stream_reply(session.session_id, "And then?")
                await anext(endless)
            senders = [sender(client, turn_id, acknowledged) for sender in (batches, singles) * 4]
            sending = asyncio.gather(*senders)
            while len(acknowledged) <= 2 * BATCH:
                await asyncio.sleep(0.05)
            process.kill()
            await sending
    return acknowledged


@pytest.mark.parametrize("speaking", [False, True], ids=["silence", "speech"])
async def test_every_acknowledged_event_is_stored_once(tmp_path: Path, speaking: bool) -> None:
    rounds = [await load_until_killed(tmp_path, speaking) for _ in range(KILLS)]
    acknowledged = [event_id for one in rounds for event_id in one]
    with Store.open(tmp_path / "feedback.db") as store:
        stored = Counter(event.event_id for event in store.events("mira"))
    assert {stored[event_id] for event_id in acknowledged} == {1}
