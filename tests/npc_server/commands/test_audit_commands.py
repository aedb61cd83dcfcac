"""`npc audit`, and what commands write down."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from typer.testing import CliRunner, Result

from npc_server.commands.main import app
from personas.adapter_repo import AdapterRepo, Draft
from tests.support import tiny_gguf


def npc(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def shown() -> list[dict[str, Any]]:
    lines = npc("audit", "show", "--json").stdout.splitlines()
    return [json.loads(line) for line in lines]


def test_what_was_done_with_keys_is_shown() -> None:
    made = json.loads(npc("keys", "new", "the game", "--role", "game", "--json").stdout)
    npc("keys", "revoke", made["id"], "--yes")
    npc("keys", "rotate")
    told = [(one["action"], one["about"].get("name", "")) for one in shown()]
    assert told == [
        ("key made", "the game"),
        ("key revoked", "the game"),
        ("signing key rotated", ""),
    ]
    assert made["key"] not in npc("audit", "show", "--json").stdout


def test_who_promoted_what_is_shown(tmp_path: Path) -> None:
    repo = AdapterRepo(tmp_path / "data" / "adapters")
    source = tiny_gguf.write_adapter(tmp_path / "source", seed=1)
    version = repo.publish(Draft("mira", None, "b" * 64, "dpo", {}, "", (), {}), source).version
    npc("adapters", "promote", "mira", version)
    npc("adapters", "rollback", "mira")
    promoted, rolled_back = shown()
    assert promoted["who"].startswith("user ")
    assert promoted["about"] == {"character": "mira", "version": version}
    assert rolled_back["about"] == {"character": "mira", "version": "base"}


def test_a_whole_audit_is_verified_up_to_a_hash_that_was_written_down(tmp_path: Path) -> None:
    npc("keys", "rotate")
    (entry,) = shown()
    assert npc("audit", "verify", "--head", entry["hash"]).exit_code == 0
    (tmp_path / "data" / "audit.jsonl").unlink()
    npc("keys", "rotate")
    assert npc("audit", "verify").exit_code == 0
    assert npc("audit", "verify", "--head", entry["hash"]).exit_code == 1


def test_an_altered_audit_ends_with_1(tmp_path: Path) -> None:
    npc("keys", "rotate")
    path = tmp_path / "data" / "audit.jsonl"
    path.write_text(path.read_text().replace("signing key rotated", "key made"))
    result = npc("audit", "verify")
    assert result.exit_code == 1
    assert "line 1 was changed" in result.stderr
