"""A new character is in order as it stands, whatever it is called."""

from pathlib import Path

import pytest

from personas.advice import advice_on
from personas.json_schemas import BESIDE_CHARACTERS, first_line, write_schemas
from personas.persona_files import load_character
from personas.starter import starter


def written(root: Path, name: str) -> Path:
    (root / name).mkdir()
    for file, text in starter(name).items():
        (root / name / file).write_text(text, encoding="utf-8")
    return root / name


@pytest.mark.parametrize(("name", "called"), [("wanda", "Wanda"), ("old-tom", "Old Tom")])
def test_a_starter_is_a_whole_character_without_a_warning(
    tmp_path: Path, name: str, called: str
) -> None:
    folder = written(tmp_path, name)
    persona = load_character(folder)
    assert (persona.id, persona.name) == (name, called)
    assert persona.greetings
    assert advice_on(persona, folder, {name}) == []


def test_its_files_name_schemas_that_lie_where_they_say(tmp_path: Path) -> None:
    folder = written(tmp_path, "wanda")
    write_schemas(tmp_path / BESIDE_CHARACTERS)
    line = (folder / "lore.yaml").read_text().splitlines(keepends=True)[0]
    assert line == first_line("lore")
    assert (folder / line.partition("=")[2].strip()).is_file()
