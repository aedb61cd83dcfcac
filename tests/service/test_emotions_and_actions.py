"""What a character feels and does, over real gRPC: behind its words, recorded, and reported on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import pytest

from npc.v1 import dialogue_pb2
from npc_client.client import Action, Client, Reply
from npc_server.engine.errors import DecodeError
from npc_server.engine.protocol import Request
from personas.fake import FakeTokenizer
from tests.support.actors import CARD, HANDED, is_aside, taste, write_ada
from tests.support.calls import refusal
from tests.support.fake_server import child
from tests.support.interruptions import Call, begin, ended, stub_of
from tests.support.scripted_server import PSEUDONYMS, Stage, StageMaker

WORDS = "Here you are, love."


def script(words: str = WORDS, arguments: str = HANDED) -> Callable[[Request], str]:
    return lambda request: arguments if request.sampling.json_schema else words


async def opened(made: Stage) -> str:
    return (await made.client.start_session("ada", "p1")).session_id


async def said(made: Stage, line: str = "A loaf, please.") -> Reply:
    return await made.client.say(await opened(made), line, seed=1)


async def rest_of(call: Call) -> list[str]:
    """What the rest of a reply stream consists of."""
    kinds = []
    while isinstance(event := await call.read(), dialogue_pb2.ReplyEvent):
        kinds.append(event.WhichOneof("event"))
    return kinds


@pytest.fixture
async def baker(stage: StageMaker, tmp_path: Path) -> Stage:
    """Ada, furious and about to hand over a loaf."""
    made = await stage(script(), characters=write_ada(tmp_path))
    made.engine.taste = taste("furious", "hand over")
    return made


async def test_emotion_and_action_come_behind_the_words_as_events_of_their_own(
    baker: Stage,
) -> None:
    async with stub_of(baker) as stub:
        call = stub.Say(dialogue_pb2.SayRequest(session_id=await opened(baker), text="A loaf."))
        events = [event async for event in call]
    kinds = [event.WhichOneof("event") for event in events]
    assert kinds == ["started", *["delta"] * (len(kinds) - 4), "emotion", "action", "finished"]
    finished = events[-1].finished
    assert (events[-3].emotion, events[-2].action) == (finished.emotion, finished.actions[0])


async def test_the_game_gets_a_label_and_typed_arguments(baker: Stage) -> None:
    reply = await said(baker)
    assert reply.emotion is not None
    assert reply.emotion.label == "angry"
    assert reply.emotion.probability > 0.9
    assert reply.action == Action("hand_over", {"loaf": "rye", "coins": 2})
    assert reply.aside_tokens > 0


async def test_the_turn_keeps_what_was_shown(baker: Stage) -> None:
    reply = await said(baker)
    turn = baker.store.turn(reply.turn_id)
    assert turn is not None
    assert reply.emotion is not None
    shown = {key: turn.annotations[key] for key in ("emotion", "action")}
    assert shown == {
        "emotion": {
            "label": "angry",
            "probability": pytest.approx(reply.emotion.probability, abs=1e-3),
        },
        "action": {"name": "hand_over", "arguments": {"loaf": "rye", "coins": 2}},
    }


async def test_a_character_that_likes_nothing_to_do_does_nothing(baker: Stage) -> None:
    baker.engine.taste = taste("glad")
    reply = await said(baker)
    assert (reply.emotion and reply.emotion.label, reply.action) == ("glad", None)
    assert not any(request.sampling.json_schema for request in baker.engine.passing)


async def test_an_action_without_parameters_draws_nothing(baker: Stage) -> None:
    baker.engine.taste = taste("glad", "lock door")
    assert (await said(baker)).action == Action("lock_door", {})
    assert not any(request.sampling.json_schema for request in baker.engine.passing)


async def test_words_that_refuse_are_followed_by_no_action(
    stage: StageMaker, tmp_path: Path
) -> None:
    made = await stage(script("No. The oven is cold."), characters=write_ada(tmp_path))
    made.engine.taste = taste("furious", "hand over")
    reply = await said(made)
    assert (reply.emotion and reply.emotion.label, reply.action) == ("angry", None)


async def test_arguments_out_of_their_limits_are_no_action(
    stage: StageMaker, tmp_path: Path
) -> None:
    wrong = script(arguments='{"loaf": "rye", "coins": 70}')
    made = await stage(wrong, characters=write_ada(tmp_path))
    made.engine.taste = taste("hand over")
    assert (await said(made)).action is None


async def test_an_engine_that_fails_behind_the_words_costs_no_word(baker: Stage) -> None:
    def fail(request: Request) -> tuple[float, ...]:
        raise DecodeError("no luck")

    baker.engine.taste = fail
    reply = await said(baker)
    assert (reply.text, reply.emotion, reply.action) == (WORDS, None, None)
    assert baker.store.turn(reply.turn_id) is not None


async def test_the_emotion_comes_first_where_the_persona_says_so(
    stage: StageMaker, tmp_path: Path
) -> None:
    cast = write_ada(tmp_path, f"{CARD}emotion_first: true\n")
    made = await stage(script(), characters=cast)
    made.engine.judge = made.engine.taste = taste("furious")
    async with stub_of(made) as stub:
        call = stub.Say(dialogue_pb2.SayRequest(session_id=await opened(made), text="A loaf."))
        kinds = [event.WhichOneof("event") async for event in call]
    assert kinds[:3] == ["started", "emotion", "delta"]
    assert kinds.count("emotion") == 1


async def test_the_next_line_waits_for_nothing_behind_the_words(baker: Stage) -> None:
    asked, go_on = asyncio.Event(), asyncio.Event()

    async def halt(request: Request) -> None:
        if is_aside(request):
            asked.set()
            await go_on.wait()

    baker.engine.before_judging = halt
    session = await opened(baker)
    async with stub_of(baker) as stub:
        first, turn_id = await begin(stub, session, "One.")
        await asyncio.wait_for(asked.wait(), 5)
        second, _ = await begin(stub, session, "Two.")
        assert (await second.read()).HasField("delta")
        go_on.set()
        assert (await rest_of(first))[-3:] == ["emotion", "action", "finished"]
        assert (await rest_of(second))[-3:] == ["emotion", "action", "finished"]
    assert baker.store.turn(turn_id) is not None


async def test_a_call_cancelled_behind_the_words_is_no_interruption(baker: Stage) -> None:
    asked = asyncio.Event()

    async def halt(request: Request) -> None:
        asked.set()
        await asyncio.Event().wait()

    baker.engine.before_judging = halt
    session = await opened(baker)
    async with stub_of(baker) as stub:
        call, turn_id = await begin(stub, session, "One.")
        await asyncio.wait_for(asked.wait(), 5)
        call.cancel()
    await ended(baker, turn_id)
    turn = baker.store.turn(turn_id)
    assert turn is not None
    assert (turn.reply_text, turn.finish_reason) == (WORDS, "stop")


async def test_a_line_sent_again_gets_the_same_emotion_and_action(baker: Stage) -> None:
    session = await opened(baker)
    first = await baker.client.say(session, "A loaf.", line_id="l1")
    questions = len(baker.engine.passing)
    again = await baker.client.say(session, "A loaf.", line_id="l1")
    assert (again.emotion, again.action) == (first.emotion, first.action)
    assert len(baker.engine.passing) == questions


async def test_a_save_game_brings_back_what_was_done(baker: Stage) -> None:
    session = await opened(baker)
    reply = await baker.client.say(session, "A loaf.", line_id="l1")
    await baker.client.restore(await baker.client.checkpoint(session))
    again = await baker.client.say(session, "A loaf.", line_id="l1")
    assert again.emotion is not None
    assert reply.emotion is not None
    assert (again.emotion.label, again.action) == (reply.emotion.label, reply.action)


# Reports


def prompts(made: Stage) -> list[str]:
    """What the engine was asked to reply to, in order."""
    asked = (one for one in made.engine.requests if one.sampling.max_tokens > 1)
    return [FakeTokenizer().decode(one.prompt_ids) for one in asked]


async def test_the_character_hears_of_its_action_with_the_next_line_alone(baker: Stage) -> None:
    session = await opened(baker)
    reply = await baker.client.say(session, "A loaf.")
    await baker.client.report_action(reply.turn_id, "hand_over", True, "The loaf was stale.")
    second = await baker.client.say(session, "Well?")
    await baker.client.regenerate(session, second.turn_id)
    await baker.client.say(session, "And now?")
    told = ["[The loaf was stale.]\n" in prompt for prompt in prompts(baker)[-3:]]
    assert told == [True, True, False]


async def test_a_report_without_words_is_told_in_plain_ones(baker: Stage) -> None:
    session = await opened(baker)
    reply = await baker.client.say(session, "A loaf.")
    await baker.client.report_action(reply.turn_id, "hand_over", False)
    await baker.client.say(session, "Well?")
    assert "[You tried to hand over, and it failed.]" in prompts(baker)[-1]


async def test_a_report_sent_again_is_told_once(baker: Stage) -> None:
    session = await opened(baker)
    reply = await baker.client.say(session, "A loaf.")
    await baker.client.report_action(reply.turn_id, "hand_over", True, "The loaf was stale.")
    await baker.client.say(session, "Well?")
    await baker.client.report_action(reply.turn_id, "hand_over", True, "The loaf was stale.")
    await baker.client.say(session, "And now?")
    assert "stale" not in prompts(baker)[-1].rpartition("Well?")[2]


async def test_a_long_report_has_room(baker: Stage) -> None:
    session, text = await opened(baker), " ".join(["stale"] * 40)
    reply = await baker.client.say(session, "A loaf.")
    await baker.client.report_action(reply.turn_id, "hand_over", True, text)
    assert text in [note.text for note in (await baker.client.say(session, "Well?")).notes.told]


async def told_after(server: Path, token: str) -> list[str]:
    """What the next line is told with, where a later server goes back to a save game."""
    async with after(server) as client:
        session = (await client.restore(token)).conversation.session_id
        return [note.text for note in (await client.say(session, "Well?")).notes.told]


@asynccontextmanager
async def after(folder: Path) -> AsyncIterator[Client]:
    """A server on the folder's data, killed at the end."""
    if not (folder / "cast").exists():
        write_ada(folder)
    with child(folder / "data", cast=folder / "cast") as (_, address):
        async with Client(address) as client:
            yield client


