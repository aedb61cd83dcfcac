"""A base that thinks before it replies, served: nobody hears the thought."""

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
