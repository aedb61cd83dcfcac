"""Text that nobody sees is no text, wherever it comes in."""

import grpc
import pytest

from npc_client.client import SamplingOverrides
from tests.support.calls import refusal
from tests.support.scripted_server import StageMaker

pytestmark = pytest.mark.service

UNSEEN = ["\u200b\u200b", "\u2060", "\ufeff", "\u00ad", "\u3164", "\ufe0f", "\0", "\x1b", "\u202e"]


@pytest.mark.parametrize("text", UNSEEN, ids=ascii)
async def test_an_unseen_line_is_refused(stage: StageMaker, text: str) -> None:
    made = await stage()
    session = (await made.client.start_session("mira", "p1")).session_id
    assert await refusal(made.client.say(session, text)) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        "text is empty",
    )


async def test_an_unseen_correction_changes_nothing(stage: StageMaker) -> None:
    made = await stage()
    session = (await made.client.start_session("mira", "p1")).session_id
    reply = await made.client.say(session, "Hello.", seed=1)
    code, why = await refusal(made.client.edit(reply.turn_id, "\u200b\u2060"))
    assert (code, why) == (grpc.StatusCode.INVALID_ARGUMENT, "edit.text is empty")
    (lived,) = (await made.client.restore(await made.client.checkpoint(session))).exchanges
    assert lived.reply_text == "reply 1"


async def test_the_model_reads_no_control_character_and_every_sign_of_writing(
    stage: StageMaker,
) -> None:
    made = await stage()
    session = (await made.client.start_session("mira", "p1")).session_id
    reply = await made.client.say(session, "\x1b]0;x\x07می\u200cخواهم 👩\u200d🚀\u202e")
    turn = made.store.turn(reply.turn_id)
    assert turn is not None
    assert turn.player_text == turn.messages[-1]["content"] == "]0;xمی\u200cخواهم 👩\u200d🚀"


async def test_unseen_ids_and_stop_texts_are_refused_by_name(stage: StageMaker) -> None:
    made = await stage()
    session = (await made.client.start_session("mira", "p1")).session_id
    stop = SamplingOverrides(stop=["\u202e"])
    for call, field in (
        (made.client.start_session("mira", "p\u200b1"), "player_id holds U+200B"),
        (made.client.start_session("mira", "\u200b"), "player_id is empty"),
        (made.client.say(session, "Hello.", sampling=stop), "stop holds U+202E"),
        (made.client.undo("a\0"), "event_id holds U+0000"),
        (made.client.outcome("\u2060", success=True, session_id=session), "outcome.name is empty"),
    ):
        code, why = await refusal(call)
        assert (code, why[: len(field)]) == (grpc.StatusCode.INVALID_ARGUMENT, field)
