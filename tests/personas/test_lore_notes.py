"""The settings of lore are the same for the server and the gate."""

from pathlib import Path

from npc_server.config import LoreSection
from personas.lore_notes import LoreSettings
from trainer.recipes.recipe import read_lore

WRITTEN = LoreSection(tokens=64, scan_lines=3, recursion=0, embedding_model=Path("m"))


def test_both_have_the_same_settings_with_the_same_defaults() -> None:
    assert LoreSection().settings == LoreSettings()


def test_they_travel_to_the_trainer_as_json() -> None:
    assert read_lore({"lore": WRITTEN.model_dump(mode="json")}) == WRITTEN.settings


def test_notes_leave_half_of_the_context_to_the_conversation() -> None:
    assert LoreSettings(tokens=100).room_tokens(1024) == 100
    assert LoreSettings(tokens=4096).room_tokens(1024) == 512
