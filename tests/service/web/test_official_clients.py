"""Connect's and gRPC-Web's own JavaScript clients, under Node."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.scripted_server import Stage

pytestmark = [pytest.mark.service, pytest.mark.web]

CLIENTS = ("connect", "connect-json", "connect-grpc-web", "grpc-web-text", "grpc-web-binary")
STREAMING = CLIENTS[:3]  # Node's XMLHttpRequest shows no part of a response; the browser's does
EVERY_CLIENT = pytest.mark.parametrize("client", CLIENTS)

NOT_FOUND, DEADLINE_EXCEEDED = 5, 4


async def done(folder: Path, port: int, client: str, scenario: str) -> Any:
    """What a scenario returns."""
    command = ("node", "node.js", f"http://127.0.0.1:{port}", client, scenario)
    process = await asyncio.create_subprocess_exec(
        *command, cwd=folder, stdout=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(30):
        return json.loads((await process.communicate())[0])


@pytest.mark.usefixtures("web_stage")
@EVERY_CLIENT
async def test_a_reply_comes_in_words(web_clients: Path, web_port: int, client: str) -> None:
    words = await done(web_clients, web_port, client, "talk")
    assert words == ["One", " two", " three", " four."]


@pytest.mark.usefixtures("web_stage")
@EVERY_CLIENT
async def test_refusals_have_code_and_message(
    web_clients: Path, web_port: int, client: str
) -> None:
    unary, stream = await done(web_clients, web_port, client, "refuse")
    assert (unary[0], stream[0]) == (NOT_FOUND, NOT_FOUND)
    assert ("'nobody'" in unary[1], "'nope'" in stream[1]) == (True, True)


@pytest.mark.parametrize("client", STREAMING)
async def test_leaving_ends_the_turn(
    web_stage: Stage, web_clients: Path, web_port: int, client: str
) -> None:
    web_stage.engine.gate.clear()
    assert await done(web_clients, web_port, client, "leave")
    async with asyncio.timeout(5):
        while web_stage.engine.running:
            await asyncio.sleep(0.01)


@EVERY_CLIENT
async def test_a_deadline_is_told_in_its_status(
    web_stage: Stage, web_clients: Path, web_port: int, client: str
) -> None:
    web_stage.engine.gate.clear()
    code, _ = await done(web_clients, web_port, client, "hurry")
    assert code == DEADLINE_EXCEEDED
