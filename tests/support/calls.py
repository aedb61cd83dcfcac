"""Calls as a game makes them, and how they are refused."""

import grpc
import grpc.aio
import pytest

from npc.v1 import feedback_pb2
from npc_client.client import SubmitRequest
from tests.support.scripted_server import Stage


async def a_turn(stage: Stage) -> str:
    """The id of a turn of player p1 with Mira."""
    session = await stage.client.start_session("mira", "p1")
    return (await stage.client.say(session.session_id, "Hello.")).turn_id


def thumbs(turn_id: str, *event_ids: str) -> list[SubmitRequest]:
    """One like per id."""
    return [
        SubmitRequest(event_id=name, turn_id=turn_id, thumb=feedback_pb2.Thumb(up=True))
        for name in event_ids
    ]


async def refusal(call: object) -> tuple[grpc.StatusCode, str]:
    """How the server refuses a call."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call  # type: ignore[misc]  # any coroutine
    return caught.value.code(), str(caught.value.details())
