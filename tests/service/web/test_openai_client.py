"""OpenAI's own JavaScript client, under Node."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.interruptions import ended
from tests.support.scripted_server import Stage

pytestmark = [pytest.mark.service, pytest.mark.web]


async def done(folder: Path, port: int, scenario: str) -> Any:
    """What a scenario returns."""
    command = ("node", "openai.js", f"http://127.0.0.1:{port}", scenario)
    process = await asyncio.create_subprocess_exec(
        *command, cwd=folder, stdout=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(30):
        return json.loads((await process.communicate())[0])


@pytest.mark.usefixtures("web_stage")
async def test_a_reply_comes_in_words(web_clients: Path, web_port: int) -> None:
    words, counted = await done(web_clients, web_port, "talk")
    assert (words, counted) == (["One", " two", " three", " four."], True)


@pytest.mark.usefixtures("web_stage")
async def test_a_refusal_has_status_code_and_message(web_clients: Path, web_port: int) -> None:
    status, code, message = await done(web_clients, web_port, "refuse")
    assert (status, code) == (404, "model_not_found")
    assert "'nobody'" in message


async def test_leaving_ends_the_turn(web_stage: Stage, web_clients: Path, web_port: int) -> None:
    web_stage.engine.gate.clear()
    await ended(web_stage, await done(web_clients, web_port, "leave"))
    assert web_stage.engine.running == 0
