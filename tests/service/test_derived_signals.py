"""Derived signals are stored as weak evidence, and no player waits for it."""

import asyncio

import pytest

from feedback_store.records import Choice, Payload, Sign, Signal, Source
from npc_server.config import FeedbackSection
from tests.support.disk_faults import locked
from tests.support.scripted_server import Stage, StageMaker

pytestmark = pytest.mark.service


async def derived(stage: Stage) -> list[tuple[str, Payload]]:
    """Turns and payloads of the derived events about Mira."""
    await stage.wait_until_stored()
    events = stage.store.events("mira")
    return [(event.turn_id, event.payload) for event in events if event.source is Source.DERIVED]


async def test_a_line_said_again_is_noticed_on_the_reply_that_did_not_help(
    stage: StageMaker,
) -> None:
    made = await stage()
    session = (await made.client.start_session("mira", "p1")).session_id
    first = await made.client.say(session, "Where is the old mill?")
    await made.client.say(session, "where is the old mill??")
    assert await derived(made) == [(first.turn_id, Signal(Sign.REPHRASED))]


async def test_a_reply_that_its_player_left_is_noticed(stage: StageMaker) -> None:
    made = await stage(lambda _: "a long reply")
    session = (await made.client.start_session("mira", "p1")).session_id
    made.engine.gate.clear()
    heard = asyncio.Event()
    call = asyncio.create_task(made.client.say(session, "One.", on_text=lambda _: heard.set()))
    await heard.wait()
    call.cancel()
    async with asyncio.timeout(5):
        while not (noticed := await derived(made)):
            await asyncio.sleep(0.01)
    (turn,) = [turn for turn in made.store.turns("mira") if turn.finish_reason == "cancelled"]
    assert noticed == [(turn.turn_id, Signal(Sign.ABANDONED))]


async def test_going_on_with_another_take_is_noticed_as_a_choice(stage: StageMaker) -> None:
    made = await stage()
    session = (await made.client.start_session("mira", "p1")).session_id
    first = await made.client.say(session, "One.")
    other = await made.client.regenerate(session, first.turn_id)
    await made.client.say(session, "Two.")
    assert await derived(made) == [(other.turn_id, Choice((first.turn_id,), 2))]


async def test_a_choice_that_was_made_is_not_noticed_again(stage: StageMaker) -> None:
    made = await stage()
    session = (await made.client.start_session("mira", "p1")).session_id
    first = await made.client.say(session, "One.")
    other = await made.client.regenerate(session, first.turn_id)
    await made.client.choose(first.turn_id, [other.turn_id])
    await made.client.say(session, "Two.")
    assert await derived(made) == []


async def test_silence_before_the_end_is_noticed(stage: StageMaker) -> None:
    made = await stage(feedback=FeedbackSection(silence_s=0.05))
    session = (await made.client.start_session("mira", "p1")).session_id
    reply = await made.client.say(session, "One.")
    await asyncio.sleep(0.1)
    await made.client.end_session(session)
    assert await derived(made) == [(reply.turn_id, Signal(Sign.SILENT))]


async def test_noticing_does_not_hold_up_the_talk_while_the_store_is_locked(
    stage: StageMaker,
) -> None:
    made = await stage()
    session = (await made.client.start_session("mira", "p1")).session_id
    await made.client.say(session, "Where is the old mill?")
    with locked(made.folder):
        async with asyncio.timeout(1):
            await made.client.say(session, "where is the old mill??")
    async with asyncio.timeout(5):
        while len(await derived(made)) < 1:
            await asyncio.sleep(0.02)
