"""A name that does not exist ends every command with 2 and the nearest name; nothing is written."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from feedback_store.records import Session
from feedback_store.store import Store
from npc_server.commands.main import app
from tests.support.turns import NOON


def npc(*arguments: str) -> Result:
    """How `npc` ends."""
    return CliRunner().invoke(app, arguments, env={"COLUMNS": "200"}, catch_exceptions=True)


def refusal(result: Result) -> str:
    """What a command says that ends with 2: printed, or raised to the process's edge."""
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        from npc_server.commands.exit_codes import exit_of

        assert isinstance(result.exception, Exception)
        assert exit_of(result.exception) == 2
        return str(result.exception)
    assert result.exit_code == 2, result.output
    return result.output


@pytest.fixture(autouse=True)
def store(tmp_path: Path) -> None:
    """A store in which somebody talked to zora, who is not in the cast."""
    with Store.open(tmp_path / "data" / "feedback.db") as opened:
        opened.record_session(Session("s1", "p1-x", "zora", "aa11", True, NOON)).result()


@pytest.mark.parametrize(
    "line",
    [
        "feedback stats {}",
        "feedback export {}",
        "adapters list {}",
        "adapters list {} --heads",
        "adapters promote {} v0001-00000000",
        "adapters rollback {}",
        "adapters add {} .",
        "train {}",
        "train {} --readiness",
        "runs --character {}",
    ],
)
def test_an_unknown_character_is_named_with_the_nearest(
    line: str, capfd: pytest.CaptureFixture[str]
) -> None:
    said = refusal(npc(*line.format("mria").split()))
    said += capfd.readouterr().err  # of the trainer's process
    assert "no character 'mria'; known: fenn, mira, orsolo" in said
    assert "Did you mean 'mira'?" in said


def test_who_left_the_cast_is_known_while_there_is_something_of_theirs(tmp_path: Path) -> None:
    assert npc("feedback", "export", "zora").exit_code == 0
    assert "known: fenn, mira, orsolo, zora" in refusal(npc("feedback", "stats", "zor1"))
    assert "no character 'zora'" in refusal(npc("adapters", "list", "zora"))
    (tmp_path / "data/adapters/zora").mkdir(parents=True)
    assert npc("adapters", "list", "zora").exit_code == 0


def test_a_wrong_name_leaves_the_file_that_is_there(tmp_path: Path) -> None:
    out = tmp_path / "keep.jsonl"
    out.write_text("sixty good lines\n")
    refusal(npc("feedback", "export", "mria", "--out", str(out)))
    assert out.read_text() == "sixty good lines\n"
    assert [file.name for file in tmp_path.iterdir() if file.suffix == ".jsonl"] == ["keep.jsonl"]


def test_an_unknown_version_is_named_with_the_known_ones() -> None:
    said = refusal(npc("adapters", "promote", "mira", "v0001-12345678"))
    assert "no version of mira 'v0001-12345678'; there is none" in said


@pytest.mark.parametrize("flags", [[], ["--readiness"]], ids=["train", "readiness"])
def test_an_unknown_method_is_named_with_the_nearest(
    flags: list[str], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    base = tmp_path / "base.gguf"
    base.touch()
    (tmp_path / "npc.toml").write_text(f'[model]\nbase = "{base}"\n')
    config = ["--config", str(tmp_path / "npc.toml")]
    assert npc("train", "mira", "--method", "dop", *flags, *config).exit_code == 2
    printed = capfd.readouterr()
    assert "method dop: there is none; known: dpo, kto" in printed.out + printed.err


def test_an_unknown_run_is_named_with_the_known_ones(capfd: pytest.CaptureFixture[str]) -> None:
    assert npc("runs", "show", "7").exit_code == 2
    assert "no run 7; there is none" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("persona check {}/crast", "no folder {0}/crast; did you mean {0}/cast?"),
        ("adapters add mira {}/crast", "no folder {0}/crast; did you mean {0}/cast?"),
        ("feedback restore {}/march.bd", "no backup {0}/march.bd; did you mean {0}/march.db?"),
        ("persona check --config {}/npc.tml", "no configuration file {0}/npc.tml; did you mean"),
        ("train mira --base {}/bse.gguf", "no GGUF file {0}/bse.gguf; did you mean {0}/base.gguf?"),
        ("train mira --base smollm2", "no base model 'smollm2'; known: smollm2-135m-instruct"),
        ("model train town --base {}/bse.gguf", "no GGUF file {0}/bse.gguf; did you mean"),
        ("model pull smollm2", "no model 'smollm2' in the catalogue or added; known: smollm2"),
        ("model pull qwen3-4", "Did you mean 'qwen3-4b'?"),
        ("model remove qwen3-4", "Did you mean 'qwen3-4b'?"),
        ("model add mine {}/bse.gguf", "no GGUF file {0}/bse.gguf; did you mean {0}/base.gguf?"),
    ],
)
def test_an_unknown_file_or_model_is_named_with_the_nearest(
    tmp_path: Path, line: str, what: str
) -> None:
    for name in ("cast", "march.db", "npc.toml", "base.gguf"):
        (tmp_path / name).touch()
    assert what.format(tmp_path) in refusal(npc(*line.format(tmp_path).split()))
