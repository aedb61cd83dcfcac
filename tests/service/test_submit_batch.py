"""Many events in one call, as from a game that was offline."""

import asyncio

import grpc
import grpc.aio
import pytest

from feedback_store.rate_limit import RateLimit
from feedback_store.records import Thumb
from npc.v1 import dialogue_pb2, dialogue_pb2_grpc, feedback_pb2, feedback_pb2_grpc
from npc_client.client import EventStatus, SubmitRequest, new_event
from npc_server import limits, reactions
from npc_server.config import FeedbackSection
from tests.support.calls import a_turn, refusal, thumbs
from tests.support.metrics_page import free_port, scrape
from tests.support.scripted_server import Stage, StageMaker

pytestmark = pytest.mark.service

UP, DOWN = feedback_pb2.Thumb(up=True), feedback_pb2.Thumb(up=False)


def codes(statuses: list[EventStatus]) -> list[tuple[str, str]]:
    """Event ids with the names of their statuses."""
    names = {code.value[0]: code.name for code in grpc.StatusCode}
    return [(status.event_id, names[status.code]) for status in statuses]


async def running_turn(stage: Stage, session_id: str) -> tuple[str, asyncio.Task[None]]:
    """A turn that waits at the engine's gate: its id, and the task that reads it to its end."""
    stage.engine.gate.clear()
    channel = grpc.aio.insecure_channel(stage.client.address)
    request = dialogue_pb2.SayRequest(session_id=session_id, text="A long story, please.")
    stream = aiter(dialogue_pb2_grpc.DialogueStub(channel).Say(request))
    started = await anext(stream)

    async def to_its_end() -> None:
        async for _ in stream:
            pass
        await channel.close(grace=None)

    return started.started.turn_id, asyncio.create_task(to_its_end())


async def test_what_was_queued_offline_counts_from_when_it_happened(stage: StageMaker) -> None:
    made = await stage()
    session = await made.client.start_session("mira", "p1", training_consent=True)
    reply = await made.client.say(session.session_id, "Hello.")
    queued = [
        new_event(reply.turn_id, thumb=DOWN),
        new_event(reply.turn_id, edit=feedback_pb2.Edit(text="The older words.")),
    ]
    await made.client.thumb(reply.turn_id, up=True)
    await made.client.edit(reply.turn_id, "The newer words.")
    statuses = await made.client.submit_batch(queued)
    assert [code for _, code in codes(statuses)] == ["OK", "OK"]
    (figures,) = made.store.statistics("mira").versions
    assert (figures.likes, figures.dislikes) == (1, 0)
    await made.client.say(session.session_id, "And now?")
    newest = made.store.turns("mira")[-1]
    assert newest.messages[-2]["content"] == "The newer words."


async def test_a_time_that_is_none_is_refused(stage: StageMaker) -> None:
    made = await stage()
    (event,) = thumbs(await a_turn(made), "e1")
    event.occurred_at.seconds = 1_790_000_000_000  # milliseconds by mistake
    code, said = await refusal(made.client.submit(event))
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert said.startswith("occurred_at has 1790000000000 seconds")


async def test_statuses_come_in_order_and_a_bad_event_fails_alone(stage: StageMaker) -> None:
    made = await stage()
    turn_id = await a_turn(made)
    good = thumbs(turn_id, "e1", "e2", "e1")
    events = [good[0], SubmitRequest(event_id="bad", turn_id=turn_id), *good[1:]]
    events += [*thumbs("nope", "lost"), SubmitRequest(event_id="e1", turn_id=turn_id, thumb=DOWN)]
    statuses = await made.client.submit_batch(events)
    assert codes(statuses) == [
        ("e1", "OK"),
        ("bad", "INVALID_ARGUMENT"),
        ("e2", "OK"),
        ("e1", "OK"),
        ("lost", "NOT_FOUND"),
        ("e1", "ALREADY_EXISTS"),
    ]
    assert [status.duplicate for status in statuses] == [False, False, False, True, False, False]
    assert "no reaction is set" in statuses[1].message
    assert [event.event_id for event in made.store.events("mira")] == ["e1", "e2"]


async def test_many_messages_are_answered_in_the_order_sent(stage: StageMaker) -> None:
    made = await stage()
    names = [f"e{i}" for i in range(1000)]
    statuses = await made.client.submit_batch(thumbs(await a_turn(made), *names))
    assert codes(statuses) == [(name, "OK") for name in names]
    assert len(made.store.events("mira")) == 1000


async def test_of_two_thumbs_in_a_message_the_later_one_is_the_later_one(stage: StageMaker) -> None:
    made = await stage()
    turn_id = await a_turn(made)
    later = SubmitRequest(event_id="a", turn_id=turn_id, thumb=DOWN)
    await made.client.submit_batch([*thumbs(turn_id, "b"), later])
    assert [event.payload for event in made.store.events("mira")] == [Thumb(True), Thumb(False)]


