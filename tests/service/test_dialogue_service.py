"""Conversations over real gRPC, on a scripted engine."""

import asyncio
from collections.abc import AsyncIterable

import grpc
import grpc.aio
import pytest

from npc.v1 import dialogue_pb2, dialogue_pb2_grpc
from npc_client.client import Client
from tests.support.calls import refusal
from tests.support.scripted_server import StageMaker

pytestmark = pytest.mark.service


async def drained(stream: AsyncIterable[object]) -> None:
    """Read a stream to its end."""
    async for _ in stream:
        pass


async def test_a_reply_streams_and_is_recorded_before_it_ends(stage: StageMaker) -> None:
    made = await stage(lambda _: "Mind the sparks.")
    session = await made.client.start_session("mira", "p1")
    pieces: list[str] = []
    reply = await made.client.say(session.session_id, "Hello.", on_text=pieces.append)
    assert "".join(pieces) == reply.text == "Mind the sparks."
    turn = made.store.turn(reply.turn_id)
    assert turn is not None
    assert (turn.reply_text, turn.player_text) == (reply.text, "Hello.")


async def test_the_recorded_prompt_is_the_one_the_engine_got(stage: StageMaker) -> None:
    made = await stage()
    session = await made.client.start_session("mira", "p1")
    reply = await made.client.say(session.session_id, "Hello.")
    turn = made.store.turn(reply.turn_id)
    assert turn is not None
    assert turn.prompt_ids == made.engine.requests[-1].prompt_ids


async def test_an_unknown_character_is_named_with_the_known_ones(stage: StageMaker) -> None:
    made = await stage()
    code, details = await refusal(made.client.start_session("mria", "p1"))
    assert code is grpc.StatusCode.NOT_FOUND
    assert "'mria'" in details
    assert "fenn, mira, orsolo" in details


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("", "text is empty", id="empty"),
        pytest.param("  \n", "text is empty", id="blank"),
        pytest.param("x" * 2001, "2001 characters; at most 2000", id="too-long"),
        pytest.param(
            "é" * 1999,
            "this line has 4017 tokens, but mira takes ",
            id="too-many-tokens",
        ),
    ],
)
async def test_unspeakable_lines_are_refused_with_the_limit(
    stage: StageMaker, text: str, said: str
) -> None:
    made = await stage()
    session = await made.client.start_session("mira", "p1")
    code, details = await refusal(made.client.say(session.session_id, text))
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert said in details


async def test_a_session_speaks_one_turn_at_a_time(stage: StageMaker) -> None:
    made = await stage(lambda _: "a long reply")
    session = await made.client.start_session("mira", "p1")
    made.engine.gate.clear()
    first = asyncio.create_task(made.client.say(session.session_id, "One."))
    while made.engine.running == 0:
        await asyncio.sleep(0.01)
    code, _ = await refusal(made.client.say(session.session_id, "Two."))
    made.engine.gate.set()
    assert code is grpc.StatusCode.ABORTED
    assert (await first).text == "a long reply"


async def test_an_unknown_session_says_how_to_get_one(stage: StageMaker) -> None:
    made = await stage()
    code, details = await refusal(made.client.say("nope", "Hello."))
    assert code is grpc.StatusCode.NOT_FOUND
    assert "start a new one" in details


async def test_another_take_answers_the_same_prompt(stage: StageMaker) -> None:
    made = await stage()
    session = await made.client.start_session("mira", "p1")
    first = await made.client.say(session.session_id, "Hello.", seed=1)
    again = await made.client.regenerate(session.session_id, first.turn_id, seed=2)
    assert made.engine.requests[-1].prompt_ids == made.engine.requests[-2].prompt_ids
    assert (first.text, again.text) == ("reply 1", "reply 2")


async def test_only_the_latest_turn_can_be_taken_again(stage: StageMaker) -> None:
    made = await stage()
    session = await made.client.start_session("mira", "p1")
    first = await made.client.say(session.session_id, "One.")
    await made.client.say(session.session_id, "Two.")
    code, details = await refusal(made.client.regenerate(session.session_id, first.turn_id))
    assert code is grpc.StatusCode.NOT_FOUND
    assert "only the latest" in details


async def test_a_deadline_ends_the_generation(stage: StageMaker) -> None:
    made = await stage()
    session = await made.client.start_session("mira", "p1")
    made.engine.gate.clear()
    async with grpc.aio.insecure_channel(made.client.address) as channel:
        dialogue = dialogue_pb2_grpc.DialogueStub(channel)
        request = dialogue_pb2.SayRequest(session_id=session.session_id, text="Hello.")
        code, _ = await refusal(drained(dialogue.Say(request, timeout=0.3)))
    assert code is grpc.StatusCode.DEADLINE_EXCEEDED
    async with asyncio.timeout(5):
        while made.engine.running:
            await asyncio.sleep(0.01)


async def test_the_conversation_goes_on_from_the_kept_and_corrected_words(
    stage: StageMaker,
) -> None:
    made = await stage()
    session = await made.client.start_session("mira", "p1")
    first = await made.client.say(session.session_id, "One.", seed=1)
    other = await made.client.regenerate(session.session_id, first.turn_id, seed=2)
    await made.client.choose(first.turn_id, [other.turn_id])
    second = await made.client.say(session.session_id, "Two.", seed=3)
    await made.client.edit(second.turn_id, "Corrected words.")
    third = await made.client.say(session.session_id, "Three.")
    turn = made.store.turn(third.turn_id)
    assert turn is not None
    said = [message["content"] for message in turn.messages if message["role"] == "assistant"]
    assert said[-2:] == ["reply 1", "Corrected words."]


async def test_every_answer_carries_the_request_id(stage: StageMaker) -> None:
    from npc.v1 import dialogue_pb2, dialogue_pb2_grpc

    made = await stage()
    async with grpc.aio.insecure_channel(made.client.address) as channel:
        stub = dialogue_pb2_grpc.DialogueStub(channel)
        call = stub.StartSession(
            dialogue_pb2.StartSessionRequest(character="mira", player_id="p"),
            metadata=(("x-request-id", "quest-42"),),
        )
        await call
        assert ("x-request-id", "quest-42") in tuple(await call.trailing_metadata())


async def test_health_says_serving(stage: StageMaker) -> None:
    made = await stage()
    async with Client(made.client.address) as client:
        await client.wait_until_serving(timeout_s=2)
