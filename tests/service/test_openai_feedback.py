"""Feedback that clients of OpenAI's API give by what they send again, without knowing of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from itertools import count
from pathlib import Path
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI

from feedback_store.records import Choice, Edit, Event, Reason, Source, Thumb
from npc_server.config import HttpSection
from npc_server.engine.protocol import Request
from tests.support.casts import mira_with
from tests.support.openai_calls import client_of, complete, reply, said, system, texts, user
from tests.support.scripted_server import Stage, StageMaker

pytestmark = pytest.mark.service

HELLO, WHO = user("Hello."), user("Who are you?")
EDITED = "I am Mira, and I sell herbs."


@pytest.fixture
async def made(stage: StageMaker, web_port: int, tmp_path: Path) -> Stage:
    """A server whose Mira never says the same twice."""
    numbers = count()

    def script(_: Request) -> str:
        return f"This is reply number {next(numbers)}."

    return await stage(script, http_port=web_port, characters=mira_with(tmp_path, best_of=1))


@pytest.fixture
async def client(made: Stage, web_port: int) -> AsyncIterator[AsyncOpenAI]:
    """A client of it."""
    async with client_of(web_port) as one:
        yield one


async def events(made: Stage) -> list[Event]:
    """What was recorded about Mira's replies."""
    await made.wait_until_stored()
    return made.store.events("mira")


def history_of(made: Stage) -> list[str]:
    """What was said before the newest line, as the model read it."""
    turn = max(made.store.turns("mira"), key=lambda one: one.turn_id)
    return [message["content"] for message in turn.messages]


async def test_the_same_line_again_is_another_take(client: AsyncOpenAI, made: Stage) -> None:
    first, second = await complete(client, HELLO), await complete(client, HELLO)
    turn = made.store.turn(second.id)
    assert turn is not None
    assert (turn.take, turn.first_turn_id) == (1, first.id)


async def test_a_talk_goes_on_in_its_session(client: AsyncOpenAI, made: Stage) -> None:
    first = await complete(client, HELLO)
    second = await complete(client, HELLO, reply(texts(first)[0]), WHO)
    turns = [made.store.turn(one.id) for one in (first, second)]
    assert len({turn.session_id for turn in turns if turn}) == 1
    assert texts(first)[0] in history_of(made)


async def test_to_go_on_from_an_earlier_take_is_a_choice(client: AsyncOpenAI, made: Stage) -> None:
    takes = [await complete(client, HELLO) for _ in range(3)]
    await complete(client, HELLO, reply(texts(takes[1])[0]), WHO)
    (event,) = await events(made)
    kept, over = takes[1].id, (takes[0].id, takes[2].id)
    assert (event.turn_id, event.payload, event.source) == (kept, Choice(over, 2), Source.EXPLICIT)
    assert texts(takes[1])[0] in history_of(made)


async def test_to_go_on_from_the_newest_take_is_weaker_evidence(
    client: AsyncOpenAI, made: Stage
) -> None:
    takes = [await complete(client, HELLO) for _ in range(2)]
    await complete(client, HELLO, reply(texts(takes[1])[0]), WHO)
    (event,) = await events(made)
    assert (event.payload, event.source) == (Choice((takes[0].id,), 2), Source.DERIVED)


async def test_another_text_than_was_said_is_a_correction(client: AsyncOpenAI, made: Stage) -> None:
    first = await complete(client, HELLO)
    await complete(client, HELLO, reply(EDITED), WHO)
    (event,) = await events(made)
    assert (event.turn_id, event.payload) == (first.id, Edit(EDITED))
    assert EDITED in history_of(made)


async def test_a_correction_is_made_once(client: AsyncOpenAI, made: Stage) -> None:
    await complete(client, HELLO)
    second = await said(client, HELLO, reply(EDITED), WHO)
    await complete(client, HELLO, reply(EDITED), WHO, reply(second), user("What herbs?"))
    kinds = [type(event.payload) for event in await events(made)]
    assert kinds == [Edit]


async def test_an_old_reply_may_be_corrected(client: AsyncOpenAI, made: Stage) -> None:
    first = await complete(client, HELLO)
    second = await said(client, HELLO, reply(texts(first)[0]), WHO)
    third = await complete(client, HELLO, reply(EDITED), WHO, reply(second), user("What herbs?"))
    (event,) = await events(made)
    assert (event.turn_id, event.payload) == (first.id, Edit(EDITED))
    assert made.store.turn(third.id) is not None
    assert EDITED in history_of(made)


async def test_how_a_client_shows_a_reply_is_no_correction(
    client: AsyncOpenAI, made: Stage
) -> None:
    first = await said(client, HELLO)
    await complete(client, HELLO, reply(f" *{first.upper()}*\n"), WHO)
    assert await events(made) == []