async def test_the_limit_names_the_events_it_turned_away_and_when_to_send_them(
    stage: StageMaker,
) -> None:
    made = await stage(limit=RateLimit(events_per_minute=60, burst=2))
    statuses = await made.client.submit_batch(thumbs(await a_turn(made), "e1", "e2", "e3"))
    assert [code for _, code in codes(statuses)] == ["OK", "OK", "RESOURCE_EXHAUSTED"]
    assert 0 < statuses[2].retry_after_ms <= 1000


async def batch(stage: Stage, *sizes: int) -> grpc.aio.AioRpcError:
    """The refusal of a call with messages of these sizes."""
    async with grpc.aio.insecure_channel(stage.client.address) as channel:
        messages = (
            feedback_pb2.SubmitBatchRequest(events=thumbs("t", *map(str, range(size))))
            for size in sizes
        )
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await feedback_pb2_grpc.FeedbackStub(channel).SubmitBatch(messages)
        return caught.value


async def test_overfull_messages_and_calls_are_refused_with_the_limit(
    stage: StageMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await stage()
    monkeypatch.setattr(limits, "MAX_EVENTS_PER_CALL", 20)
    empty, large, long = [await batch(made, *sizes) for sizes in ((0,), (257,), (10, 11))]
    assert {error.code() for error in (empty, large, long)} == {grpc.StatusCode.INVALID_ARGUMENT}
    assert "1 to 256" in str(empty.details())
    assert "257 events" in str(large.details())
    assert "more than 20 events" in str(long.details())


async def test_an_event_that_comes_before_its_turn_is_recorded_waits_for_it(
    stage: StageMaker,
) -> None:
    made = await stage(lambda _: "a long reply", feedback=FeedbackSection(turn_wait_s=5))
    session = await made.client.start_session("mira", "p1")
    turn_id, speaking = await running_turn(made, session.session_id)
    sending = asyncio.create_task(made.client.submit_batch(thumbs(turn_id, "e1")))
    await asyncio.sleep(0.1)
    assert not sending.done()
    made.engine.gate.set()
    await speaking
    (status,) = await sending
    assert (status.code, status.duplicate) == (0, False)


async def test_it_does_not_wait_for_ever(stage: StageMaker) -> None:
    made = await stage(lambda _: "a long reply", feedback=FeedbackSection(turn_wait_s=0.2))
    session = await made.client.start_session("mira", "p1")
    turn_id, speaking = await running_turn(made, session.session_id)
    assert codes(await made.client.submit_batch(thumbs(turn_id, "e1"))) == [("e1", "NOT_FOUND")]
    made.engine.gate.set()
    await speaking


async def test_beyond_a_number_of_waiting_events_others_are_answered_at_once(
    stage: StageMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reactions, "MAX_WAITING", 1)
    made = await stage(feedback=FeedbackSection(turn_wait_s=60))
    waiting = asyncio.create_task(made.client.submit_batch(thumbs("nope", "e1")))
    await asyncio.sleep(0.1)
    async with asyncio.timeout(2):
        assert codes(await made.client.submit_batch(thumbs("nope", "e2"))) == [("e2", "NOT_FOUND")]
    assert not waiting.done()
    waiting.cancel()


async def test_who_waits_for_a_turn_holds_nobody_up(stage: StageMaker) -> None:
    made = await stage(feedback=FeedbackSection(turn_wait_s=60))
    turn_id = await a_turn(made)
    lost = [thumbs("nope", f"lost{i}")[0] for i in range(3000)]
    waiting = asyncio.create_task(made.client.submit_batch(lost))
    async with asyncio.timeout(5):
        await made.client.submit_batch(thumbs(turn_id, "e1"))
        assert not waiting.done()
    waiting.cancel()


async def test_events_and_calls_are_counted_and_the_call_keeps_its_id(stage: StageMaker) -> None:
    port = free_port()
    made = await stage(metrics_port=port)
    turn_id = await a_turn(made)
    async with grpc.aio.insecure_channel(made.client.address) as channel:
        message = feedback_pb2.SubmitBatchRequest(events=thumbs(turn_id, "e1", "e2"))
        stub = feedback_pb2_grpc.FeedbackStub(channel)
        call = stub.SubmitBatch(iter([message]), metadata=(("x-request-id", "quest-7"),))
        await call
        assert ("x-request-id", "quest-7") in tuple(await call.trailing_metadata())
    samples = await scrape(port)
    assert samples["troupe_feedback_events_total", "OK"] == 2
    assert samples["troupe_records_waiting", ""] == 0
