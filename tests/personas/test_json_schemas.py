"""The schemas that editors read say what the reader of the files says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from personas.json_schemas import MODELS, SCHEMAS, file_name, first_line, schema_of, schema_text
from personas.persona_files import SAMPLE_CHARACTERS, character_folders
from personas.starter import starter

OF_A_CHARACTER = ("persona", "lore", "probes")
WORLD = SAMPLE_CHARACTERS.parent / "worlds" / "saltmere"
SAMPLES = [
    *(
        pytest.param(folder / f"{name}.yaml", name, id=f"{folder.name}-{name}")
        for folder in character_folders(SAMPLE_CHARACTERS)
        for name in OF_A_CHARACTER
    ),
    pytest.param(WORLD / "world.yaml", "world", id="world"),
    pytest.param(WORLD / "lore.yaml", "world_lore", id="world lore"),
]


@pytest.mark.parametrize("name", MODELS)
def test_the_published_schema_is_that_of_the_reader(name: str) -> None:
    """Written again by `npc persona schema --out personas/schemas`."""
    assert (SCHEMAS / file_name(name)).read_text(encoding="utf-8") == schema_text(name)


@pytest.mark.parametrize("name", MODELS)
def test_a_schema_is_one_of_its_dialect(name: str) -> None:
    schema = schema_of(name)
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"


@pytest.mark.parametrize(("file", "name"), SAMPLES)
def test_every_sample_file_fits_its_schema_and_names_it(file: Path, name: str) -> None:
    text = file.read_text(encoding="utf-8")
    jsonschema.Draft202012Validator(schema_of(name)).validate(yaml.safe_load(text))
    assert text.startswith(first_line(name, "../../schemas"))
    assert (file.parent / "../../schemas" / file_name(name)).is_file()


@pytest.mark.parametrize(
    ("old", "new"),
    [("name:", "nmae:"), ("max_sentences: 2", "max_sentences: 9"), ("goals:", "goals: 3\nnone:")],
    ids=["unknown key", "out of range", "no list"],
)
def test_an_editor_underlines_what_the_check_refuses(old: str, new: str) -> None:
    text = starter("wanda")["persona.yaml"].replace(old, new, 1)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(yaml.safe_load(text), schema_of("persona"))


@pytest.mark.parametrize("name", MODELS)
def test_every_key_is_described(name: str) -> None:
    assert sorted(undescribed(schema_of(name))) == []


def undescribed(schema: dict[str, Any]) -> set[str]:
    """Keys of a schema, or of one inside it, that say nothing of themselves."""
    models = {"": schema, **schema.get("$defs", {})}
    return {
        f"{model}.{key}"
        for model, body in models.items()
        for key, field in body.get("properties", {}).items()
        if not field.get("description")
    }