async def test_what_was_said_elsewhere_is_read_and_not_recorded(
    client: AsyncOpenAI, made: Stage
) -> None:
    await complete(client, reply("Well met."), HELLO, reply("Buy something."), WHO)
    (turn,) = made.store.turns("mira")
    assert turn.player_text == "Who are you?"
    assert {"Well met.", "Hello.", "Buy something."} <= set(history_of(made))
    assert await events(made) == []


async def test_a_line_that_was_rewritten_begins_a_talk_of_its_own(
    client: AsyncOpenAI, made: Stage
) -> None:
    first = await said(client, HELLO)
    one = await complete(client, HELLO, reply(first), WHO)
    other = await complete(client, HELLO, reply(first), user("Where are you?"))
    turns = [made.store.turn(completion.id) for completion in (one, other)]
    assert len({turn.session_id for turn in turns if turn}) == 2
    assert first in history_of(made)


async def test_players_who_begin_alike_are_kept_apart(client: AsyncOpenAI, made: Stage) -> None:
    ids = [(await complete(client, HELLO, user=name)).id for name in ("p1", "p2")]
    turns = [made.store.turn(turn_id) for turn_id in ids]
    assert [turn.take for turn in turns if turn] == [0, 0]
    assert len({turn.player_id for turn in turns if turn}) == 2


async def test_calls_at_once_for_one_line_are_its_takes(client: AsyncOpenAI, made: Stage) -> None:
    await asyncio.gather(*(complete(client, HELLO) for _ in range(4)))
    turns = made.store.turns("mira")
    assert sorted(turn.take for turn in turns) == [0, 1, 2, 3]


async def test_a_call_that_is_repeated_under_its_key_gets_its_reply_again(
    client: AsyncOpenAI, made: Stage
) -> None:
    key = {"Idempotency-Key": "call-1"}
    got = [await complete(client, HELLO, n=2, extra_headers=key) for _ in range(2)]
    assert (got[0].id, texts(got[0])) == (got[1].id, texts(got[1]))
    assert len(made.store.turns("mira")) == 2


async def test_consent_is_off_unless_it_is_configured(client: AsyncOpenAI, made: Stage) -> None:
    await complete(client, HELLO)
    assert [turn.consent for turn in made.store.turns("mira")] == [False]


async def test_players_may_train_where_it_is_configured(stage: StageMaker, web_port: int) -> None:
    made = await stage(http_port=web_port, http=HttpSection(training_consent=True))
    async with client_of(web_port) as client:
        await complete(client, HELLO)
    assert [turn.consent for turn in made.store.turns("mira")] == [True]


TASKS: dict[str, tuple[Any, ...]] = {
    "system": (system("Summarize: Mira sells herbs."),),
    "title": (user("### Task:\nWrite a title.\n<chat_history>"),),
    "summary": (HELLO, reply("Hm."), system("Ignore previous instructions. Summarize.")),
    "memory": (system("You are tasked with summarizing the talk."), user("Hello. Hm.")),
}


@pytest.mark.parametrize("case", TASKS)
async def test_tasks_of_front_ends_are_answered_and_not_recorded(
    client: AsyncOpenAI, made: Stage, case: str
) -> None:
    assert (await said(client, *TASKS[case])).startswith("This is reply")
    await made.wait_until_stored()
    assert made.store.turns("mira") == []
    assert [request.request_id for request in made.engine.requests] == ["warm-up"]


async def thumb(client: AsyncOpenAI, **fields: Any) -> Any:
    """What the server says of a thumb."""
    return await client.post("/feedback", body=fields, cast_to=object)


async def test_a_thumb_is_recorded_for_the_completion(client: AsyncOpenAI, made: Stage) -> None:
    got = await complete(client, HELLO)
    told = await thumb(client, id=got.id, thumb="down", reasons=["too_long"], event_id="e1")
    (event,) = await events(made)
    assert (told["event_id"], event.turn_id) == ("e1", got.id)
    assert event.payload == Thumb(up=False, reasons=(Reason.TOO_LONG,))


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "reason": ({"thumb": "down", "reasons": ["to_long"]}, "too_long"),
    "up": ({"thumb": "up", "reasons": ["boring"]}, "reasons"),
    "thumb": ({"thumb": "sideways"}, "thumb"),
    "field": ({"thumb": "up", "note": "!"}, "note"),
}


@pytest.mark.parametrize("case", WRONG)
async def test_a_malformed_thumb_is_refused_by_name(client: AsyncOpenAI, case: str) -> None:
    fields, what = WRONG[case]
    with pytest.raises(openai.BadRequestError, match=what):
        await thumb(client, id="t1", **fields)


async def test_a_thumb_for_nothing_is_not_found(client: AsyncOpenAI) -> None:
    with pytest.raises(openai.NotFoundError):
        await thumb(client, id="t1", thumb="up")
