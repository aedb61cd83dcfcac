"""A long conversation over real gRPC: what its next prompt begins with is read beforehand."""

import asyncio
from itertools import pairwise

import pytest

from npc_server.engine.errors import DecodeError
from npc_server.engine.protocol import Request
from tests.support.scripted_server import Stage, StageMaker

pytestmark = pytest.mark.service


async def until_quiet(made: Stage) -> None:
    """Wait until nothing runs in the engine."""
    while made.engine.running:
        await asyncio.sleep(0.01)


async def talk(made: Stage, session_id: str, turns: int) -> None:
    """Say a line and wait for whatever follows from it, several times."""
    for turn in range(turns):
        await made.client.say(session_id, f"Day {turn}.")
        await until_quiet(made)


def idle_requests(made: Stage) -> list[int]:
    """Where among the engine's requests something is read ahead."""
    return [at for at, request in enumerate(made.engine.requests) if request.idle]


def common(first: Request, second: Request) -> int:
    """Tokens that two prompts begin with."""
    pairs = zip(first.prompt_ids, second.prompt_ids, strict=False)
    return next((at for at, (a, b) in enumerate(pairs) if a != b), len(first.prompt_ids))


async def test_the_turn_after_a_drop_begins_with_what_was_read(stage: StageMaker) -> None:
    made = await stage(lambda _: "Aye.")
    session = await made.client.start_session("orsolo", "p1")
    await talk(made, session.session_id, 30)
    requests, ahead = made.engine.requests, idle_requests(made)
    assert ahead
    for at in [at for at in ahead if at + 1 < len(requests)]:
        assert common(requests[at], requests[at + 1]) == len(requests[at].prompt_ids)


async def test_every_turn_begins_with_the_one_before_or_with_what_was_read(
    stage: StageMaker,
) -> None:
    made = await stage(lambda _: "Aye.")
    session = await made.client.start_session("orsolo", "p1")
    await talk(made, session.session_id, 30)
    spoken = made.engine.requests[1:]  # the first one was the warm-up
    for before, after in pairwise(spoken):
        if not after.idle:
            assert common(before, after) == len(before.prompt_ids)


async def test_nothing_is_read_ahead_while_all_fits(stage: StageMaker) -> None:
    made = await stage(lambda _: "Aye.")
    session = await made.client.start_session("orsolo", "p1")
    await talk(made, session.session_id, 2)
    assert not idle_requests(made)


async def test_a_drop_is_read_while_the_reply_before_it_is_made(stage: StageMaker) -> None:
    made = await stage(lambda _: "Aye and so it is.")
    session = await made.client.start_session("orsolo", "p1")
    read: list[Request] = []
    while len(read) < 2:  # beside the reply, and again once it is known
        before = len(made.engine.requests)
        await talk(made, session.session_id, 1)
        read = [request for request in made.engine.requests[before:] if request.idle]
    beside, after = read
    assert common(beside, after) == len(beside.prompt_ids)


async def test_reading_stops_when_the_session_ends(stage: StageMaker) -> None:
    def halt_when_idle(request: Request) -> str:
        if request.idle:
            made.engine.idle_gate.clear()
        return "Aye."

    made = await stage(halt_when_idle)
    session = await made.client.start_session("orsolo", "p1")
    while not idle_requests(made):
        await made.client.say(session.session_id, "Well?")
        await asyncio.sleep(0.05)
    assert made.engine.running == 1
    await made.client.end_session(session.session_id)
    await until_quiet(made)


async def test_a_reading_that_fails_fails_no_turn(stage: StageMaker) -> None:
    def fail_when_idle(request: Request) -> str:
        if request.idle:
            raise DecodeError("out of luck")
        return "Aye."

    made = await stage(fail_when_idle)
    session = await made.client.start_session("orsolo", "p1")
    await talk(made, session.session_id, 20)
    assert len(idle_requests(made)) > 1


async def test_a_restored_conversation_is_read_before_its_next_line(stage: StageMaker) -> None:
    made = await stage(lambda _: "Aye.")
    session = await made.client.start_session("orsolo", "p1")
    await talk(made, session.session_id, 2)
    token = await made.client.checkpoint(session.session_id)
    await made.client.restore(token)
    await until_quiet(made)
    await talk(made, session.session_id, 1)
    ahead, said = made.engine.requests[-2:]
    assert ahead.idle
    assert common(ahead, said) == len(ahead.prompt_ids)