async def test_a_report_that_nobody_has_heard_outlives_its_server(tmp_path: Path) -> None:
    async with after(tmp_path) as client:
        session = (await client.start_session("ada", "p1")).session_id
        reply = await client.say(session, "A loaf.")
        await client.report_action(reply.turn_id, "hand_over", True, "The loaf was stale.")
        token = await client.checkpoint(session)
    assert await told_after(tmp_path, token) == ["The loaf was stale."]


async def test_a_report_behind_the_last_save_outlives_its_server(tmp_path: Path) -> None:
    async with after(tmp_path) as client:
        session = (await client.start_session("ada", "p1")).session_id
        reply = await client.say(session, "A loaf.")
        token = await client.checkpoint(session)
        await client.report_action(reply.turn_id, "hand_over", True, "The loaf was stale.")
    assert await told_after(tmp_path, token) == ["The loaf was stale."]


async def test_a_report_that_was_heard_is_not_told_again_by_a_later_server(tmp_path: Path) -> None:
    async with after(tmp_path) as client:
        session = (await client.start_session("ada", "p1")).session_id
        reply = await client.say(session, "A loaf.")
        await client.report_action(reply.turn_id, "hand_over", True, "The loaf was stale.")
        await client.say(session, "And?")
        token = await client.checkpoint(session)
    assert await told_after(tmp_path, token) == []


