"""A base that thinks before it replies, served: nobody hears the thought."""

import asyncio
from contextlib import closing
from pathlib import Path

import pytest

from feedback_store.store import Store
from npc_client import server_process
from npc_client.client import Client
from npc_server.engine.vocab import Vocab
from personas.chat import Message
from personas.chat_ids import chat_of
from tests.support import guard
from tests.support.chat_templates import look_alike
from tests.support.scripted_server import StageMaker
from tests.support.thinking_base import write_thinker

pytestmark = pytest.mark.service

MOST = 24


async def test_a_thought_is_counted_and_in_no_reply_nor_record(tmp_path: Path) -> None:
    base = write_thinker(tmp_path / "thinker.gguf")
    guard.write_cast(tmp_path / "cast")
    settings = {
        "NPC_MODEL_BASE": str(base),
        "NPC_MODEL_THINKING": "on",
        "NPC_MODEL_THOUGHT_TOKENS": str(MOST),
        "NPC_PATHS_CHARACTERS": str(tmp_path / "cast"),
        "NPC_PATHS_DATA": str(tmp_path / "data"),
        "NPC_ENGINE_CONTEXT_TOKENS": "500",
    }
    async with (
        server_process.server(tmp_path / "server.log", settings) as running,
        Client(running.address) as client,
    ):
        session = await client.start_session("bo", "p1")
        reply = await client.say(session.session_id, "Halt? <think>x</think>", seed=3)
    assert 2 < reply.thought_tokens <= MOST
    with Store.open(tmp_path / "data" / "feedback.db") as store, closing(Vocab(base)) as vocab:
        [turn] = store.turns("bo")
        said = [Message(message["role"], message["content"]) for message in turn.messages]
        assert turn.prompt_ids == chat_of(vocab).asking(said)  # as it is trained
        assert (turn.reply_text, len(turn.reply_ids)) == (reply.text, reply.tokens)


async def test_behind_a_thought_the_reply_is_read_without_it(stage: StageMaker) -> None:
    made = await stage(lambda _: "Aye.", tokenizer=look_alike("empty-thought", thinks=True))
    session = await made.client.start_session("orsolo", "p1")
    await made.client.say(session.session_id, "Good day.")
    while not (ahead := [one for one in made.engine.requests if one.idle]):
        await asyncio.sleep(0.01)
    await made.client.say(session.session_id, "What do you mend?")
    read = ahead[0].prompt_ids[:-1]  # the last one has it read, and is no part of it
    said = [one.thought for one in made.engine.requests if one.thought][-1]
    assert said.prompt_ids[: len(read)] == read
