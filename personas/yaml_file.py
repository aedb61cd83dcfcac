"""A YAML file as plain data, with the line of every field.

Authored files are untrusted: size and depth are limited, anchors and aliases are refused (one
alias can expand to gigabytes), only the safe scalar types are built, a key counts once, no device
is opened, and no link followed that leads out of the cast's folder. Nothing here raises for bad
content: what was wrong is in `problems`, so that the caller can report all files together.
"""

import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import yaml

from languages.visibility import unwanted_sign
from personas.authored_text import NotUtf8Error, text_of
from personas.errors import Problem
from personas.links import LinkError, inside

MAX_BYTES = 256 * 1024
MAX_DEPTH = 12

Loc = tuple[str | int, ...]
Plain = str | int | float | bool | None | object  # what SafeLoader makes of a scalar
Data = Plain | dict[str, "Data"] | tuple["Data", ...]


@dataclass
class Document:
    """One file's content; `data` is None where the file could not be read at all."""

    file: Path
    data: Data = None
    readable: bool = False
    lines: dict[Loc, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def line(self, loc: Loc) -> int:
        """The line of a field, or of the nearest thing around it."""
        while loc and loc not in self.lines:
            loc = loc[:-1]
        return self.lines.get(loc, 1)

    def report(self, loc: Loc, what: str) -> None:
        """Note a problem with the field at `loc`."""
        self.problems.append(Problem(self.file, self.line(loc), field_path(loc), what))


def field_path(loc: Loc) -> str:
    """A field path as people write it: `facts[2].keywords`."""
    parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in loc)
    return "".join(parts).removeprefix(".")


def read(file: Path, within: Path) -> Document:
    """Read one file; look at `problems` before `data`. Its links may not lead out of `within`."""
    document = Document(file)
    try:
        text = _text(file, within)
        if text is not None:
            _refuse_tricks(text)
            _build(text, document)
    except _RefusedError as refused:
        document.problems.append(Problem(file, refused.line, "", refused.what))
    except yaml.reader.ReaderError as error:
        line = 1 + (text or "").count("\n", 0, error.position)
        document.problems.append(Problem(file, line, "", f"character not allowed: {error.reason}"))
    except yaml.MarkedYAMLError as error:
        document.problems.append(
            Problem(file, _line(error.problem_mark or error.context_mark), "", _syntax(error))
        )
    return document


class _RefusedError(Exception):
    def __init__(self, line: int, what: str) -> None:
        self.line, self.what = line, what
        super().__init__(what)


def _text(file: Path, within: Path) -> str | None:
    try:
        return text_of(_bytes(file, within))
    except NotUtf8Error as error:
        raise _RefusedError(error.line, error.what) from error


def _bytes(file: Path, within: Path) -> bytes:
    try:
        real = inside(file, within)
        if not stat.S_ISREG(real.stat().st_mode):
            raise _RefusedError(0, "not a plain file; devices are not read")
        with real.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except LinkError as error:
        raise _RefusedError(0, str(error)) from error
    except FileNotFoundError as error:
        raise _RefusedError(0, "file is missing") from error
    except OSError as error:
        raise _RefusedError(0, f"cannot be read: {error.strerror}") from error
    if len(content) > MAX_BYTES:
        raise _RefusedError(0, f"larger than {MAX_BYTES // 1024} KiB")
    return content


def _refuse_tricks(text: str) -> None:
    # The event stream is flat, so depth is known before anything recursive sees the text.
    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        line = _line(event.start_mark)
        if getattr(event, "anchor", None) is not None:
            raise _RefusedError(line, "anchors and aliases (& and *) are not allowed; write it out")
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            raise _RefusedError(line, f"nested deeper than {MAX_DEPTH} levels")


def _build(text: str, document: Document) -> None:
    loader = yaml.SafeLoader(text)
    try:
        node = loader.get_single_node()
        document.data = None if node is None else _plain(node, (), document, loader)
        document.readable = True
    finally:
        loader.dispose()


def _plain(node: yaml.Node, loc: Loc, document: Document, loader: yaml.SafeLoader) -> Data:
    document.lines.setdefault(loc, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        items = _items(node, loc, document)
        return {key: _plain(value, (*loc, key), document, loader) for key, value in items}
    if isinstance(node, yaml.SequenceNode):
        return tuple(_plain(v, (*loc, i), document, loader) for i, v in enumerate(node.value))
    return _scalar(node, loc, document, loader)


def _items(node: yaml.MappingNode, loc: Loc, document: Document) -> Iterator[tuple[str, yaml.Node]]:
    seen: set[str] = set()
    for key_node, value in node.value:
        if not isinstance(key_node, yaml.ScalarNode):
            document.report(loc, "a key must be a plain word")
            continue
        key: str = key_node.value
        if key in seen:
            line, first = key_node.start_mark.line + 1, document.line((*loc, key))
            what = f"key is given twice (first on line {first}); keep one"
            document.problems.append(Problem(document.file, line, field_path((*loc, key)), what))
            continue
        seen.add(key)
        document.lines[(*loc, key)] = key_node.start_mark.line + 1
        yield key, value


def _scalar(node: yaml.Node, loc: Loc, document: Document, loader: yaml.SafeLoader) -> Plain:
    try:
        value: Plain = loader.construct_object(node)
    except (yaml.constructor.ConstructorError, ValueError) as error:
        document.report(loc, f"cannot be read as a value ({str(error).splitlines()[0]}); quote it")
        return str(node.value)
    if isinstance(value, str) and (sign := unwanted_sign(value)):
        document.report(loc, f"holds {sign}, which belongs into no text; delete it")
    return value


def _syntax(error: yaml.MarkedYAMLError) -> str:
    context = f"{error.context} (line {_line(error.context_mark)})" if error.context else None
    return "YAML syntax: " + ", ".join(part for part in (context, error.problem) if part)


class _Mark(Protocol):  # the pure and the C reader each have their own class of marks
    @property
    def line(self) -> int: ...


def _line(mark: _Mark | None) -> int:
    return 1 if mark is None else mark.line + 1
