"""Conversations go on while the store is locked, and their records are stored afterwards."""

import asyncio
import contextlib
import re
import sqlite3

import grpc
import grpc.aio
import pytest

from npc_server import recorder
from tests.support.disk_faults import full, locked
from tests.support.scripted_server import PSEUDONYMS, Stage, StageMaker

pytestmark = pytest.mark.service

#: The latter when the event shared a group commit with the write that met the full disk.
MAY_BE_SENT_AGAIN = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The recorder retries soon."""
    monkeypatch.setattr(recorder, "FIRST_RETRY_S", 0.05)
    monkeypatch.setattr(recorder, "LAST_RETRY_S", 0.05)


async def lines_stored(stage: Stage, count: int) -> list[str]:
    """The players' lines in the store, in order, once there are `count`."""
    async with asyncio.timeout(5):
        while len(turns := stage.store.turns("mira")) < count:
            await asyncio.sleep(0.02)
    return [turn.player_text for turn in turns]


async def test_a_locked_store_does_not_hold_up_a_conversation(stage: StageMaker) -> None:
    made = await stage()
    session = await made.client.start_session("mira", "p1")
    with locked(made.folder):
        async with asyncio.timeout(1):
            reply = await made.client.say(session.session_id, "One.")
        assert made.store.turn(reply.turn_id) is None
    assert await lines_stored(made, 1) == ["One."]


async def test_sessions_start_and_talk_while_the_store_is_locked(stage: StageMaker) -> None:
    made = await stage()
    with locked(made.folder):
        async with asyncio.timeout(2):
            session = await made.client.start_session("mira", "p1")
            for line in ("One.", "Two."):
                await made.client.say(session.session_id, line)
    assert await lines_stored(made, 2) == ["One.", "Two."]
    assert made.store.session(session.session_id) is not None


async def talk_until_full(stage: Stage, session_id: str) -> tuple[list[str], str]:
    """Speak until a turn is not stored; returns the lines, and that turn's id."""
    for number in range(100):
        reply = await stage.client.say(session_id, f"Line {number}.")
        if stage.store.turn(reply.turn_id) is None:
            return [f"Line {i}." for i in range(number + 1)], reply.turn_id
    raise AssertionError("the store never got full")


async def test_a_full_disk_loses_nothing(stage: StageMaker) -> None:
    made = await stage()
    session = (await made.client.start_session("mira", "p1")).session_id
    with full(made.store):
        said, _ = await talk_until_full(made, session)
        await made.client.say(session, "Still there?")
    said.append("Still there?")
    assert await lines_stored(made, len(said)) == said


async def test_an_event_about_a_turn_that_waits_is_to_be_sent_again(stage: StageMaker) -> None:
    made = await stage()
    session = (await made.client.start_session("mira", "p1")).session_id
    with full(made.store):
        said, turn_id = await talk_until_full(made, session)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await made.client.thumb(turn_id, up=True)
        assert caught.value.code() in MAY_BE_SENT_AGAIN
        assert re.search("send (it|the event) again", str(caught.value.details()))
    await lines_stored(made, len(said))
    await made.client.thumb(turn_id, up=True)


async def test_a_session_missing_from_a_restored_backup_is_recorded_again(
    stage: StageMaker,
) -> None:
    made = await stage()
    session = (await made.client.start_session("mira", "p1")).session_id
    await made.client.say(session, "One.")
    with contextlib.closing(sqlite3.connect(made.folder / "feedback.db")) as db, db:
        db.execute("DELETE FROM turns")
        db.execute("DELETE FROM sessions")
    await made.client.say(session, "Two.")
    assert await lines_stored(made, 1) == ["Two."]


async def test_the_session_of_a_forgotten_player_goes_on_unrecorded(
    stage: StageMaker, caplog: pytest.LogCaptureFixture
) -> None:
    made = await stage()
    session = (await made.client.start_session("mira", "p1")).session_id
    await made.client.say(session, "One.")
    made.store.forget(PSEUDONYMS.of("p1")).result(5)
    async with asyncio.timeout(1):
        assert (await made.client.say(session, "Two.")).text
    assert made.store.turns("mira") == []
    assert [line for line in caplog.records if line.name == "npc_server.recorder"] == []
