"""The command line: what it prints for people and for scripts, and how it ends."""

import json
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
import typer.main
from typer.testing import CliRunner

from npc_server.commands.main import COMMANDS, LazyCommand, app, main
from personas.adapter_repo import AdapterRepo, Draft
from tests.support import tiny_gguf
from tests.support.casts import copy_cast

GROUP = typer.main.get_command(app)
HEAVY = (
    "asyncio feedback_store grpc llama_cpp numpy pandas personas pydantic rapidfuzz sqlite_utils"
    " torch trainer yaml"
)


def npc(*arguments: str) -> str:
    """What a command prints that ends well."""
    result = CliRunner().invoke(app, list(arguments))
    assert result.exit_code == 0, result.output
    return result.output


def exit_code(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    """How the installed command ends."""
    monkeypatch.setattr(sys, "argv", ["npc", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    assert isinstance(ended.value.code, int)
    return ended.value.code


def commands(group: Any, name: str = "npc") -> list[tuple[str, Any]]:
    """A group, and every group and command below it, by full name."""
    if isinstance(group, LazyCommand):
        group = group.load()
    below = [
        found
        for child, command in getattr(group, "commands", {}).items()
        for found in commands(command, f"{name} {child}")
    ]
    return [(name, group), *below]


@pytest.mark.parametrize(("name", "command"), [pytest.param(*c, id=c[0]) for c in commands(GROUP)])
def test_every_command_helps_with_an_example(name: str, command: Any) -> None:
    assert command.help
    assert command.epilog is not None
    assert f"Example:  {name}" in command.epilog


def test_a_cast_in_the_home_folder_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy_cast(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NPC_PATHS_CHARACTERS", "~/cast")
    assert "base" in npc("adapters", "list")


@pytest.mark.parametrize("name", COMMANDS)
def test_the_table_says_of_a_command_what_it_says_itself(name: str) -> None:
    command = LazyCommand(name, *COMMANDS[name])
    assert command.get_short_help_str(200) == command.load().get_short_help_str(200)


def test_help_imports_nothing_heavy() -> None:
    """Or it takes a second to tell the commands' names."""
    ask = "from npc_server.commands.main import app; app(['--help'], standalone_mode=False)"
    tell = f"import sys; print(*({set(HEAVY.split())} & sys.modules.keys()), file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-c", f"{ask}; {tell}"], capture_output=True, text=True, check=True
    )
    assert "nightly" in done.stdout
    assert done.stderr.split() == []


def test_the_version_is_the_packages() -> None:
    assert npc("--version").strip() == f"troupe {metadata.version('troupe')}"


def test_versions_are_listed_with_the_live_one(tmp_path: Path) -> None:
    repo = AdapterRepo(tmp_path / "data" / "adapters")
    source = tiny_gguf.write_adapter(tmp_path / "source", seed=1)
    version = repo.publish(Draft("mira", None, "b" * 64, "dpo", {}, "", (), {}), source).version
    npc("adapters", "promote", "mira", version)
    live = {
        row["version"]: row["live"] for row in json.loads(npc("adapters", "list", "mira", "--json"))
    }
    assert live == {"base": False, version: True}
    assert "the bare base is live" in npc("adapters", "rollback", "mira")


def test_the_catalogue_is_listed_for_scripts() -> None:
    row, *_ = json.loads(npc("model", "list", "--json"))
    assert (row["name"], row["license"]) == ("smollm2-135m-instruct", "Apache-2.0")


def test_good_persona_files_are_counted() -> None:
    assert "mira: Mira Holt, 4 facts, 1 secret," in npc("persona", "check")


def test_broken_persona_files_end_with_2_and_say_where(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "cast" / "bo").mkdir(parents=True)
    (tmp_path / "cast" / "bo" / "persona.yaml").write_text("id: bo\nnmae: Bo\n")
    assert exit_code(monkeypatch, "persona", "check", str(tmp_path / "cast")) == 2
    assert "bo/persona.yaml:2:1: nmae: unknown key; did you mean 'name'?" in capsys.readouterr().err


def test_a_missing_version_ends_with_3(monkeypatch: pytest.MonkeyPatch) -> None:
    assert exit_code(monkeypatch, "adapters", "promote", "mira", "v0001-00000000") == 2


def test_a_wrong_setting_ends_with_2(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NPC_SERVER_PROT", "1")
    assert exit_code(monkeypatch, "model", "list") == 2


def test_a_server_that_is_not_there_ends_with_3(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert exit_code(monkeypatch, "talk", "mira", "--server", "127.0.0.1:1") == 3
    assert "npc serve" in capsys.readouterr().err
