"""Talking through the HTTP port, as programs with a client of Connect or gRPC-Web do."""

from __future__ import annotations

import asyncio
import json
from contextlib import aclosing
from typing import Any

import pytest
from connectrpc.code import Code
from connectrpc.errors import ConnectError

from npc.v1 import dialogue_pb2
from npc_server.engine.errors import EngineBusyError
from npc_server.engine.protocol import Request
from npc_server.errors import ConfigError
from tests.support.interruptions import ended
from tests.support.metrics_page import free_port, scrape
from tests.support.scripted_server import Stage, StageMaker
from tests.support.web_calls import (
    CLIENTS,
    GRPC_WEB,
    WORDS,
    WebClient,
    ask,
    framed,
    frames,
    line,
    opened,
    said,
)

pytestmark = pytest.mark.service


@pytest.fixture(params=CLIENTS)
def client(web_stage: Stage, web_port: int, request: pytest.FixtureRequest) -> WebClient:
    """A client of each kind, and the server."""
    return WebClient(web_port, request.param)


async def refusal(call: Any) -> ConnectError:
    """How the server refuses a call."""
    with pytest.raises(ConnectError) as caught:
        await call
    return caught.value


async def test_a_reply_streams_word_by_word(client: WebClient) -> None:
    events = await said(client, await opened(client))
    words = [event.delta.text for event in events if event.WhichOneof("event") == "delta"]
    assert words == ["One", " two", " three", " four."]
    assert (events[0].started.turn_id != "", events[-1].finished.text) == (True, WORDS)


async def test_an_error_comes_with_its_code_and_its_message(client: WebClient) -> None:
    unary = await refusal(client.call("Dialogue/EndSession", dialogue_pb2.EndSessionRequest()))
    stream = await refusal(said(client, "nope"))
    assert {unary.code, stream.code} == {Code.NOT_FOUND}
    assert "nope" in stream.message


async def test_a_client_that_leaves_ends_its_turn(client: WebClient, web_stage: Stage) -> None:
    session = await opened(client)
    web_stage.engine.gate.clear()
    stream: Any = client.stream("Dialogue/Say", line(session))
    async with aclosing(stream) as events:
        turn_id = (await anext(events)).started.turn_id
        await anext(events)
    await ended(web_stage, turn_id)
    assert web_stage.engine.running == 0


async def test_a_deadline_ends_the_turn_and_is_told(client: WebClient, web_stage: Stage) -> None:
    session = await opened(client)
    web_stage.engine.gate.clear()
    slow = client.stream("Dialogue/Say", line(session), timeout_ms=300)
    turn_id = (await anext(slow)).started.turn_id
    await anext(slow)
    assert (await refusal(anext(slow))).code is Code.DEADLINE_EXCEEDED
    await ended(web_stage, turn_id)


async def test_a_session_begun_by_one_door_goes_on_by_the_other(
    client: WebClient, web_stage: Stage
) -> None:
    session = await web_stage.client.start_session("mira", "p1")
    events = await said(client, session.session_id)
    assert events[-1].finished.text == WORDS
    assert (await web_stage.client.say(session.session_id, "Hi.")).text == WORDS


async def test_many_may_speak_at_once(client: WebClient) -> None:
    sessions = [await opened(client) for _ in range(16)]
    replies = await asyncio.gather(*(said(client, session) for session in sessions))
    assert [events[-1].finished.text for events in replies] == [WORDS] * 16


async def test_calls_of_both_doors_are_counted_alike(stage: StageMaker, web_port: int) -> None:
    metrics_port = free_port()
    made = await stage(http_port=web_port, metrics_port=metrics_port)
    await made.client.start_session("mira", "p1")
    await opened(WebClient(web_port, "connect"))
    assert (await scrape(metrics_port))["troupe_grpc_requests_total", "OK"] == 2


async def test_a_refusal_has_the_request_id_and_when_to_try_again(
    stage: StageMaker, web_port: int
) -> None:
    def crowded(request: Request) -> str:
        if request.request_id == "warm-up":
            return "warm"
        raise EngineBusyError("256 turns are waiting", retry_after_s=1.25)

    await stage(crowded, http_port=web_port)
    session = await opened(WebClient(web_port, "connect"))
    named = {**GRPC_WEB, "x-request-id": "game-7"}
    got = await ask(web_port, "Dialogue/Say", framed(line(session)), named)
    flags, trailers = frames(got.body)[-1]
    lines = {"grpc-status: 8", "x-request-id: game-7", "retry-after-ms: 1250"}
    assert (flags, lines - set(trailers.decode().splitlines())) == (0x80, set())


@pytest.mark.usefixtures("web_stage")
async def test_json_is_one_line_to_ask_and_one_to_answer(web_port: int) -> None:
    body = json.dumps({"character": "mira", "playerId": "p1"}).encode()
    got = await ask(web_port, "Dialogue/StartSession", body)
    assert (got.status, got.headers["content-type"]) == (200, "application/json")
    assert json.loads(got.body)["sessionId"]
    assert (got.body.count(b"\n"), "trailer-x-request-id" in got.headers) == (0, True)


async def test_a_reader_that_does_not_read_holds_up_nobody(web_stage: Stage, web_port: int) -> None:
    session = await opened(WebClient(web_port, "connect"))
    body = framed(line(session))
    headers = {"host": "x", **GRPC_WEB, "content-length": str(len(body))}
    lines = ["POST /npc.v1.Dialogue/Say HTTP/1.1", *(f"{k}: {v}" for k, v in headers.items())]
    _, writer = await asyncio.open_connection("127.0.0.1", web_port)
    writer.write("\r\n".join([*lines, "", ""]).encode() + body)
    async with asyncio.timeout(5):
        while not web_stage.engine.finished or web_stage.engine.running:
            await asyncio.sleep(0.01)
    assert await said(WebClient(web_port, "connect"), session)
    writer.close()


@pytest.mark.usefixtures("web_stage")
async def test_a_port_in_use_stops_the_start(stage: StageMaker, web_port: int) -> None:
    with pytest.raises(ConfigError, match=f"cannot listen on .*:{web_port}"):
        await stage(http_port=web_port)