async def test_a_save_takes_back_what_was_reported_after_it(baker: Stage) -> None:
    session = await opened(baker)
    reply = await baker.client.say(session, "A loaf.")
    token = await baker.client.checkpoint(session)
    await baker.client.report_action(reply.turn_id, "hand_over", True, "The loaf was stale.")
    await baker.client.say(session, "And?")
    await baker.client.restore(token)
    assert (await baker.client.say(session, "Well?")).notes.told == ()


async def test_a_save_brings_back_what_was_not_heard_then(baker: Stage) -> None:
    session = await opened(baker)
    reply = await baker.client.say(session, "A loaf.")
    await baker.client.report_action(reply.turn_id, "hand_over", True, "The loaf was stale.")
    token = await baker.client.checkpoint(session)
    await baker.client.say(session, "And?")
    await baker.client.restore(token)
    told = (await baker.client.say(session, "Well?")).notes.told
    assert [note.text for note in told] == ["The loaf was stale."]


async def test_a_forgotten_player_leaves_no_report(baker: Stage) -> None:
    session = await opened(baker)
    reply = await baker.client.say(session, "A loaf.")
    await baker.client.report_action(reply.turn_id, "hand_over", True, "The loaf was stale.")
    assert [one.text for one in baker.store.action_reports(session)] == ["The loaf was stale."]
    await asyncio.wrap_future(baker.store.forget(PSEUDONYMS.of("p1")))
    assert baker.store.action_reports(session) == []


async def test_a_report_on_what_was_not_announced_is_refused(baker: Stage) -> None:
    reply = await said(baker)
    code, what = await refusal(baker.client.report_action(reply.turn_id, "lock_door", True))
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert "its action is 'hand_over'" in what
    code, what = await refusal(baker.client.report_action("t1", "hand_over", True))
    assert code is grpc.StatusCode.NOT_FOUND
    assert "no open session has a turn 't1'" in what
    code, what = await refusal(
        baker.client.report_action(reply.turn_id, "hand_over", True, "x" * 501)
    )
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert "at most 500" in what
