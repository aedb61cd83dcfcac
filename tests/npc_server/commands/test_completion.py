"""What a shell is offered after TAB, asked as bash asks."""

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from npc_server.commands.main import COMMANDS, app
from personas.adapter_repo import AdapterRepo, Draft
from personas.persona_files import SAMPLE_CHARACTERS, character_folders
from tests.support import tiny_gguf

CAST = {folder.name for folder in character_folders(SAMPLE_CHARACTERS)}


def tab(typed: str) -> Result:
    """What completing the last word comes to; it is a new one after a blank."""
    words = typed.split(" ")
    env = {
        "_NPC_COMPLETE": "complete_bash",
        "COMP_WORDS": typed,
        "COMP_CWORD": str(len(words) - 1),
    }
    return CliRunner().invoke(app, env=env, prog_name="npc")


def offered(typed: str) -> set[str]:
    result = tab(typed)
    assert (result.exit_code, result.stderr) == (0, "")
    return set(result.stdout.split())


def publish(root: Path, folder: Path, seed: int) -> str:
    """A version of mira in an adapter repo."""
    source = tiny_gguf.write_adapter(folder, seed=seed)
    draft = Draft("mira", None, "b" * 64, "dpo", {}, "", (), {})
    return AdapterRepo(root).publish(draft, source).version


@pytest.fixture
def versions(tmp_path: Path) -> set[str]:
    """Two versions of mira."""
    root = tmp_path / "data" / "adapters"
    return {publish(root, tmp_path / f"source{seed}", seed) for seed in (1, 2)}


def test_commands_and_those_of_a_group_are_offered() -> None:
    assert offered("npc ") == set(COMMANDS)
    assert offered("npc adapters ") == {"add", "list", "promote", "rollback"}


@pytest.mark.parametrize(
    "command",
    [
        "train",
        "talk",
        "adapters list",
        "adapters promote",
        "adapters rollback",
        "feedback stats",
        "feedback export",
        "runs --character",
    ],
)
def test_characters_are_offered(command: str) -> None:
    assert offered(f"npc {command} ") == CAST
    assert offered(f"npc {command} mi") == {"mira"}


def test_characters_come_from_the_configuration_that_is_named(tmp_path: Path) -> None:
    (tmp_path / "cast" / "bo").mkdir(parents=True)
    (tmp_path / "my.toml").write_text(f'[paths]\ncharacters = "{tmp_path / "cast"}"\n')
    assert offered(f"npc train --config {tmp_path / 'my.toml'} ") == {"bo"}


def test_versions_are_those_of_the_character(versions: set[str]) -> None:
    assert offered("npc adapters promote mira ") == versions
    assert offered("npc adapters promote mira v0002") == {max(versions)}
    assert offered("npc adapters promote fenn ") == set()


def test_versions_of_reward_heads_are_offered_when_asked_for(
    versions: set[str], tmp_path: Path
) -> None:
    head = publish(tmp_path / "data" / "heads", tmp_path / "head", seed=3)
    assert offered("npc adapters promote --heads mira ") == {head}


@pytest.mark.parametrize("text", ["{", "[paths]\ncharacters = 7", "[pahts]"])
@pytest.mark.parametrize("typed", ["npc talk ", "npc adapters promote mira "])
def test_a_broken_configuration_offers_nothing_and_says_nothing(
    text: str, typed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "npc.toml").write_text(text)
    monkeypatch.chdir(tmp_path)
    assert offered(typed) == set()


def test_damaged_versions_offer_nothing_and_say_nothing(versions: set[str], tmp_path: Path) -> None:
    for manifest in (tmp_path / "data" / "adapters").rglob("*.json"):
        manifest.write_text("{")
    assert offered("npc adapters promote mira ") == set()
