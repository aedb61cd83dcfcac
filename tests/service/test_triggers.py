"""Triggers over gRPC: what happens in the game, scripted words, and why a character stays quiet."""

from __future__ import annotations

from pathlib import Path

import pytest

from feedback_store.selection import select
from npc_client.client import Reply, Silence
from tests.support.calls import refusal
from tests.support.casts import mira_who_speaks_of
from tests.support.scripted_server import Stage, StageMaker

pytestmark = pytest.mark.service

FLOOD = {
    "event": "bell",
    "happens": "The bell rings twice.",
    "instruction": "You warn them.",
    "cooldown_s": 60,
}
GREETING = {"event": "greet", "say_verbatim": ["Morning. Mind the sparks."]}
NEVER = {"event": "omen", "happens": "A raven falls.", "when": "quest.mill >= 1"}


@pytest.fixture
async def made(stage: StageMaker, tmp_path: Path) -> Stage:
    return await stage(characters=mira_who_speaks_of(tmp_path, FLOOD, GREETING, NEVER))


async def opened(made: Stage) -> str:
    return (await made.client.start_session("mira", "p1", training_consent=True)).session_id


async def read(made: Stage, turn_id: str) -> list[str]:
    """What the model read of the conversation before its reply."""
    await made.wait_until_stored()
    turn = made.store.turn(turn_id)
    assert turn is not None
    return [message["content"] for message in turn.messages[1:]]


def said(reply: Reply | Silence) -> Reply:
    assert isinstance(reply, Reply)
    return reply


async def test_a_character_speaks_of_what_happens_as_its_author_wants(made: Stage) -> None:
    session = await opened(made)
    reply = said(await made.client.trigger(session, "bell", seed=7))
    assert await read(made, reply.turn_id) == ["[The bell rings twice. You warn them.]"]
    later = await made.client.say(session, "What was that?")
    assert await read(made, later.turn_id) == [
        "[The bell rings twice.]",
        reply.text,
        "What was that?",
    ]


async def test_the_game_tells_what_no_trigger_waits_for(made: Stage) -> None:
    session = await opened(made)
    reply = said(await made.client.trigger(session, text="A ship\nsinks."))
    assert await read(made, reply.turn_id) == ["[A ship sinks.]"]


async def test_scripted_words_come_word_for_word_and_cost_no_model_time(made: Stage) -> None:
    session = await opened(made)
    asked = len(made.engine.requests)
    heard: list[str] = []
    reply = said(await made.client.trigger(session, "greet", on_text=heard.append))
    own = said(await made.client.trigger(session, verbatim="We are closed."))
    assert [r for r in made.engine.requests[asked:] if not r.background] == []
    assert (reply.text, reply.finish_reason) == ("Morning. Mind the sparks.", "scripted")
    assert heard == [reply.text]
    later = await made.client.say(session, "Why?")
    assert await read(made, later.turn_id) == [
        "[You speak up.]",
        reply.text,
        "[You speak up.]",
        own.text,
        "Why?",
    ]


async def test_scripted_words_are_never_trained_on(made: Stage) -> None:
    session = await opened(made)
    scripted = said(await made.client.trigger(session, "greet"))
    await made.client.thumb(scripted.turn_id, up=True)
    reply = await made.client.say(session, "Hello.")
    await made.client.edit(reply.turn_id, "Morning. What broke?")
    await made.wait_until_stored()
    rows = select("mira", made.store.turns("mira"), made.store.events("mira"))
    assert rows.dropped == {"scripted": 1}
    (pair,) = (*rows.train_pairs, *rows.held_out_pairs)
    assert pair.chosen == "Morning. What broke?"


async def test_scripted_words_count_for_no_version(made: Stage) -> None:
    session = await opened(made)
    scripted = said(await made.client.trigger(session, "greet"))
    await made.client.thumb(scripted.turn_id, up=True)
    await made.client.say(session, "Hello.")
    await made.wait_until_stored()
    (figures,) = made.store.statistics("mira").versions
    assert (figures.turns, figures.likes) == (1, 0)


async def test_scripted_words_have_no_other_take(made: Stage) -> None:
    session = await opened(made)
    reply = said(await made.client.trigger(session, "greet"))
    _, why = await refusal(made.client.regenerate(session, reply.turn_id))
    assert "written by an author" in why


async def test_another_take_of_what_happens_reads_the_same(made: Stage) -> None:
    session = await opened(made)
    reply = said(await made.client.trigger(session, "bell"))
    take = await made.client.regenerate(session, reply.turn_id)
    assert await read(made, take.turn_id) == await read(made, reply.turn_id)


async def test_a_trigger_rests_and_says_so(made: Stage) -> None:
    session = await opened(made)
    said(await made.client.trigger(session, "bell"))
    assert await made.client.trigger(session, "bell") == Silence("cooldown")
    other = await opened(made)
    said(await made.client.trigger(other, "bell"))


async def test_a_condition_that_does_not_hold_keeps_it_quiet(made: Stage) -> None:
    session = await opened(made)
    assert await made.client.trigger(session, "omen") == Silence("condition")
    reply = said(await made.client.trigger(session, "omen", world={"quest.mill": 1}))
    assert "[A raven falls.]" in (await read(made, reply.turn_id))[-1]
    said(await made.client.trigger(session, "omen"))


async def test_the_same_call_again_gets_the_same_reply(made: Stage) -> None:
    session = await opened(made)
    first = said(await made.client.trigger(session, "bell", trigger_id="x"))
    again = said(await made.client.trigger(session, "bell", trigger_id="x"))
    assert (again.turn_id, again.text) == (first.turn_id, first.text)


async def test_what_happened_comes_back_with_a_save_game(made: Stage) -> None:
    session = await opened(made)
    reply = said(await made.client.trigger(session, "bell"))
    token = await made.client.checkpoint(session)
    await made.client.end_session(session)
    (lived,) = (await made.client.restore(token)).exchanges
    assert (lived.player_text, lived.happened) == ("", "[The bell rings twice.]")
    take = await made.client.regenerate(session, reply.turn_id)
    assert await read(made, take.turn_id) == ["[The bell rings twice. You warn them.]"]


async def test_an_event_of_no_trigger_is_refused_with_those_there_are(made: Stage) -> None:
    session = await opened(made)
    _, why = await refusal(made.client.trigger(session, "bel"))
    assert why.startswith("mira has no trigger 'bel'; known: bell, greet, omen")
    assert "or tell in text" in why
    _, nothing = await refusal(made.client.trigger(session))
    assert "say what happens" in nothing


async def test_what_a_trigger_has_rested_rides_in_save_games_and_outlives_the_server(
    stage: StageMaker, made: Stage
) -> None:
    session = await opened(made)
    start = await made.client.checkpoint(session)
    said(await made.client.trigger(session, "bell"))
    token = await made.client.checkpoint(session)
    after = await stage(characters=made.folder / "cast")
    await after.client.restore(token)
    assert await after.client.trigger(session, "bell") == Silence("cooldown")
    await after.client.restore(start)
    assert said(await after.client.trigger(session, "bell")).text
