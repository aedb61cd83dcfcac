"""Going back to a point in a conversation, as when a save game is loaded."""

import asyncio
from pathlib import Path

import grpc
import grpc.aio
import pytest

from feedback_store.store import Store
from npc_client.client import Client, Restored
from tests.support.calls import refusal
from tests.support.casts import copy_cast
from tests.support.fake_server import child
from tests.support.scripted_server import PSEUDONYMS, Stage, StageMaker

pytestmark = pytest.mark.service


def lived(restored: Restored) -> list[tuple[str, str]]:
    """The lines of the player and the replies that count."""
    return [(exchange.player_text, exchange.reply_text) for exchange in restored.exchanges]


def rolled_back(stage: Stage) -> dict[str, bool]:
    """Of each of the players' lines, whether it is marked as not lived through."""
    return {turn.player_text: turn.rolled_back for turn in stage.store.turns("mira")}


def heard(stage: Stage, turn_id: str) -> list[str]:
    """What the model saw of the conversation itself."""
    turn = stage.store.turn(turn_id)
    assert turn is not None
    contents = [message["content"] for message in turn.messages]
    return [text for text in contents if text.startswith(("reply ", "Line ", "Corrected"))]


async def opened(stage: Stage) -> str:
    """A new session of player p1 with Mira."""
    return (await stage.client.start_session("mira", "p1", training_consent=True)).session_id


async def test_an_open_session_goes_back(stage: StageMaker) -> None:
    made = await stage()
    session = await opened(made)
    await made.client.say(session, "Line 1.", seed=1)
    token = await made.client.checkpoint(session)
    await made.client.say(session, "Line 2.", seed=2)
    restored = await made.client.restore(token)
    assert restored.conversation.session_id == session
    assert lived(restored) == [("Line 1.", "reply 1")]
    reply = await made.client.say(session, "Line 3.", seed=3)
    assert heard(made, reply.turn_id) == ["Line 1.", "reply 1", "Line 3."]
    assert rolled_back(made) == {"Line 1.": False, "Line 2.": True, "Line 3.": False}


async def test_a_closed_session_opens_again(stage: StageMaker) -> None:
    made = await stage()
    session = await opened(made)
    await made.client.say(session, "Line 1.", seed=1)
    token = await made.client.checkpoint(session)
    await made.client.end_session(session)
    assert lived(await made.client.restore(token)) == [("Line 1.", "reply 1")]
    reply = await made.client.say(session, "Line 2.", seed=2)
    turn = made.store.turn(reply.turn_id)
    assert turn is not None
    assert (turn.consent, turn.player_id) == (True, PSEUDONYMS.of("p1"))


async def test_a_session_outlives_its_server(tmp_path: Path) -> None:
    with child(tmp_path / "data") as (_, address):
        async with Client(address) as client:
            session = (await client.start_session("mira", "p1")).session_id
            await client.say(session, "Line 1.", seed=1)
            token = await client.checkpoint(session)
            await client.say(session, "Line 2.", seed=2)
    with child(tmp_path / "data") as (_, address):
        async with Client(address) as client:
            assert lived(await client.restore(token)) == [("Line 1.", "reply 1")]
            await client.say(session, "Line 3.", seed=3)
    with Store.open(tmp_path / "data" / "feedback.db") as store:
        marks = {turn.player_text: turn.rolled_back for turn in store.turns("mira")}
    assert marks == {"Line 1.": False, "Line 2.": True, "Line 3.": False}


async def test_branches_can_be_left_and_gone_back_to(stage: StageMaker) -> None:
    made = await stage()
    session = await opened(made)
    start = await made.client.checkpoint(session)
    await made.client.say(session, "Line A.", seed=1)
    branch_a = await made.client.checkpoint(session)
    await made.client.restore(start)
    await made.client.say(session, "Line B.", seed=2)
    branch_b = await made.client.checkpoint(session)
    assert rolled_back(made) == {"Line A.": True, "Line B.": False}
    assert lived(await made.client.restore(branch_a)) == [("Line A.", "reply 1")]
    assert rolled_back(made) == {"Line A.": False, "Line B.": True}
    assert lived(await made.client.restore(branch_b)) == [("Line B.", "reply 2")]


async def test_a_take_that_was_made_after_the_checkpoint_is_gone(stage: StageMaker) -> None:
    made = await stage()
    session = await opened(made)
    first = await made.client.say(session, "Line 1.", seed=1)
    token = await made.client.checkpoint(session)
    other = await made.client.regenerate(session, first.turn_id, seed=2)
    assert lived(await made.client.restore(token)) == [("Line 1.", "reply 1")]
    code, _ = await refusal(made.client.regenerate(session, other.turn_id))
    assert code is grpc.StatusCode.NOT_FOUND
    turn = made.store.turn(other.turn_id)
    assert turn is not None
    assert turn.rolled_back


