"""What a designer does at the command line: begin, check, compare, edit, ask."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from npc_server.commands.main import app
from personas.persona_files import load_character
from tests.support.saved_casts import cast_in, save


def npc(*words: str) -> tuple[int, str, str]:
    """Exit code, output and complaints of an `npc persona` command."""
    result = CliRunner().invoke(app, ["persona", *words])
    error = str(result.exception or "")
    return result.exit_code, result.stdout, result.stderr + error


@pytest.fixture(autouse=True)
def no_base(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing to count with, as on a machine that has not fetched a base."""
    monkeypatch.setenv("NPC_MODEL_BASE", "/nowhere/base.gguf")


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = cast_in(tmp_path, "mira", "fenn")
    monkeypatch.setenv("NPC_PATHS_CHARACTERS", str(root))
    return root


def test_a_new_character_passes_the_check_at_once(root: Path) -> None:
    assert npc("new", "wanda")[0] == 0
    code, told, complaints = npc("check", "wanda")
    assert code == 0
    assert told.startswith("wanda: Wanda, 2 facts, 1 secret, 5 probes, version ")
    assert "wanda" not in complaints
    assert (root / ".schemas" / "persona.schema.json").is_file()


def test_a_character_that_is_there_is_not_written_over(root: Path) -> None:
    before = (root / "mira" / "persona.yaml").read_text()
    code, _, complaint = npc("new", "mira")
    assert (code, (root / "mira" / "persona.yaml").read_text()) == (1, before)
    assert "mira is there already; choose another name" in complaint


def test_new_characters_do_not_go_into_the_sample_cast() -> None:
    assert "name one with --in my_cast" in npc("new", "wanda")[2]


def test_an_id_that_is_none_is_refused(root: Path) -> None:
    assert "'Wanda' is no id of a character" in npc("new", "Wanda")[2]


def test_a_check_is_of_ids_of_folders_and_of_casts(root: Path, tmp_path: Path) -> None:
    assert [line.split(":")[0] for line in npc("check", "fenn")[1].splitlines()] == ["fenn"]
    assert npc("check", str(root / "mira"))[1].startswith("mira: ")
    shutil.copytree(root, tmp_path / "other")
    named = npc("check", str(tmp_path / "other"))[1].splitlines()
    assert [line.split(":")[0] for line in named] == ["fenn", "mira"]


def test_everything_that_is_wrong_is_told_at_once(root: Path) -> None:
    save(root, "mira", "name:", "nmae:")
    save(root, "fenn", "facts:", "fatcs:", "lore.yaml")
    complaint = npc("check")[2]
    assert "mira/persona.yaml:4:1: nmae: unknown key; did you mean 'name'?" in complaint
    assert "fenn/lore.yaml:2:1: fatcs: unknown key; did you mean 'facts'?" in complaint


def test_a_script_reads_the_same_as_json(root: Path) -> None:
    save(root, "mira", "name:", "nmae:")
    code, told, _ = npc("check", "--json")
    found = json.loads(told)
    assert code == 2
    assert [one["id"] for one in found["characters"]] == ["fenn"]
    assert [(one["line"], one["column"], one["field"]) for one in found["problems"]] == [
        (4, 1, "nmae")
    ]


def test_a_warning_is_told_and_no_error(root: Path) -> None:
    save(root, "mira", "taboos:", "relationships: [{to: fen, text: You know Fenn.}]\ntaboos:")
    code, _, complaint = npc("check", "mira")
    assert code == 0
    assert "nobody of the cast is called 'fen'; did you mean 'fenn'?" in complaint


def test_an_unknown_character_is_told_with_the_nearest(root: Path) -> None:
    for words in (("check", "mria"), ("diff", "mira", "mria"), ("set", "mria", "name", "x")):
        assert "Did you mean 'mira'?" in npc(*words)[2]


def test_a_comparison_shows_values_and_the_prompt(root: Path, tmp_path: Path) -> None:
    shutil.copytree(root / "mira", tmp_path / "old" / "mira")
    save(root, "mira", "gruff, honest woman", "kind woman")
    told = npc("diff", str(tmp_path / "old" / "mira"), "mira")[1]
    assert '~ summary: "You are a gruff, honest woman of forty' in told
    assert "+You are a kind woman of forty with a burned left hand." in told
    assert "say the same" in npc("diff", "mira", "mira")[1]


def test_an_edit_keeps_what_it_does_not_change(root: Path) -> None:
    file = root / "mira" / "persona.yaml"
    before = file.read_text()
    assert npc("set", "mira", "voice.max_sentences", "3")[0] == 0
    assert load_character(root / "mira").voice.max_sentences == 3
    changed = set(file.read_text().splitlines()) ^ set(before.splitlines())
    assert changed == {"  max_sentences: 2", "  max_sentences: 3"}


@pytest.mark.parametrize(
    ("key", "value", "why"),
    [
        ("voice.stile", "soft", "voice.stile: unknown key; did you mean 'style'?"),
        ("summary", "You tell of the locking pin.", "gives away secret 'sluice-key'"),
        ("taboos[7].rule", "None.", "there is no taboos[7]"),
        ("voice..style", "soft", "is no key"),
        ("name", "[unclosed", "name: "),
    ],
)
def test_an_edit_that_would_break_the_character_is_not_saved(
    root: Path, key: str, value: str, why: str
) -> None:
    before = (root / "mira" / "persona.yaml").read_text()
    code, _, complaint = npc("set", "mira", key, value)
    assert code != 0
    assert why in complaint
    assert (root / "mira" / "persona.yaml").read_text() == before


def test_schemas_are_printed_and_written(tmp_path: Path) -> None:
    assert json.loads(npc("schema", "lore")[1])["title"] == "lore.yaml of a character"
    assert npc("schema", "--out", str(tmp_path / "schemas"))[0] == 0
    assert (tmp_path / "schemas" / "probes.schema.json").is_file()
    assert "no schema 'lroe'" in npc("schema", "lroe")[2]
