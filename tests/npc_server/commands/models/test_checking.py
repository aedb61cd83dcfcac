"""`npc model check`: what a base can do, said before anything is served."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from gguf import GGUFWriter, TokenType
from typer.testing import CliRunner, Result

from npc_server.commands.exit_codes import exit_of
from npc_server.commands.main import app
from tests.support import tiny_gguf
from tests.support.chat_templates import LOOK_ALIKES
from tests.support.thinking_base import write_thinker


def check(*arguments: str) -> Result:
    """How `npc model check` ends."""
    line = ["model", "check", *arguments]
    return CliRunner().invoke(app, line, env={"COLUMNS": "200", "NPC_PATHS_CACHE": "cache"})


def test_a_base_is_run_and_measured(tiny_model: Path) -> None:
    done = check(str(tiny_model), "--serving-only", "--json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert found["prompts"][0] == "in ChatML"
    assert found["trial"]["batching"] == "mixed"
    assert [speed["turns"] for speed in found["trial"]["speeds"]] == [1, 8, 16]
    assert all(speed["tokens_per_s"] > 0 for speed in found["trial"]["speeds"])
    assert found["memory"]["bytes"] > found["file_bytes"]
    assert found["settings_to_use"][0]["line"] == f'[model] base = "{tiny_model}"'


def exit_code(done: Result) -> int | None:
    """What the process ends with."""
    return exit_of(done.exception) if isinstance(done.exception, Exception) else done.exit_code


def no_turn_marks(writer: GGUFWriter) -> None:
    """Call the marks of a turn something else."""
    tiny_gguf.name_tokens(writer, dict.fromkeys(("<s>", "<b>", "<e>"), TokenType.CONTROL))


def drop_the_system(writer: GGUFWriter) -> None:
    """Write prompts as an early Phi-3 did."""
    template, specials = LOOK_ALIKES["drops-system"]
    tiny_gguf.name_tokens(writer, dict.fromkeys(specials, TokenType.CONTROL))
    writer.add_chat_template(template)


def test_what_cannot_be_prompted_is_refused_and_measured_all_the_same(tmp_path: Path) -> None:
    path = tiny_gguf.write_model(tmp_path / "other.gguf", change=no_turn_marks)
    done = check(str(path), "--serving-only")
    assert done.exit_code == 1
    assert "✗  chat format" in done.output
    assert "16 turns" in done.output
    assert "npc.toml" not in done.output
    assert "[model] base" not in done.output


def test_what_a_template_does_not_take_is_told(tmp_path: Path) -> None:
    path = tiny_gguf.write_model(tmp_path / "other.gguf", change=drop_the_system)
    done = check(str(path), "--serving-only")
    assert done.exit_code == 0, done.output
    assert "in its own chat format" in done.output
    assert "without a system role" in done.output


def without_its_template(path: Path) -> Path:
    """Write such a base with its template beside it; returns a configuration that names that."""
    template, specials = LOOK_ALIKES["drops-system"]
    kinds = dict.fromkeys(specials, TokenType.CONTROL)
    tiny_gguf.write_model(path, change=lambda writer: tiny_gguf.name_tokens(writer, kinds))
    file, config = path.with_suffix(".jinja"), path.with_suffix(".toml")
    file.write_text(template)
    config.write_text(f'[model]\nchat_template = "{file}"\n')
    return config


def test_it_is_looked_at_with_the_template_that_would_serve(tmp_path: Path) -> None:
    config = without_its_template(tmp_path / "bare.gguf")
    done = check(str(tmp_path / "bare.gguf"), "--serving-only", f"--config={config}")
    assert done.exit_code == 0, done.output
    assert "without a system role" in done.output
    assert exit_code(check(str(tmp_path / "bare.gguf"), "--serving-only")) == 1


@pytest.mark.slow
def test_training_is_looked_at_with_that_template(tmp_path: Path) -> None:
    config = without_its_template(tmp_path / "bare.gguf")
    done = check(str(tmp_path / "bare.gguf"), "--json", f"--config={config}")
    training = json.loads(done.stdout)["training"]
    assert training["possible"], training["reason"]


def test_the_wait_for_a_thought_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NPC_MODEL_THINKING", "on")
    done = check(str(write_thinker(tmp_path / "thinker.gguf")), "--serving-only")
    assert done.exit_code == 0, done.output
    told = " ".join(done.output.split())  # lines end where the terminal does
    assert "256 of them for a thought" in told
    assert "and a thought of up to" in told


@pytest.mark.parametrize("name", ["absent.gguf", "qwen3-4"])
def test_a_base_that_is_not_there_is_named(name: str) -> None:
    assert exit_code(check(name)) == 2


def test_what_is_no_gguf_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.gguf").write_bytes(b"PK\x03\x04 something else")
    assert exit_code(check(str(tmp_path / "x.gguf"))) == 2


@pytest.mark.slow
@pytest.mark.real_model
def test_the_embedded_base_can_be_served_and_trained(real_model: Path, tmp_path: Path) -> None:
    done = check(str(real_model), "--json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert found["training"]["possible"]
    assert found["training"]["least_cosine"] >= found["training"]["explained_cosine"]
    assert "q_proj" in found["training"]["layers"]
    assert found["faults"] == []
