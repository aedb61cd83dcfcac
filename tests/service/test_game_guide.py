"""The code in the game programmers' guide does what the guide says."""

import asyncio
import re
import shutil
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest

from feedback_store.records import Thumb
from npc.v1 import feedback_pb2
from npc_client.client import Client, EventStatus, SubmitRequest
from tests.support.calls import a_turn, thumbs
from tests.support.casts import mira_with
from tests.support.paths import DOCS
from tests.support.scripted_server import Stage, StageMaker
from tests.support.taverns import voice
from tests.support.web_calls import WORDS

pytestmark = pytest.mark.service

GUIDE = DOCS / "game-programmers.md"


def examples(language: str = "python") -> list[str]:
    """The code blocks of the guide in a language."""
    guide = GUIDE.read_text(encoding="utf-8")
    return re.findall(rf"```{language}\n(.*?)```", guide, re.DOTALL)


def shown(beginning: str, language: str = "python") -> str:
    """The one code block of the guide that starts with `beginning`."""
    (block,) = [block for block in examples(language) if block.startswith(beginning)]
    return block


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


async def run(made: Stage, code: str, **names: Any) -> None:
    """Run an example of the guide against a server."""
    body = code.replace("127.0.0.1:7749", made.client.address)
    indented = "".join(f"    {line}\n" for line in body.splitlines())
    known: dict[str, Any] = {"Client": Client, "player_id": "p1", **names}
    exec(f"async def run():\n{indented}", known)
    await known["run"]()


async def test_the_conversation_of_the_guide_runs(stage: StageMaker) -> None:
    made = await stage()
    await run(made, shown("async with Client"))
    kinds = [(event.kind.value, event.undone) for event in made.store.events("mira")]
    assert kinds == [("thumb", False), ("edit", True), ("outcome", False)]


async def test_the_saved_scene_of_the_guide_runs(stage: StageMaker) -> None:
    made = await stage(voice)
    shown_lines: list[tuple[str, str]] = []
    (code,) = [one for one in examples() if "restore_scene" in one]
    await run(made, code, show=lambda *line: shown_lines.append(line))
    assert shown_lines == [
        ("Anna", "Mira, is the sword done?"),
        ("Mira Holt", "Well, Mira speaks, the 1th time."),
    ]
    lived = [turn for turn in made.store.turns("fenn") if not turn.rolled_back]
    assert ["sold" in turn.player_text for turn in lived] == [False]


async def run_page(folder: Path, port: int, character: str = "mira") -> str:
    """What the guide's page shows, run by Node; its error where it ends in one."""
    code = (
        shown("const SERVER", "js").replace("7750", str(port)).replace('"mira"', f'"{character}"')
    )
    page = folder / "page.mjs"
    page.write_text(f"const show = (text) => process.stdout.write(text);\n{code}")
    process = await asyncio.create_subprocess_exec(
        "node", page, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    return (await process.communicate())[0].decode()


@pytest.mark.usefixtures("web_stage")
@pytest.mark.skipif(shutil.which("node") is None, reason="no Node.js runs the page's code")
async def test_the_page_of_the_guide_shows_a_reply_and_errors(
    web_port: int, tmp_path: Path
) -> None:
    assert await run_page(tmp_path, web_port) == WORDS
    assert "no character 'nobody'" in await run_page(tmp_path, web_port, "nobody")


async def test_the_client_of_openai_s_api_in_the_guide_talks(
    stage: StageMaker, web_port: int, tmp_path: Path
) -> None:
    cast = mira_with(tmp_path, best_of=1)
    made = await stage(lambda _: WORDS, http_port=web_port, characters=cast)
    names: dict[str, Any] = {}
    code = shown("from openai").replace("7750", str(web_port))
    await asyncio.to_thread(exec, code, names)
    assert names["said"] == WORDS
    (event,) = made.store.events("mira")
    assert (event.turn_id, event.payload) == (names["turn_id"], Thumb(up=True))
