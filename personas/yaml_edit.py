"""Changes values of an authored file and leaves all else as its author wrote it.

Comments, order, quotes and blank lines stay. Files are read by `yaml_file` first, which refuses
what is no authored file; a change is not checked here, so read the text again before it is saved.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from io import StringIO
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedBase, CommentedMap, CommentedSeq
from ruamel.yaml.error import CommentMark, YAMLError
from ruamel.yaml.tokens import CommentToken

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
        _replace(holder, key, value)
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


def _replace(holder: Any, key: Any, value: object) -> None:
    """Put a value in a place; comments behind the old one that stand on lines of their own stay.

    ruamel has them at the last leaf of what they follow, with which they would go.
    """
    old = holder.get(key) if isinstance(holder, Mapping) else holder[key]
    behind = _comment_behind(old)
    holder[key] = _ruamel_value(value)
    if isinstance(old, CommentedSeq) and old.fa.flow_style() and isinstance(value, list):
        holder[key].fa.set_flow_style()
    if behind:
        at, last = _last_leaf(holder, key)
        at.ca.items[last] = _with_comment(at, behind)


def _comment_behind(value: Any) -> CommentToken | None:
    """What stands on the lines below a list or mapping; None = nothing."""
    if not isinstance(value, CommentedBase) or not value:
        return None
    at, last = _last_leaf(value, _last_key(value))
    place = 2 if isinstance(at, CommentedMap) else 0
    token = (at.ca.items.get(last) or [None] * 4)[place]
    below = token.value.partition("\n")[2] if token is not None else ""
    below += "".join(one.value for one in _ends(value))
    return CommentToken(f"\n{below}", CommentMark(0), None) if below.strip() else None


def _ends(value: Any) -> Iterator[CommentToken]:
    """The comments that ruamel has at the end of a collection, the innermost first."""
    if isinstance(value, CommentedMap | CommentedSeq) and value:
        yield from _ends(value[_last_key(value)])
        yield from value.ca.end or ()


def _last_leaf(holder: Any, key: Any) -> tuple[Any, Any]:
    """The innermost collection and the key in it at which what lies under a key ends."""
    value = holder[key]
    if isinstance(value, CommentedBase) and value and not value.fa.flow_style():
        return _last_leaf(value, _last_key(value))
    return holder, key


def _last_key(value: Any) -> Any:
    return list(value)[-1] if isinstance(value, CommentedMap) else len(value) - 1


def _ruamel_value(value: object) -> Any:
    """The value in ruamel's own lists and mappings, which may have comments."""
    if isinstance(value, Mapping):
        return CommentedMap({key: _ruamel_value(one) for key, one in value.items()})
    if isinstance(value, list):
        listed = CommentedSeq(map(_ruamel_value, value))
        if not value:
            listed.fa.set_flow_style()
        return listed
    return value


def _with_comment(holder: Any, token: CommentToken) -> list[CommentToken | None]:
    return (
        [None, None, token, None] if isinstance(holder, CommentedMap) else [token, None, None, None]
    )


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
