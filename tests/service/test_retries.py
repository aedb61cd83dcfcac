"""A line that is sent again under its id: said once, answered as it was."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest

from npc.v1 import dialogue_pb2
from npc_client.client import Client
from npc_server import server
from npc_server.engine.protocol import Request
from tests.support.calls import refusal
from tests.support.casts import mira_with
from tests.support.fake_server import child
from tests.support.interruptions import begin, ended, interrupt, lived, opened, stub_of
from tests.support.lone_player import player
from tests.support.scripted_server import Stage, StageMaker

pytestmark = pytest.mark.service


def numbered(request: Request) -> str:
    """A reply of four words that tells its seed."""
    return f"One two three {request.sampling.seed}."


@pytest.fixture
async def made(stage: StageMaker, tmp_path: Path) -> Stage:
    """A server whose Mira draws one reply of four words."""
    return await stage(numbered, characters=mira_with(tmp_path, best_of=1))


async def say(made: Stage, session: str, text: str = "One.", **options: Any) -> list[Any]:
    """All messages of a reply."""
    request = dialogue_pb2.SayRequest(session_id=session, text=text, **options)
    async with stub_of(made) as stub:
        return [event async for event in stub.Say(request)]


async def test_a_complete_reply_is_sent_again_as_it_was(made: Stage) -> None:
    session = await opened(made)
    sampling = dialogue_pb2.SamplingOverrides(logprobs=True)
    first = await say(made, session, line_id="l1", sampling=sampling)
    again = await say(made, session, line_id="l1")
    assert (again[0], again[-1]) == (first[0], first[-1])
    assert "".join(event.delta.text for event in again) == first[-1].finished.text
    assert len(await lived(made, session)) == len(made.store.turns("mira")) == 1


async def test_it_is_sent_again_after_later_lines_and_other_takes(made: Stage) -> None:
    session = await opened(made)
    first = await say(made, session, line_id="l1")
    await made.client.regenerate(session, first[0].started.turn_id)
    await say(made, session, "Two.", line_id="l2")
    assert (await say(made, session, line_id="l1"))[-1] == first[-1]
    assert len(await lived(made, session)) == 2


async def test_another_text_under_the_same_id_is_refused(made: Stage) -> None:
    session = await opened(made)
    await say(made, session, line_id="l1")
    code, why = await refusal(say(made, session, "Two.", line_id="l1"))
    assert (code, why[:30]) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        "line_id was sent with another ",
    )


async def test_the_same_id_in_another_session_is_another_line(made: Stage) -> None:
    for _ in range(2):
        await say(made, await opened(made), line_id="l1")
    assert len(made.store.turns("mira")) == 2


async def test_a_retry_of_a_running_line_waits_for_its_reply(made: Stage) -> None:
    session = await opened(made)
    made.engine.gate.clear()
    async with stub_of(made) as stub:
        call, turn_id = await begin(stub, session, "One.", line_id="l1")
        retry = asyncio.create_task(say(made, session, line_id="l1"))
        await asyncio.sleep(0.7)  # longer than another line would wait
        made.engine.gate.set()
        again = await retry
        assert again[0].started.turn_id == turn_id
        while not (event := await call.read()).HasField("finished"):
            pass
        assert event == again[-1]
    assert len(made.store.turns("mira")) == 1


async def test_a_retry_of_an_interrupted_line_answers_the_same_line_anew(made: Stage) -> None:
    session = await opened(made)
    async with stub_of(made) as stub:
        broken = await interrupt(stub, made, session, line_id="l1")
    again = await say(made, session, line_id="l1", seed=5)
    assert (again[0].started.take, again[0].started.turn_id == broken) == (1, False)
    assert await lived(made, session) == [("One.", "One two three 5.", False)]
    again[-1].finished.usage.ClearField("aside_tokens")  # which no record holds
    assert (await say(made, session, line_id="l1"))[-1] == again[-1]


async def test_a_retry_of_a_line_that_was_interrupted_long_ago_is_refused(made: Stage) -> None:
    session = await opened(made)
    async with stub_of(made) as stub:
        await interrupt(stub, made, session, line_id="l1")
    await say(made, session, "Two.")
    code, why = await refusal(say(made, session, line_id="l1"))
    assert (code, "the conversation has gone on" in why) == (grpc.StatusCode.NOT_FOUND, True)


@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGSTOP], ids=["died", "vanished"])
async def test_a_player_who_comes_back_goes_on_with_the_line(
    stage: StageMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sign: signal.Signals
) -> None:
    patience = [(key, 500) for key, _ in server.OPTIONS if key.endswith(("time_ms", "timeout_ms"))]
    options = [*dict([*server.OPTIONS, *patience]).items()]
    monkeypatch.setattr(server, "OPTIONS", options)
    made = await stage(numbered, characters=mira_with(tmp_path, best_of=1))
    session = await opened(made)
    made.engine.gate.clear()
    process, turn_id = await asyncio.to_thread(player, made.client.address, session, "l1")
    process.send_signal(sign)
    await ended(made, turn_id)
    made.engine.gate.set()
    again = await made.client.say(session, "One.", line_id="l1")
    assert await lived(made, session) == [("One.", again.text, False)]
    process.kill()
    process.communicate()


async def test_a_take_is_sent_again_under_its_id(made: Stage) -> None:
    session = await opened(made)
    first = await made.client.say(session, "One.")
    takes = [
        await made.client.regenerate(session, first.turn_id, take_id=take_id)
        for take_id in ("t1", "t1", "t2")
    ]
    assert takes[0].turn_id == takes[1].turn_id != takes[2].turn_id
    code, _ = await refusal(made.client.regenerate(session, "another", take_id="t1"))
    assert code is grpc.StatusCode.INVALID_ARGUMENT


async def test_ids_come_back_with_a_save_game(made: Stage) -> None:
    session = await opened(made)
    first = await say(made, session, line_id="l1")
    token = await made.client.checkpoint(session)
    await say(made, session, "Two.", line_id="l2")
    await made.client.restore(token)
    again = await say(made, session, line_id="l1")
    assert again[0] == first[0]
    assert again[-1].finished.text == first[-1].finished.text
    anew = await say(made, session, "Two, otherwise.", line_id="l2")  # was not lived through
    assert anew[0].started.take == 0


async def test_ids_come_back_with_a_save_game_on_another_server(tmp_path: Path) -> None:
    with child(tmp_path / "data") as (_, address):
        async with Client(address) as client:
            session = (await client.start_session("mira", "p1")).session_id
            reply = await client.say(session, "One.", line_id="l1")
            token = await client.checkpoint(session)
    with child(tmp_path / "data") as (_, address):
        async with Client(address) as client:
            await client.restore(token)
            again = await client.say(session, "One.", line_id="l1")
    assert (again.turn_id, again.text, again.tokens) == (reply.turn_id, reply.text, reply.tokens)


@pytest.mark.parametrize("line_id", ["", "\u200b", "a\0b", "x" * 129])
async def test_an_id_that_is_none_is_refused(made: Stage, line_id: str) -> None:
    session = await opened(made)
    code, why = await refusal(say(made, session, line_id=line_id))
    assert (code, why[:8]) == (grpc.StatusCode.INVALID_ARGUMENT, "line_id ")


async def test_the_client_sends_a_line_again_that_found_no_engine(made: Stage) -> None:
    session = await opened(made)
    made.engine.entrance.clear()
    said = asyncio.create_task(made.client.say(session, "One."))
    while made.engine.running == 0:
        await asyncio.sleep(0.01)
    made.engine.die()
    made.engine.entrance.set()
    assert (await said).text.startswith("One two three")
    assert len(await lived(made, session)) == 1


async def test_the_client_does_not_begin_a_reply_anew_that_somebody_heard(made: Stage) -> None:
    session = await opened(made)
    made.engine.gate.clear()
    stream = made.client.stream_reply(session, "One.")
    assert await anext(stream) == "One"
    made.engine.die()
    made.engine.gate.set()
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await anext(stream)
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    again = await made.client.say(session, "One.", line_id=stream.call_id)
    assert await lived(made, session) == [("One.", again.text, False)]