async def test_choice_and_correction_come_back_as_they_were_then(stage: StageMaker) -> None:
    made = await stage()
    session = await opened(made)
    first = await made.client.say(session, "Line 1.", seed=1)
    other = await made.client.regenerate(session, first.turn_id, seed=2)
    await made.client.choose(first.turn_id, [other.turn_id])
    await made.client.edit(first.turn_id, "Corrected words.")
    token = await made.client.checkpoint(session)
    await made.client.edit(first.turn_id, "Other words.")
    await made.client.choose(other.turn_id, [first.turn_id])
    restored = await made.client.restore(token)
    assert lived(restored) == [("Line 1.", "Corrected words.")]
    assert restored.exchanges[0].turn_id == first.turn_id


async def test_a_correction_from_before_the_save_can_be_taken_back_after_it(
    stage: StageMaker,
) -> None:
    made = await stage()
    session = await opened(made)
    reply = await made.client.say(session, "Line 1.", seed=1)
    event_id = await made.client.edit(reply.turn_id, "Corrected words.")
    await made.client.restore(await made.client.checkpoint(session))
    await made.client.undo(event_id)
    token = await made.client.checkpoint(session)
    assert lived(await made.client.restore(token)) == [("Line 1.", "reply 1")]


async def test_the_same_save_can_be_loaded_twice(stage: StageMaker) -> None:
    made = await stage()
    session = await opened(made)
    await made.client.say(session, "Line 1.", seed=1)
    token = await made.client.checkpoint(session)
    first = await made.client.restore(token)
    await made.client.say(session, "Line 2.", seed=2)
    assert await made.client.restore(token) == first


async def test_feedback_on_what_was_not_lived_through_is_taken(stage: StageMaker) -> None:
    made = await stage()
    session = await opened(made)
    token = await made.client.checkpoint(session)
    reply = await made.client.say(session, "Line 1.")
    await made.client.restore(token)
    await made.client.edit(reply.turn_id, "Corrected words.")
    assert len(made.store.events("mira")) == 1


async def test_tokens_are_long_and_differ(stage: StageMaker) -> None:
    made = await stage()
    session = await opened(made)
    tokens = [await made.client.checkpoint(session) for _ in range(2)]
    assert len(set(tokens)) == 2
    assert {len(token) for token in tokens} == {32}


@pytest.mark.parametrize(
    ("token", "code"),
    [
        pytest.param("nope", grpc.StatusCode.NOT_FOUND, id="unknown"),
        pytest.param("", grpc.StatusCode.INVALID_ARGUMENT, id="empty"),
    ],
)
async def test_a_token_of_no_checkpoint_is_refused(
    stage: StageMaker, token: str, code: grpc.StatusCode
) -> None:
    made = await stage()
    assert (await refusal(made.client.restore(token)))[0] is code


async def test_while_a_reply_runs_there_is_no_point_to_mark_or_to_go_back_to(
    stage: StageMaker,
) -> None:
    made = await stage(lambda _: "a long reply")
    session = await opened(made)
    token = await made.client.checkpoint(session)
    made.engine.gate.clear()
    speaking = asyncio.create_task(made.client.say(session, "Line 1."))
    while made.engine.running == 0:
        await asyncio.sleep(0.01)
    for call in (made.client.checkpoint(session), made.client.restore(token)):
        assert (await refusal(call))[0] is grpc.StatusCode.ABORTED
    made.engine.gate.set()
    await speaking


async def test_a_save_of_a_forgotten_player_leads_nowhere(stage: StageMaker) -> None:
    made = await stage()
    session = await opened(made)
    await made.client.say(session, "Line 1.")
    token = await made.client.checkpoint(session)
    made.store.forget(PSEUDONYMS.of("p1")).result(5)
    code, details = await refusal(made.client.restore(token))
    assert code is grpc.StatusCode.NOT_FOUND
    assert "forgotten" in details


async def test_a_save_whose_turns_are_deleted_says_so(stage: StageMaker) -> None:
    made = await stage()
    session = await opened(made)
    await made.client.say(session, "Line 1.")
    token = await made.client.checkpoint(session)
    made.store._writer._db.execute("DELETE FROM turns")
    code, details = await refusal(made.client.restore(token))
    assert code is grpc.StatusCode.NOT_FOUND
    assert "is deleted" in details


async def test_a_save_with_a_character_who_left_the_cast_says_so(
    stage: StageMaker, tmp_path: Path
) -> None:
    before = await stage()
    session = await opened(before)
    token = await before.client.checkpoint(session)
    after = await stage(characters=copy_cast(tmp_path, "fenn", "orsolo"))
    code, details = await refusal(after.client.restore(token))
    assert code is grpc.StatusCode.NOT_FOUND
    assert "no longer in the cast" in details
