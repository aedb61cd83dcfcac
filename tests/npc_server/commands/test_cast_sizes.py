"""What `npc persona check`, `npc model list` and a start say of sizes."""

import json
import re
import shutil
from pathlib import Path

import pytest
from gguf import GGUFValueType
from typer.testing import CliRunner

from npc_server.base_models.catalogue import DEFAULT_MODEL
from npc_server.commands.main import app
from npc_server.config import load
from npc_server.engine.vocab import Vocab
from npc_server.parts import open_parts
from personas.errors import CharacterTooLargeError
from personas.persona_files import SAMPLE_CHARACTERS, load_characters
from personas.sizes import size_of
from tests.support import tiny_gguf
from tests.support.casts import copy_cast

CHECK = ["persona", "check"]


@pytest.fixture
def base(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The configured base; one byte is one token, and it was trained on 512."""
    monkeypatch.setenv("NPC_MODEL_BASE", str(tiny_model))
    return tiny_model


def hold(monkeypatch: pytest.MonkeyPatch, context_tokens: int) -> None:
    """Configure a context of so many tokens."""
    monkeypatch.setenv("NPC_ENGINE_CONTEXT_TOKENS", str(context_tokens))


def test_a_check_counts_with_the_configured_base(
    base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hold(monkeypatch, 4096)
    result = CliRunner().invoke(app, CHECK)
    assert result.exit_code == 0, result.output
    assert re.search(r"mira: \d+ of 4096 tokens before anybody has spoken", result.output)


@pytest.mark.usefixtures("base")
def test_a_check_names_every_character_that_is_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    hold(monkeypatch, 512)
    error = CliRunner().invoke(app, CHECK).exception
    assert isinstance(error, CharacterTooLargeError)
    assert [line.split(" is ")[0] for line in str(error).splitlines()] == ["fenn", "mira", "orsolo"]


@pytest.mark.parametrize(
    ("named", "told"),
    [
        pytest.param("smollm2-135m-instruct", "run: npc model pull", id="not-fetched"),
        pytest.param("nowhere.gguf", "is neither a GGUF file nor one of", id="no-file"),
    ],
)
def test_without_a_base_a_check_says_that_sizes_were_not_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: str, told: str
) -> None:
    monkeypatch.setenv("NPC_PATHS_CACHE", str(tmp_path / "empty"))
    monkeypatch.setenv("NPC_MODEL_BASE", named)
    result = CliRunner().invoke(app, CHECK)
    assert result.exit_code == 0
    assert "sizes were not checked" in result.output
    assert told in result.output


@pytest.mark.parametrize("large", ["abel", "zora"], ids=["first", "last"])
def test_a_server_does_not_start_with_a_character_that_is_too_large(
    base: Path, tmp_path: Path, large: str
) -> None:
    mira = copy_cast(tmp_path, "mira") / "mira"
    for name in ("abel", "zora"):
        cast = mira.with_name(name)
        shutil.copytree(mira, cast)
        text = (cast / "persona.yaml").read_text().replace("id: mira", f"id: {name}", 1)
        (cast / "persona.yaml").write_text(text)
        if name == large:
            (cast / "persona.yaml").write_text(
                text.replace("summary: ", "summary: " + "Old. " * 80)
            )
    shutil.rmtree(mira)
    context = {"NPC_ENGINE_CONTEXT_TOKENS": str(least_context(base))}
    with pytest.raises(CharacterTooLargeError, match=f"^{large} is too large") as caught:
        open_parts(load(None, {"NPC_MODEL_BASE": str(base), **context, **environment(tmp_path)}))
    assert len(str(caught.value).splitlines()) == 1


def environment(folder: Path) -> dict[str, str]:
    """Where a cast and its data lie."""
    return {"NPC_PATHS_CHARACTERS": str(folder / "cast"), "NPC_PATHS_DATA": str(folder / "data")}


def least_context(base: Path) -> int:
    """The smallest context that mira, under a name as long as hers, is served in."""
    return size_of(load_characters(SAMPLE_CHARACTERS)["mira"], Vocab(base), 0).least


@pytest.mark.parametrize("command", [CHECK, ["model", "list"]], ids=" ".join)
def test_a_context_beyond_training_is_told_with_both_numbers(
    base: Path, monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    hold(monkeypatch, 4096)
    told = CliRunner().invoke(app, command).output
    assert f"context_tokens is 4096, but {base.name} was trained on 512" in told


def test_a_start_tells_of_a_context_beyond_training(
    base: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    places = {"NPC_PATHS_DATA": str(tmp_path), "NPC_ENGINE_CONTEXT_TOKENS": "4096"}
    open_parts(load(None, {"NPC_MODEL_BASE": str(base), **places})).store.close()
    assert "context_tokens is 4096, but" in caplog.text
    assert "was trained on 512" in caplog.text


def test_positions_that_are_scaled_up_are_no_reason_to_warn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = tiny_gguf.write_model(
        tmp_path / "m.gguf",
        change=lambda writer: writer.add_key_value(
            "llama.rope.scaling.factor", 8.0, GGUFValueType.FLOAT32
        ),
    )
    monkeypatch.setenv("NPC_MODEL_BASE", str(model))
    hold(monkeypatch, 4096)
    assert "was trained on" not in CliRunner().invoke(app, CHECK).output


def test_scripts_read_what_a_base_was_trained_on() -> None:
    rows = json.loads(CliRunner().invoke(app, ["model", "list", "--json"]).stdout)
    row = next(row for row in rows if row["name"] == DEFAULT_MODEL)
    assert row["trained_tokens"] in (0, 8192)  # 0 = it is not here
