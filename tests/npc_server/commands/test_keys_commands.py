"""`npc keys`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from npc_server.commands.main import app
from npc_server.errors import ConfigError
from npc_server.keys.key_text import parse_key


def npc(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["keys", *arguments])


def test_a_key_is_printed_alone_on_standard_output(tmp_path: Path) -> None:
    result = npc("new", "the game", "--role", "game")
    key = parse_key(result.stdout.strip())
    assert key is not None
    assert key.secret not in (tmp_path / "data" / "keys.json").read_text()
    assert "From now on every call needs a key" in result.stderr


def test_a_listed_key_shows_nothing_secret() -> None:
    made = json.loads(npc("new", "ops", "--role", "operator", "--game", "salt", "--json").stdout)
    (row,) = json.loads(npc("list", "--json").stdout)
    assert row == {name: value for name, value in made.items() if name != "key"}
    assert row["roles"] == ["operator"]


def test_a_revoked_key_stays_in_the_list() -> None:
    made = json.loads(npc("new", "ops", "--role", "operator", "--json").stdout)
    assert npc("revoke", made["id"], "--yes").exit_code == 0
    (row,) = json.loads(npc("list", "--json").stdout)
    assert row["revoked_at"]


def test_an_id_that_no_key_has_ends_with_2() -> None:
    assert npc("revoke", "k2345678", "--yes").exit_code == 2


def test_players_get_no_keys() -> None:
    assert isinstance(npc("new", "ann", "--role", "player").exception, ConfigError)


def test_the_key_of_commands_is_no_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NPC_KEY", "npc_x")
    assert npc("list").exit_code == 0
