"""Turns, without gRPC."""

from contextlib import aclosing
from datetime import timedelta
from pathlib import Path

import pytest

from feedback_store.privacy.pseudonyms import Pseudonyms
from feedback_store.store import Store
from npc_server.adapters import Adapters
from npc_server.conversations import Conversations
from npc_server.dialogue import Dialogue
from npc_server.engine.fake import FakeEngine
from npc_server.recorder import Recorder
from npc_server.sessions import Sessions
from npc_server.turns import Model
from personas.adapter_repo import AdapterRepo
from personas.chat_ids import chat_of
from personas.fake import FakeTokenizer
from personas.persona_files import SAMPLE_CHARACTERS, load_characters


@pytest.mark.parametrize("server_ends", [True, False])
async def test_a_reply_cut_short_by_the_servers_end_was_not_abandoned(
    tmp_path: Path, server_ends: bool
) -> None:
    engine, cast = FakeEngine(lambda _: "a long reply"), load_characters(SAMPLE_CHARACTERS)
    with Store.open(tmp_path / "feedback.db") as store:
        recorder = Recorder(store)
        kept = Conversations(Sessions(), recorder, Pseudonyms(b"k" * 32), timedelta(hours=1))
        tokenizer = FakeTokenizer()
        repo = AdapterRepo(tmp_path / "adapters")
        adapters = Adapters(repo, engine, "base", tuple(cast), chat=chat_of(tokenizer))
        dialogue = Dialogue(cast, Model(engine, tokenizer, "base"), adapters, kept)
        async with recorder.at_work(grace_s=5):
            session = await dialogue.start_session("mira", "p1", consent=False)
            async with aclosing(dialogue.say(session.session_id, "One.", seed=1)) as events:
                await anext(events)  # started
                await anext(events)  # the first word
                if server_ends:
                    dialogue.end()
        assert [turn.finish_reason for turn in store.turns("mira")] == ["cancelled"]
        assert (store.events("mira") == []) is server_ends
