"""Reactions over real gRPC, into real SQLite."""

from typing import Any

import grpc
import grpc.aio
import pytest

from feedback_store.rate_limit import RateLimit
from feedback_store.records import (
    Choice,
    Edit,
    Event,
    Outcome,
    Payload,
    Rating,
    Reason,
    Sign,
    Signal,
    Source,
    Thumb,
)
from npc.v1 import feedback_pb2, feedback_pb2_grpc
from tests.support.calls import a_turn
from tests.support.scripted_server import PSEUDONYMS, Stage, StageMaker

pytestmark = pytest.mark.service


async def submit(stage: Stage, **fields: object) -> feedback_pb2.SubmitResponse:
    """Send one event as a game would."""
    async with grpc.aio.insecure_channel(stage.client.address) as channel:
        stub = feedback_pb2_grpc.FeedbackStub(channel)
        answer: feedback_pb2.SubmitResponse = await stub.Submit(
            feedback_pb2.SubmitRequest(**fields)  # type: ignore[arg-type]  # as the test names them
        )
        return answer


async def refused(stage: Stage, **fields: object) -> tuple[grpc.StatusCode, str]:
    """How the server refuses an event."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await submit(stage, **fields)
    return caught.value.code(), str(caught.value.details())


def explicit(stage: Stage) -> list[Event]:
    """What players sent about Mira."""
    return [event for event in stage.store.events("mira") if event.source is Source.EXPLICIT]


async def test_an_event_is_stored_with_its_player(stage: StageMaker) -> None:
    made = await stage()
    turn_id = await a_turn(made)
    await made.client.thumb(turn_id, up=False, reasons=["too_long"])
    (event,) = made.store.events("mira")
    assert event.payload == Thumb(up=False, reasons=(Reason.TOO_LONG,))
    assert (event.turn_id, event.player_id) == (turn_id, PSEUDONYMS.of("p1"))


async def test_the_same_event_again_answers_as_the_first_time(stage: StageMaker) -> None:
    made = await stage()
    turn_id = await a_turn(made)
    thumb = feedback_pb2.Thumb(up=True)
    first = await submit(made, event_id="e1", turn_id=turn_id, thumb=thumb)
    again = await submit(made, event_id="e1", turn_id=turn_id, thumb=thumb)
    assert (first.received_at, first.duplicate) == (again.received_at, False)
    assert again.duplicate
    assert len(made.store.events("mira")) == 1


async def test_an_event_id_is_not_used_for_two_things(stage: StageMaker) -> None:
    made = await stage()
    turn_id = await a_turn(made)
    await submit(made, event_id="e1", turn_id=turn_id, thumb=feedback_pb2.Thumb(up=True))
    code, _ = await refused(
        made, event_id="e1", turn_id=turn_id, thumb=feedback_pb2.Thumb(up=False)
    )
    assert code is grpc.StatusCode.ALREADY_EXISTS


async def test_a_turn_that_does_not_exist_is_not_found(stage: StageMaker) -> None:
    made = await stage()
    code, details = await refused(
        made, event_id="e1", turn_id="nope", thumb=feedback_pb2.Thumb(up=True)
    )
    assert code is grpc.StatusCode.NOT_FOUND
    assert "'nope'" in details


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        pytest.param({"thumb": feedback_pb2.Thumb(up=True), "event_id": ""}, "event_id", id="id"),
        pytest.param(
            {"thumb": feedback_pb2.Thumb(up=True), "event_id": "derived:1"},
            "derived:",
            id="taken-id",
        ),
        pytest.param({}, "no reaction is set", id="no-reaction"),
        pytest.param({"rating": feedback_pb2.Rating(stars=6)}, "rating.stars is 6", id="stars"),
        pytest.param({"outcome": feedback_pb2.Outcome()}, "outcome.name is empty", id="no-quest"),
        pytest.param({"signal": feedback_pb2.Signal()}, "signal.sign is 0", id="no-sign"),
        pytest.param(
            {"choice": feedback_pb2.Choice(over_turn_ids=["t"] * 101)},
            "at most 100",
            id="many-takes",
        ),
        pytest.param(
            {"thumb": feedback_pb2.Thumb(up=True), "session_id": "s"},
            "exactly one",
            id="two-targets",
        ),
        pytest.param({"edit": feedback_pb2.Edit(text=" ")}, "edit.text is empty", id="empty-edit"),
        pytest.param({"choice": feedback_pb2.Choice()}, "names no other turn", id="lone-choice"),
        pytest.param(
            {"thumb": feedback_pb2.Thumb(up=True, reasons=["REASON_BORING"])},
            "leave them out",
            id="praise-with-complaint",
        ),
        pytest.param(
            {"thumb": feedback_pb2.Thumb(up=False, reasons=["REASON_UNSPECIFIED"])},
            "thumb.reasons holds 0",
            id="no-reason",
        ),
    ],
)
async def test_malformed_events_are_refused_by_field(
    stage: StageMaker, fields: dict[str, object], said: str
) -> None:
    made = await stage()
    turn_id = await a_turn(made)
    code, details = await refused(made, **{"event_id": "e1", "turn_id": turn_id, **fields})
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert said in details
    assert made.store.events("mira") == []


@pytest.mark.parametrize(
    ("fields", "payload"),
    [
        pytest.param({"rating": feedback_pb2.Rating(stars=5)}, Rating(5), id="rating"),
        pytest.param(
            {"outcome": feedback_pb2.Outcome(success=True, name="ring")},
            Outcome(True, "ring"),
            id="outcome",
        ),
        pytest.param(
            {"signal": feedback_pb2.Signal(sign="SIGN_LINGERED")},
            Signal(Sign.LINGERED),
            id="signal",
        ),
        pytest.param({"edit": feedback_pb2.Edit(text="Aye.")}, Edit("Aye."), id="edit"),
    ],
)
async def test_every_kind_is_stored_as_sent(
    stage: StageMaker, fields: dict[str, object], payload: Payload
) -> None:
    made = await stage()
    await submit(made, event_id="e1", turn_id=await a_turn(made), **fields)
    assert [event.payload for event in made.store.events("mira")] == [payload]


@pytest.mark.parametrize("reason", list(Reason))
async def test_every_reason_arrives(stage: StageMaker, reason: Reason) -> None:
    made = await stage()
    await made.client.thumb(await a_turn(made), up=False, reasons=[reason.value])
    assert [event.payload for event in made.store.events("mira")] == [Thumb(False, (reason,))]


async def test_an_outcome_may_be_of_a_whole_session(stage: StageMaker) -> None:
    made = await stage()
    session = await made.client.start_session("mira", "p1")
    await made.client.outcome("ring", success=False, session_id=session.session_id)
    (event,) = made.store.events("mira")
    assert (event.turn_id, event.session_id) == ("", session.session_id)


async def test_a_thumb_is_of_a_turn_not_of_a_session(stage: StageMaker) -> None:
    made = await stage()
    session = (await made.client.start_session("mira", "p1")).session_id
    thumb = feedback_pb2.Thumb(up=True)
    code, details = await refused(made, event_id="e1", session_id=session, thumb=thumb)
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert "only an outcome" in details


async def test_a_correction_loses_personal_data_before_it_is_stored(stage: StageMaker) -> None:
    made = await stage()
    await made.client.edit(await a_turn(made), "Write to bob@example.org, stranger.")
    assert [event.payload for event in explicit(made)] == [Edit("Write to [email], stranger.")]


async def test_an_event_taken_back_is_kept_as_history(stage: StageMaker) -> None:
    made = await stage()
    turn_id = await a_turn(made)
    event_id = await made.client.thumb(turn_id, up=True)
    assert [await made.client.undo(event_id) for _ in range(2)] == [turn_id, turn_id]
    assert [(event.event_id, event.undone) for event in explicit(made)] == [(event_id, True)]


async def test_an_event_that_is_not_recorded_cannot_be_taken_back(stage: StageMaker) -> None:
    made = await stage()
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await made.client.undo("nope")
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND


async def test_the_talk_goes_on_from_what_was_said_when_choice_and_correction_are_undone(
    stage: StageMaker,
) -> None:
    made = await stage()
    session = (await made.client.start_session("mira", "p1")).session_id
    first = await made.client.say(session, "One.", seed=1)
    other = await made.client.regenerate(session, first.turn_id, seed=2)
    chosen = await made.client.choose(first.turn_id, [other.turn_id])
    corrected = await made.client.edit(other.turn_id, "Corrected words.")
    await made.client.undo(chosen)
    await made.client.undo(corrected)
    reply = await made.client.say(session, "Two.", seed=3)
    turn = made.store.turn(reply.turn_id)
    assert turn is not None
    assert turn.messages[-2]["content"] == "reply 2"


async def test_who_sends_too_fast_is_told_when_to_come_again(stage: StageMaker) -> None:
    made = await stage(limit=RateLimit(events_per_minute=60, burst=1))
    turn_id = await a_turn(made)
    await made.client.thumb(turn_id, up=True)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await submit(made, event_id="e2", turn_id=turn_id, thumb=feedback_pb2.Thumb(up=False))
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    trailers: Any = caught.value.trailing_metadata()
    assert 0 < int(trailers["retry-after-ms"]) <= 1000


async def test_what_the_server_derives_is_not_limited(stage: StageMaker) -> None:
    made = await stage(limit=RateLimit(events_per_minute=60, burst=1))
    session = (await made.client.start_session("mira", "p1")).session_id
    first = await made.client.say(session, "One.", seed=1)
    other = await made.client.regenerate(session, first.turn_id, seed=2)
    await made.client.thumb(other.turn_id, up=True)
    await made.client.say(session, "Two.", seed=3)
    await made.wait_until_stored()
    derived = [e.payload for e in made.store.events("mira") if e.source is Source.DERIVED]
    assert derived == [Choice((first.turn_id,), 2)]
