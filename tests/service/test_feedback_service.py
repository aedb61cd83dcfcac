"""Reactions over real gRPC, into real SQLite."""

import grpc
import grpc.aio
import pytest

from feedback_store.records import Reason, Thumb
from npc.v1 import feedback_pb2, feedback_pb2_grpc
from tests.service.conftest import Stage, StageMaker

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


async def a_turn(stage: Stage) -> str:
    """The id of a turn of player p1 with Mira."""
    session = await stage.client.start_session("mira", "p1")
    return (await stage.client.say(session.session_id, "Hello.")).turn_id


async def test_an_event_is_stored_with_its_player(stage: StageMaker) -> None:
    made = await stage()
    turn_id = await a_turn(made)
    await made.client.thumb(turn_id, up=False, reasons=["too_long"])
    (event,) = made.store.events("mira")
    assert event.payload == Thumb(up=False, reasons=(Reason.TOO_LONG,))
    assert (event.turn_id, event.player_id) == (turn_id, "p1")


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
        pytest.param({}, "no reaction is set", id="no-reaction"),
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
