"""What `npc persona check` and a start say of a language that code cannot read."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from npc_server.commands.main import app
from npc_server.config import load
from npc_server.parts import open_parts
from tests.support.smiths import write_cast

CLOSED = "no list of unsafe words in Finnish; write unsafe: in persona.yaml, or the gate refuses"


@pytest.fixture
def cast(tmp_path: Path) -> Path:
    """A Finnish smith with a list of machine talk alone."""
    write_cast(tmp_path / "cast", "fi", own_unsafe=[])
    return tmp_path / "cast"


def test_a_check_says_what_is_not_checked(
    cast: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NPC_PATHS_CHARACTERS", str(cast))
    monkeypatch.setenv("NPC_MODEL_BASE", str(tiny_model))
    monkeypatch.setenv("NPC_ENGINE_CONTEXT_TOKENS", "2048")
    result = CliRunner().invoke(app, ["persona", "check"])
    assert result.exit_code == 0
    assert "mira: Mira, Finnish, 1 fact" in result.output
    assert CLOSED in " ".join(result.output.split())


def test_a_start_says_so_too(
    cast: Path, tmp_path: Path, tiny_model: Path, caplog: pytest.LogCaptureFixture
) -> None:
    places = {"NPC_PATHS_DATA": str(tmp_path / "data"), "NPC_PATHS_CHARACTERS": str(cast)}
    open_parts(
        load(
            None, {"NPC_MODEL_BASE": str(tiny_model), "NPC_ENGINE_CONTEXT_TOKENS": "2048", **places}
        )
    ).store.close()
    assert CLOSED in caplog.text
