"""The open scenes."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from feedback_store.privacy.pseudonyms import Pseudonyms
from feedback_store.store import Store
from npc_server.conversations import Conversations
from npc_server.errors import UnknownSceneError
from npc_server.recorder import Recorder
from npc_server.scenes.scenes import Newcomer, Scenes
from npc_server.sessions import Sessions
from personas.persona_files import SAMPLE_CHARACTERS, load_characters

CAST = load_characters(SAMPLE_CHARACTERS)
ANNA = Newcomer("p1", "Anna")


async def test_a_new_scene_replaces_the_one_that_is_idle_for_longest(tmp_path: Path) -> None:
    with Store.open(tmp_path / "feedback.db") as store:
        kept = Conversations(Sessions(), Recorder(store), Pseudonyms(b"k" * 32), timedelta(hours=1))
        scenes = Scenes(CAST, kept, store.forgotten_among, limit=2)
        first, second = [await scenes.start(["mira"], [ANNA]) for _ in range(2)]
        scenes.get(first.scene_id)
        third = await scenes.start(["mira"], [ANNA])
    assert [scenes.get(one.scene_id) for one in (first, third)] == [first, third]
    with pytest.raises(UnknownSceneError):
        scenes.get(second.scene_id)
