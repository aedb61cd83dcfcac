"""`npc persona lore-test`: what a line would bring up, shown to designers and to scripts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from npc_server.commands.main import app
from npc_server.errors import ConfigError
from personas.errors import EmbeddingModelError
from tests.support.casts import copy_cast


@pytest.fixture(autouse=True)
def no_base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is nothing to count tokens with, which is told and no error."""
    monkeypatch.setenv("NPC_PATHS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NPC_MODEL_BASE", str(tmp_path / "none.gguf"))


def run(*arguments: str) -> str:
    """What is printed; raises what the command raised."""
    done = CliRunner().invoke(app, ["persona", "lore-test", *arguments], catch_exceptions=False)
    return done.stdout


def test_what_fires_is_shown_with_its_reason_and_what_holds_the_rest_back() -> None:
    shown = run("Who owns the mill?", "--character", "mira", "--world", "quest.mill=2")
    assert "saltmere/mill-turns (key mill): The mill at Sallow Ford turns again" in shown
    assert (
        "saltmere/mill-broken (key mill): quest.mill == 0 does not hold; quest.mill is 2" in shown
    )


def test_scripts_get_the_same_as_json() -> None:
    found = json.loads(run("Any bread?", "--character", "fenn", "--json"))
    assert [(one["source"], one["why"]) for one in found["told"]] == [
        ("saltmere/mill-broken", "recursion mill in saltmere/bread"),
        ("saltmere/bread", "key bread"),
    ]
    assert found["values"] == {"quest.mill": 0, "weather": "clear", "night": False}
    assert found["tokens"] is None


def test_lines_before_count_as_far_back_as_is_searched() -> None:
    before = ("--before", "Tell me of the mill.", "--before", "What of it?")
    assert "saltmere/mill-broken" not in run("Well?", *before)
    assert "saltmere/mill-broken (key mill)" in run("Well?", *before[2:], *before[:2])


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (("--world", "quest.mil=2"), "--world: no variable 'quest.mil'.*Did you mean 'quest.mill'"),
        (("--world", "quest.mill=9"), "at most 2; got 9"),
        (("--character", "mria"), "Did you mean 'mira'"),
    ],
)
def test_what_is_mistyped_is_told(arguments: tuple[str, ...], what: str) -> None:
    with pytest.raises(ConfigError, match=what):
        run("Hello.", *arguments)


def test_a_missing_embedding_model_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NPC_LORE_EMBEDDING_MODEL", "/nowhere")
    with pytest.raises(EmbeddingModelError, match=r"has no model\.safetensors"):
        run("Hello.")


def test_worlds_lie_where_the_settings_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cast = copy_cast(tmp_path / "game", "mira")
    (cast.parent / "worlds").rename(tmp_path / "elsewhere")
    monkeypatch.setenv("NPC_PATHS_WORLDS", str(tmp_path / "elsewhere"))
    assert "saltmere/mill-broken" in run("The mill?", "--cast", str(cast))
