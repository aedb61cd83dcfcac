"""The code in the game programmers' guide does what the guide says."""

import re
from typing import Any

import grpc
import grpc.aio
import pytest

from npc.v1 import feedback_pb2
from npc_client.client import Client, EventStatus, SubmitRequest
from tests.support.calls import a_turn, thumbs
from tests.support.paths import DOCS
from tests.support.scripted_server import StageMaker

pytestmark = pytest.mark.service

GUIDE = DOCS / "game-programmers.md"


def shown(beginning: str) -> str:
    """The one code block of the guide that starts with `beginning`."""
    blocks = re.findall(r"```python\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    (block,) = [block for block in blocks if block.startswith(beginning)]
    return str(block)


def offline_queue() -> Any:
    """The guide's `flush`."""
    names: dict[str, Any] = {
        "grpc": grpc,
        "Client": Client,
        "SubmitRequest": SubmitRequest,
        "EventStatus": EventStatus,
    }
    exec(shown("RETRY"), names)
    return names["flush"]


async def test_the_offline_queue_keeps_what_may_be_sent_again(stage: StageMaker) -> None:
    made = await stage()
    queue = [*thumbs(await a_turn(made), "e1"), SubmitRequest(event_id="bad")]
    assert await offline_queue()(made.client, queue) == []
    assert [event.event_id for event in made.store.events("mira")] == ["e1"]


async def test_the_offline_queue_keeps_everything_while_nobody_answers() -> None:
    async with Client("127.0.0.1:1") as client:
        queue = [SubmitRequest(event_id="e1", turn_id="t", thumb=feedback_pb2.Thumb(up=True))]
        assert await offline_queue()(client, queue) == queue


async def test_the_conversation_of_the_guide_runs(stage: StageMaker) -> None:
    made = await stage()
    code = shown("async with Client").replace("127.0.0.1:7749", made.client.address)
    body = "async def run():\n" + "".join(f"    {line}\n" for line in code.splitlines())
    names: dict[str, Any] = {"Client": Client, "player_id": "p1"}
    exec(body, names)
    await names["run"]()
    kinds = [(event.kind.value, event.undone) for event in made.store.events("mira")]
    assert kinds == [("thumb", False), ("edit", True), ("outcome", False)]
