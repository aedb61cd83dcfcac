"""Changes values of an authored file and leaves all else as its author wrote it.

Comments, order, quotes and blank lines stay. Files are read by `yaml_file` first, which refuses
what is no authored file; a change is not checked here, so read the text again before it is saved.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from io import StringIO
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from personas.yaml_file import Loc, field_path


class EditError(ValueError):
    """A value cannot be put where it was to be."""


def with_value(text: str, loc: Loc, value: object) -> str:
    """The file's text with another value at `loc`; a key that is not there yet is added.

    Raises EditError where there is nothing that could hold it.
    """
    yaml = _writer(text)
    try:
        data = yaml.load(text)
    except YAMLError as error:
        raise EditError(f"the file is no YAML: {error}") from error
    holder = _holder(data, loc)
    key = loc[-1]
    if isinstance(holder, Sequence) and key == len(holder):
        holder.append(value)  # type: ignore[attr-defined]  # ruamel's own list
    else:
        holder[key] = value
    written = StringIO()
    yaml.dump(data, written)
    return written.getvalue()


def _writer(text: str) -> YAML:
    yaml = YAML()  # round trip: keeps comments and order
    yaml.preserve_quotes = True
    yaml.width = 1 << 20  # breaks no line that the author left whole
    if any(line.startswith("  - ") for line in text.splitlines()):
        yaml.indent(mapping=2, sequence=4, offset=2)
    return yaml


def _holder(data: Any, loc: Loc) -> Any:
    found = data
    for depth, part in enumerate(loc[:-1]):
        if isinstance(found, Mapping) and part not in found and isinstance(part, str):
            found[part] = {}  # type: ignore[index]  # ruamel's own mapping
        try:
            found = found[part]
        except (KeyError, IndexError, TypeError) as error:
            raise EditError(f"there is no {field_path(loc[: depth + 1])}") from error
    last = loc[-1]
    fits = isinstance(found, Mapping) if isinstance(last, str) else _is_within(found, last)
    if not fits:
        raise EditError(f"there is no {field_path(loc)}; a list takes numbers up to its length")
    return found


def _is_within(found: object, index: int) -> bool:
    listed = isinstance(found, Sequence) and not isinstance(found, str)
    return listed and 0 <= index <= len(found)  # type: ignore[arg-type]  # it has a length
