"""A player who talks over the character: nothing is refused, and nothing that was said is lost."""

from __future__ import annotations

import asyncio
from pathlib import Path

import grpc
import grpc.aio
import pytest

from feedback_store.records import Sign, Signal
from npc.v1 import dialogue_pb2
from npc_server.engine.errors import DecodeError
from npc_server.engine.protocol import Request
from tests.support.calls import refusal
from tests.support.casts import mira_with
from tests.support.disk_faults import locked
from tests.support.interruptions import begin, ended, interrupt, lived, opened, stub_of
from tests.support.scripted_server import Stage, StageMaker

pytestmark = pytest.mark.service

TIMES = 20  # a race that is lost once in ten times is met


@pytest.fixture
async def made(stage: StageMaker, tmp_path: Path) -> Stage:
    """A server whose Mira draws one reply of four words."""
    return await stage(long_reply, characters=mira_with(tmp_path, best_of=1))


def long_reply(_: Request) -> str:
    return "One two three four."


async def seen(made: Stage, turn_id: str) -> list[str]:
    """What the model read of the conversation, without system message and examples."""
    await made.wait_until_stored()
    turn = made.store.turn(turn_id)
    assert turn is not None
    contents = [message["content"] for message in turn.messages]
    return [text for text in contents if text.startswith("One") or text == "Two."]


async def test_the_next_line_is_never_refused_after_a_cancel(made: Stage) -> None:
    session = await opened(made)
    async with stub_of(made) as stub:
        for _ in range(TIMES):
            made.engine.gate.clear()
            call, _ = await begin(stub, session, "One.")
            await call.read()
            call.cancel()
            made.engine.gate.set()
            assert (await made.client.say(session, "Two.")).text == "One two three four."


async def test_the_next_line_may_come_in_the_same_moment_over_the_same_link(made: Stage) -> None:
    session = await opened(made)
    async with stub_of(made) as stub:
        for _ in range(TIMES):
            made.engine.gate.clear()
            call, _ = await begin(stub, session, "One.")
            call.cancel()
            made.engine.gate.set()
            request = dialogue_pb2.SayRequest(session_id=session, text="Two.")
            events = [event async for event in stub.Say(request)]
            assert events[-1].finished.text == "One two three four."


async def test_what_was_heard_stays_in_the_talk_marked_as_broken_off(made: Stage) -> None:
    session = await opened(made)
    async with stub_of(made) as stub:
        await interrupt(stub, made, session)
    reply = await made.client.say(session, "Two.")
    assert await seen(made, reply.turn_id) == ["One.", "One—", "Two."]
    assert await lived(made, session) == [
        ("One.", "One", True),
        ("Two.", "One two three four.", False),
    ]


async def test_a_line_that_was_answered_by_nothing_stays_too(made: Stage) -> None:
    session = await opened(made)
    made.engine.entrance.clear()  # as when it waits for a free sequence
    async with stub_of(made) as stub:
        call, turn_id = await begin(stub, session, "One.")
        call.cancel()
        await ended(made, turn_id)
        made.engine.entrance.set()
        reply = await made.client.say(session, "Two.")
    assert await seen(made, reply.turn_id) == ["One.\nTwo."]
    assert (await lived(made, session))[0] == ("One.", "", True)


async def test_nothing_was_heard_of_candidates_that_were_not_compared(
    stage: StageMaker, tmp_path: Path
) -> None:
    made = await stage(long_reply, characters=mira_with(tmp_path, best_of=3))
    session = await opened(made)
    async with stub_of(made) as stub:
        for _ in range(3):
            made.engine.gate.clear()
            call, turn_id = await begin(stub, session, "One.")
            while made.engine.running < 3:
                await asyncio.sleep(0.01)
            call.cancel()
            await ended(made, turn_id)
            made.engine.gate.set()
            await made.client.say(session, "Two.")
    assert [text for _, text, broken in await lived(made, session) if broken] == ["", "", ""]


async def test_an_interrupted_turn_is_taken_again_at_once(made: Stage) -> None:
    session = await opened(made)
    async with stub_of(made) as stub:
        for _ in range(TIMES):
            turn_id = await interrupt(stub, made, session)
            again = await made.client.regenerate(session, turn_id)
            assert again.text == "One two three four."
    assert len(await lived(made, session)) == TIMES
    assert not any(broken for _, _, broken in await lived(made, session))


