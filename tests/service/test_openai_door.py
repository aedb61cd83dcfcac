"""The HTTP port as clients of OpenAI's API use it, by OpenAI's own client."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI

from npc_server.config import HttpSection
from npc_server.engine.errors import EngineBusyError
from npc_server.engine.protocol import Request
from tests.support.casts import mira_with
from tests.support.interruptions import ended
from tests.support.openai_calls import client_of, complete, said, system, texts, user
from tests.support.scripted_server import Stage, StageMaker
from tests.support.web_calls import WORDS

pytestmark = pytest.mark.service

HELLO = user("Hello.")


@pytest.fixture
async def client(web_stage: Stage, web_port: int) -> AsyncIterator[AsyncOpenAI]:
    """A client of the server."""
    async with client_of(web_port) as made:
        yield made


async def test_a_completion_is_a_reply_of_the_character(
    client: AsyncOpenAI, web_stage: Stage
) -> None:
    got = await complete(client, HELLO)
    turn = web_stage.store.turn(got.id)
    assert (texts(got), got.choices[0].finish_reason) == ([WORDS], "stop")
    assert turn is not None
    assert (turn.character, turn.player_text, turn.reply_text) == ("mira", "Hello.", WORDS)
    assert got.usage.total_tokens == got.usage.prompt_tokens + got.usage.completion_tokens


async def test_a_reply_streams_word_by_word(client: AsyncOpenAI) -> None:
    stream = await complete(client, HELLO, stream=True, stream_options={"include_usage": True})
    chunks = [chunk async for chunk in stream]
    words = [chunk.choices[0].delta.content for chunk in chunks[:-2]]
    assert words == ["One", " two", " three", " four."]
    assert (chunks[-2].choices[0].finish_reason, chunks[-1].choices) == ("stop", [])
    assert chunks[-1].usage.completion_tokens > 0


async def test_models_are_the_characters(client: AsyncOpenAI) -> None:
    listed = [model.id async for model in client.models.list()]
    assert (listed, (await client.models.retrieve("mira")).id) == (["mira"], "mira")


async def test_a_client_that_leaves_ends_its_turn(client: AsyncOpenAI, web_stage: Stage) -> None:
    web_stage.engine.gate.clear()
    stream = await complete(client, HELLO, stream=True)
    turn_id = (await anext(aiter(stream))).id
    await stream.close()
    await ended(web_stage, turn_id)
    assert web_stage.engine.running == 0


async def test_takes_are_choices_of_one_line(stage: StageMaker, web_port: int) -> None:
    made = await stage(http_port=web_port)
    async with client_of(web_port) as client:
        got = await complete(client, HELLO, n=3, seed=7)
    turns = [made.store.turn(choice.turn_id) for choice in got.choices]
    assert [turn.take for turn in turns if turn] == [0, 1, 2]
    assert {turn.first_turn_id for turn in turns if turn} == {got.id}


async def test_sampling_is_as_the_client_says(client: AsyncOpenAI, web_stage: Stage) -> None:
    await complete(client, HELLO, temperature=0.2, top_p=0.5, seed=5, stop=["#"], max_tokens=9_000)
    sampling = web_stage.engine.requests[-1].sampling
    assert (sampling.temperature, sampling.top_p, sampling.seed) == (0.2, 0.5, 5)
    assert (sampling.stop, sampling.max_tokens < 9_000) == (("#",), True)


async def test_a_schema_is_the_form_of_the_reply(client: AsyncOpenAI, web_stage: Stage) -> None:
    form = {"type": "object", "properties": {"mood": {"type": "string"}}}
    wanted = {"type": "json_schema", "json_schema": {"name": "mood", "schema": form}}
    await complete(client, HELLO, response_format=wanted)
    assert '"mood"' in web_stage.engine.requests[-1].sampling.json_schema


async def test_system_messages_are_told_before_the_line(
    client: AsyncOpenAI, web_stage: Stage
) -> None:
    got = await complete(client, system("It rains. [Mira is a dragon.]"), HELLO)
    turn = web_stage.store.turn(got.id)
    assert turn is not None
    assert turn.messages[-1]["content"] == "[It rains. (Mira is a dragon.)]\nHello."
    assert "dragon" not in turn.messages[0]["content"]


async def test_a_server_may_ignore_what_clients_tell_a_character(
    stage: StageMaker, web_port: int
) -> None:
    made = await stage(http_port=web_port, http=HttpSection(system_messages="ignore"))
    async with client_of(web_port) as client:
        got = await complete(client, system("It rains."), HELLO)
        with pytest.raises(openai.BadRequestError, match="system_messages"):
            await complete(client, system("Summarize: it rains."))
    turn = made.store.turn(got.id)
    assert turn is not None
    assert turn.messages[-1]["content"] == "Hello."


async def test_a_version_that_is_not_live_can_be_tried(
    client: AsyncOpenAI, web_stage: Stage
) -> None:
    version = web_stage.publish("mira", seed=1)
    tried = await complete(client, HELLO, model=f"mira@{version}")
    live = await complete(client, HELLO)
    bare = await complete(client, HELLO, model="mira@base")
    turns = [web_stage.store.turn(got.id) for got in (tried, live, bare)]
    assert [turn.adapter_version for turn in turns if turn] == [version, "", ""]
    assert [turn.take for turn in turns if turn] == [0, 0, 0]


async def test_fields_that_ask_for_nothing_are_passed_over(client: AsyncOpenAI) -> None:
    neutral: dict[str, Any] = {"logit_bias": {}, "presence_penalty": 0, "tools": [], "top_k": 5}
    assert await said(client, HELLO, extra_body={**neutral, "char_name": "Mira"}) == WORDS


REFUSED: dict[str, tuple[dict[str, Any], type[openai.APIStatusError], str]] = {
    "penalty": ({"presence_penalty": 0.5}, openai.BadRequestError, "presence_penalty"),
    "tools": ({"tools": [{"type": "function"}]}, openai.BadRequestError, "tools"),
    "model": ({"model": "mirra"}, openai.NotFoundError, "mira"),
    "version": ({"model": "mira@v9999-00000000"}, openai.NotFoundError, "v9999"),
    "takes": ({"n": 99}, openai.BadRequestError, "n: "),
    "temperature": ({"temperature": 9}, openai.BadRequestError, "temperature: "),
    "last": (
        {"messages": [{"role": "assistant", "content": "Hi."}]},
        openai.BadRequestError,
        "user",
    ),
    "role": ({"messages": [{"role": "tool", "content": "Hi."}]}, openai.BadRequestError, "role"),
    "empty": ({"messages": [user(" ")]}, openai.BadRequestError, "empty"),
    "none": ({"messages": []}, openai.BadRequestError, "messages"),
    "form": (
        {"response_format": {"type": "json_schema"}},
        openai.BadRequestError,
        "response_format.json_schema",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
async def test_what_cannot_be_done_is_refused_by_name(client: AsyncOpenAI, case: str) -> None:
    asked, kind, what = REFUSED[case]
    with pytest.raises(kind) as caught:
        await complete(client, HELLO, extra_body=asked)
    body: Any = caught.value.body
    assert what in body["message"]
    assert caught.value.response.headers["x-request-id"]


async def test_a_busy_server_is_asked_again_by_the_client(
    stage: StageMaker, web_port: int, tmp_path: Path
) -> None:
    crowd = ["first"]

    def busy_once(request: Request) -> str:
        if request.request_id != "warm-up" and crowd:
            crowd.pop()
            raise EngineBusyError("256 turns are waiting", retry_after_s=0.05)
        return WORDS

    cast = mira_with(tmp_path, best_of=1)
    await stage(busy_once, http_port=web_port, characters=cast)
    async with client_of(web_port, retries=2) as client:
        got = await client.chat.completions.with_raw_response.create(
            model="mira", messages=[{"role": "user", "content": "Hello."}]
        )
    assert (got.retries_taken, texts(got.parse())) == (1, [WORDS])


async def test_a_refusal_is_told_as_openai_tells_it(stage: StageMaker, web_port: int) -> None:
    def busy(request: Request) -> str:
        if request.request_id == "warm-up":
            return "warm"
        raise EngineBusyError("256 turns are waiting", retry_after_s=1.25)

    await stage(busy, http_port=web_port)
    async with client_of(web_port) as client:
        with pytest.raises(openai.RateLimitError) as caught:
            await complete(client, HELLO, stream=True)
    headers = caught.value.response.headers
    assert (headers["retry-after"], headers["retry-after-ms"]) == ("2", "1250")
    assert (caught.value.type, caught.value.body) != (None, None)
