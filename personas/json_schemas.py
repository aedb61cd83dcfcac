"""JSON Schemas of authored files, for editors that complete and underline.

They are made of the closed schema that files are read by, and lie beside this module. A file names
its schema in its first line, so that an editor finds it without being set up.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pydantic import BaseModel

from personas.persona import Card, Lore, ProbeSheet
from personas.world import WorldCard, WorldLore

SCHEMAS = Path(__file__).parent / "schemas"
#: By what they are called on the command line.
MODELS: Mapping[str, type[BaseModel]] = MappingProxyType(
    {
        "persona": Card,
        "lore": Lore,
        "probes": ProbeSheet,
        "world": WorldCard,
        "world_lore": WorldLore,  # lore.yaml of a world
    }
)
_TITLES = {"world": "world.yaml of a world", "world_lore": "lore.yaml of a world"}
DIALECT = "https://json-schema.org/draft/2020-12/schema"
#: Where tools put them in a folder of characters, so that they go where the files go.
BESIDE_CHARACTERS = ".schemas"


def schema_of(name: str) -> dict[str, Any]:
    """The JSON Schema of a file, as draft 2020-12 has it."""
    made = MODELS[name].model_json_schema()
    return {"$schema": DIALECT, **made, "title": _TITLES.get(name, f"{name}.yaml of a character")}


def schema_text(name: str) -> str:
    """The same as its file has it."""
    return json.dumps(schema_of(name), indent=1, ensure_ascii=False) + "\n"


def file_name(name: str) -> str:
    """What the schema's file is called."""
    return f"{name}.schema.json"


def first_line(name: str, folder: str = f"../{BESIDE_CHARACTERS}") -> str:
    """The line that names the schema in a file; `folder` as seen from there."""
    return f"# yaml-language-server: $schema={folder}/{file_name(name)}\n"


def write_schemas(folder: Path, names: tuple[str, ...] = tuple(MODELS)) -> list[Path]:
    """Write schemas into a folder; returns their files. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    files = [folder / file_name(name) for name in names]
    for file, name in zip(files, names, strict=True):
        file.write_text(schema_text(name), encoding="utf-8")
    return files
