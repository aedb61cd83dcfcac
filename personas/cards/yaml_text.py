"""A character's files as YAML text, and back. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from personas import yaml_file
from personas.errors import PersonaError
from personas.json_schemas import first_line

Object = dict[str, Any]
_WIDTH = 100
_ID = re.compile(r"(?m)^id:.*$")


class _Dumper(yaml.SafeDumper):
    """As people write: no anchors for what is there twice, entries of a list indented."""

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)


def yaml_text(content: Object, schema: str) -> str:
    """The content as a file that names its schema, as `json_schemas` calls it."""
    body = yaml.dump(content, Dumper=_Dumper, allow_unicode=True, sort_keys=False, width=_WIDTH)
    return f"{first_line(schema)}{body}"


def content_of(texts: Mapping[str, str]) -> dict[str, Object]:
    """What the files hold. Raises PersonaError for what is no YAML of keys and values."""
    return {name: _content(yaml_file.parse(Path(name), text)) for name, text in texts.items()}


def _content(document: yaml_file.Document) -> Object:
    if not document.problems and not isinstance(document.data, dict):
        document.report((), "expected keys and values")
    if document.problems:
        raise PersonaError(document.problems)
    content: Any = document.data
    return dict(content)


def with_id(text: str, character: str) -> str:
    """The text of a persona.yaml with another id at its top."""
    return _ID.sub(f"id: {character}", text, count=1)
