"""A reply that is iterated over while it is generated."""

import pytest

from npc_client.client import ReplyStream
from tests.support.scripted_server import Stage, StageMaker

pytestmark = pytest.mark.service


async def begin_reply(made: Stage) -> ReplyStream:
    """A reply that stops after its first word."""
    made.engine.gate.clear()
    session = await made.client.start_session("mira", "p1")
    stream = made.client.stream_reply(session.session_id, "Hello", seed=7)
    assert await anext(stream) == "reply"
    return stream


async def test_a_stream_gives_the_text_and_then_the_reply(stage: StageMaker) -> None:
    made = await stage()
    stream = await begin_reply(made)
    made.engine.gate.set()
    assert [text async for text in stream] == [" 7"]
    assert stream.reply.text == "reply 7"
    assert [text async for text in stream] == []


async def test_the_reply_is_not_there_before_the_end(stage: StageMaker) -> None:
    stream = await begin_reply(await stage())
    with pytest.raises(RuntimeError, match="not finished"):
        _ = stream.reply


async def test_a_cancelled_stream_ends_the_generation(stage: StageMaker) -> None:
    made = await stage()
    stream = await begin_reply(made)
    stream.cancel()
    await made.wait_until_stored()
    assert made.engine.running == 0


async def test_a_dropped_stream_ends_the_generation(stage: StageMaker) -> None:
    made = await stage()
    stream = await begin_reply(made)
    del stream
    await made.wait_until_stored()
    assert made.engine.running == 0