async def test_a_take_interrupted_before_its_first_word_replaces_no_other(made: Stage) -> None:
    session = await opened(made)
    first = await made.client.say(session, "One.")
    made.engine.entrance.clear()
    async with stub_of(made) as stub:
        request = dialogue_pb2.RegenerateRequest(session_id=session, turn_id=first.turn_id)
        call = stub.Regenerate(request)
        turn_id = (await call.read()).started.turn_id
        call.cancel()
        await ended(made, turn_id)
        made.engine.entrance.set()
        assert await lived(made, session) == [("One.", "One two three four.", False)]


@pytest.mark.parametrize("what", ["checkpoint", "restore", "end"])
async def test_save_games_and_the_end_wait_for_a_cancelled_turn(made: Stage, what: str) -> None:
    async with stub_of(made) as stub:
        for _ in range(TIMES):
            session = await opened(made)
            token = await made.client.checkpoint(session)
            await interrupt(stub, made, session)
            if what == "checkpoint":
                assert await lived(made, session) == [("One.", "One", True)]
            elif what == "restore":
                assert (await made.client.restore(token)).exchanges == ()
            else:
                await made.client.end_session(session)


async def test_a_deadline_interrupts_as_a_cancel_does(made: Stage) -> None:
    session = await opened(made)
    made.engine.gate.clear()
    async with stub_of(made) as stub:
        call, turn_id = await begin(stub, session, "One.", timeout=0.5)
        assert await call.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    await ended(made, turn_id)
    made.engine.gate.set()
    await made.client.say(session, "Two.")
    assert (await lived(made, session))[0] == ("One.", "One", True)


async def test_a_cancel_that_meets_the_end_leaves_one_whole_or_broken_reply(made: Stage) -> None:
    session = await opened(made)
    async with stub_of(made) as stub:
        for i in range(TIMES):
            call, _ = await begin(stub, session, "One.")
            for _ in range(i % 6):
                await call.read()
            call.cancel()
            await made.client.say(session, "Two.")
    said = await lived(made, session)
    assert len(said) == 2 * TIMES
    assert all(broken or text == "One two three four." for _, text, broken in said)


async def test_a_cancel_during_a_slow_disk_frees_the_session(made: Stage) -> None:
    session = await opened(made)
    async with stub_of(made) as stub:
        with locked(made.folder):
            call, _ = await begin(stub, session, "One.")
            for _ in range(4):
                await call.read()
            call.cancel()  # the whole reply was heard; its record waits
            await made.client.say(session, "Two.")
    assert [broken for _, _, broken in await lived(made, session)] == [False, False]


async def test_a_reply_that_really_runs_still_refuses_the_next_line(made: Stage) -> None:
    session = await opened(made)
    made.engine.gate.clear()
    async with stub_of(made) as stub:
        call, _ = await begin(stub, session, "One.")
        for attempt in (
            made.client.say(session, "Two."),
            made.client.checkpoint(session),
        ):
            code, _ = await refusal(attempt)
            assert code is grpc.StatusCode.ABORTED
        call.cancel()


async def test_a_reply_that_the_engine_broke_off_stays_as_far_as_it_was_heard(made: Stage) -> None:
    session = await opened(made)
    made.engine.gate.clear()
    async with stub_of(made) as stub:
        call, _ = await begin(stub, session, "One.")
        await call.read()
        made.engine.die()
        made.engine.gate.set()
        assert await call.code() is grpc.StatusCode.UNAVAILABLE
    async with asyncio.timeout(10):
        while made.engine.died.is_set():
            await asyncio.sleep(0.02)
    assert await lived(made, session) == [("One.", "One", True)]


async def test_a_call_that_failed_before_the_first_word_said_nothing(stage: StageMaker) -> None:
    def fail(request: Request) -> str:
        if request.request_id != "warm-up":
            raise DecodeError("no memory")
        return "Ready."

    made = await stage(fail)
    session = await opened(made)
    code, _ = await refusal(made.client.say(session, "One."))
    assert code is grpc.StatusCode.INTERNAL
    assert await lived(made, session) == []


async def test_an_interrupted_turn_takes_feedback_and_is_whole_once_corrected(made: Stage) -> None:
    session = await opened(made)
    async with stub_of(made) as stub:
        turn_id = await interrupt(stub, made, session)
    await made.client.edit(turn_id, "Not now.")
    assert await lived(made, session) == [("One.", "Not now.", False)]


async def test_saying_it_again_tells_nothing_of_an_interrupted_reply(
    made: Stage,
) -> None:
    session = await opened(made)
    async with stub_of(made) as stub:
        turn_id = await interrupt(stub, made, session, "Where is the old mill?")
    await made.client.say(session, "Where is the old mill?")
    await made.wait_until_stored()
    noticed = [(event.turn_id, event.payload) for event in made.store.events("mira")]
    assert noticed == [(turn_id, Signal(Sign.ABANDONED))]
