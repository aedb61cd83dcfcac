"""A YAML file as plain data, with the place of every field.

Authored files are untrusted: size and depth are limited, anchors and aliases are refused (one
alias can expand to gigabytes), only the safe scalar types are built, a key counts once, no device
is opened, and no link followed that leads out of the cast's folder. Nothing here raises for bad
content: what was wrong is in `problems`, so that the caller can report all files together.

Data is built in one pass over the parser's events. They come flat, so depth is known before
anything recursive sees them; and libyaml's parser, where PyYAML has it, takes a tenth of the time
of the one in Python, which a cast of thousands is read with.
"""

import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Protocol

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

#: libyaml's parser, or the one in Python where PyYAML was built without it.
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Place(NamedTuple):
    """Where something stands in a file; both count from 1."""

    line: int
    column: int


_TOP = Place(1, 1)


class Mark(Protocol):  # the pure and the C reader each have their own class of marks
    @property
    def line(self) -> int: ...

    @property
    def column(self) -> int: ...


@dataclass
class Document:
    """One file's content; `data` is None where the file could not be read at all."""

    file: Path
    data: Data = None
    readable: bool = False
    marks: dict[Loc, Mark] = field(default_factory=dict)  # where each field begins
    problems: list[Problem] = field(default_factory=list)

    def place(self, loc: Loc) -> Place:
        """The place of a field, or of the nearest thing around it."""
        while loc and loc not in self.marks:
            loc = loc[:-1]
        return _place(self.marks.get(loc))

    def report(self, loc: Loc, what: str) -> None:
        """Note a problem with the field at `loc`."""
        self.problems.append(self.problem(loc, what))

    def problem(self, loc: Loc, what: str) -> Problem:
        """Something about the field at `loc`, told with its place."""
        return Problem(
            self.file, self.place(loc).line, field_path(loc), what, self.place(loc).column
        )


def field_path(loc: Loc) -> str:
    """A field path as people write it: `facts[2].keywords`."""
    parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in loc)
    return "".join(parts).removeprefix(".")


def read(file: Path, within: Path, most_bytes: int = MAX_BYTES) -> Document:
    """Read one file; look at `problems` before `data`. Its links may not lead out of `within`."""
    try:
        return parse(file, _text(file, within, most_bytes))
    except _RefusedError as refused:
        return _only_refused(file, refused)


def parse(file: Path, text: str) -> Document:
    """Read what is written in `file`, or will be; look at `problems` before `data`."""
    document = Document(file)
    try:
        document.data = _Reading(text, document).whole()
        document.readable = True
    except _RefusedError as refused:
        return _only_refused(file, refused)
    except yaml.reader.ReaderError as error:
        what = f"character not allowed: {error.reason}"
        document.problems.append(Problem(file, _line_at(text, error.position), "", what))
    except yaml.MarkedYAMLError as error:
        place = _place(error.problem_mark or error.context_mark)
        document.problems.append(Problem(file, place.line, "", _syntax(error), place.column))
    return document


def text_in(file: Path, within: Path) -> str | None:
    """The text of a file as `read` reads it; None where that cannot read it."""
    try:
        return _text(file, within, MAX_BYTES)
    except _RefusedError:
        return None


class _RefusedError(Exception):
    def __init__(self, place: Place, what: str) -> None:
        self.place, self.what = place, what
        super().__init__(what)


_WHOLE = Place(0, 0)


def _only_refused(file: Path, refused: _RefusedError) -> Document:
    place = refused.place
    problem = Problem(file, place.line, "", refused.what, place.column)
    return Document(file, problems=[problem])


def _text(file: Path, within: Path, most_bytes: int) -> str:
    try:
        return text_of(_bytes(file, within, most_bytes))
    except NotUtf8Error as error:
        raise _RefusedError(Place(error.line, 0), error.what) from error


def _bytes(file: Path, within: Path, most_bytes: int) -> bytes:
    try:
        real = inside(file, within)
        if not stat.S_ISREG(real.stat().st_mode):
            raise _RefusedError(_WHOLE, "not a plain file; devices are not read")
        with real.open("rb") as stream:
            content = stream.read(most_bytes + 1)
    except LinkError as error:
        raise _RefusedError(_WHOLE, str(error)) from error
    except FileNotFoundError as error:
        raise _RefusedError(_WHOLE, "file is missing") from error
    except OSError as error:
        raise _RefusedError(_WHOLE, f"cannot be read: {error.strerror}") from error
    if len(content) > most_bytes:
        raise _RefusedError(_WHOLE, f"larger than {most_bytes // 1024} KiB")
    return content


class _Reading:
    """One pass over a text's events."""

    def __init__(self, text: str, document: Document) -> None:
        self._document = document
        self._events = _Loader(text)
        self._scalars = yaml.SafeLoader("")  # what a plain word is: a number, a yes, a text
        self._depth = 0

    def whole(self) -> Data:
        """The data of the file's only document. Raises _RefusedError and yaml's errors."""
        try:
            self._next()  # the stream begins
            if isinstance(self._next(), yaml.StreamEndEvent):
                return None
            data = self._value(self._next(), ())
            self._next()  # the document ends
            if not isinstance(more := self._next(), yaml.StreamEndEvent):
                raise _RefusedError(_place(more.start_mark), "a second document begins; keep one")
            return data
        finally:
            self._events.dispose()

    def _next(self) -> Any:
        event = self._events.get_event()
        if getattr(event, "anchor", None) is not None:
            what = "anchors and aliases (& and *) are not allowed; write it out"
            raise _RefusedError(_place(event.start_mark), what)
        return event

    def _value(self, event: Any, loc: Loc) -> Data:
        self._document.marks.setdefault(loc, event.start_mark)
        if type(event) is yaml.ScalarEvent:
            return self._scalar(event, loc)
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise _too_deep(event)
        data = (self._mapping if isinstance(event, yaml.MappingStartEvent) else self._list)(loc)
        self._depth -= 1
        return data

    def _list(self, loc: Loc) -> Data:
        values: list[Data] = []
        while not isinstance(event := self._next(), yaml.SequenceEndEvent):
            values.append(self._value(event, (*loc, len(values))))
        return tuple(values)

    def _mapping(self, loc: Loc) -> Data:
        found: dict[str, Data] = {}
        event: Any
        while not isinstance(event := self._next(), yaml.MappingEndEvent):
            if type(event) is not yaml.ScalarEvent:
                self._document.report(loc, "a key must be a plain word")
                self._skip(event)
                self._skip(self._next())
            elif event.value in found:
                self._report_twice((*loc, event.value), event)
                self._skip(self._next())
            else:
                inner = (*loc, event.value)
                mark: Any = event.start_mark  # of one of two classes
                self._document.marks[inner] = mark
                found[event.value] = self._value(self._next(), inner)
        return found

    def _skip(self, event: Any) -> None:
        """Read on to the end of what begins with `event`."""
        level = 0
        while True:
            level += isinstance(event, yaml.CollectionStartEvent)
            level -= isinstance(event, yaml.CollectionEndEvent)
            if self._depth + level > MAX_DEPTH:
                raise _too_deep(event)
            if not level:
                return
            event = self._next()

    def _report_twice(self, loc: Loc, event: Any) -> None:
        place, first = _place(event.start_mark), self._document.place(loc).line
        what = f"key is given twice (first on line {first}); keep one"
        problem = Problem(self._document.file, place.line, field_path(loc), what, place.column)
        self._document.problems.append(problem)

    def _scalar(self, event: Any, loc: Loc) -> Plain:
        text: str = event.value
        value: Plain = text
        if event.tag is not None or (event.implicit[0] and _may_be_no_text(text)):
            value = self._made_of(event, loc)
        if isinstance(value, str) and not (value.isascii() and value.isprintable()):
            self._refuse_unwanted_sign(value, loc)
        return value

    def _refuse_unwanted_sign(self, text: str, loc: Loc) -> None:
        if sign := unwanted_sign(text):
            self._document.report(loc, f"holds {sign}, which belongs into no text; delete it")

    def _made_of(self, event: Any, loc: Loc) -> Plain:
        implied: Any = self._scalars.resolve
        tag = event.tag or implied(yaml.ScalarNode, event.value, event.implicit)
        node = yaml.ScalarNode(tag, event.value, event.start_mark, event.end_mark)
        try:
            value: Plain = self._scalars.construct_object(node)
        except (yaml.constructor.ConstructorError, ValueError) as error:
            what = f"cannot be read as a value ({str(error).splitlines()[0]}); quote it"
            self._document.report(loc, what)
            return str(event.value)
        return value


def _too_deep(event: Any) -> _RefusedError:
    return _RefusedError(_place(event.start_mark), f"nested deeper than {MAX_DEPTH} levels")


def _may_be_no_text(text: str) -> bool:
    """Whether plain text begins like a number, a date, a yes or nothing; sentences are none."""
    if not text:
        return True
    if text[0].isalpha() and " " in text:
        return False
    return text[0] in yaml.SafeLoader.yaml_implicit_resolvers


def _syntax(error: yaml.MarkedYAMLError) -> str:
    line = _place(error.context_mark).line
    context = f"{error.context} (line {line})" if error.context else None
    return "YAML syntax: " + ", ".join(part for part in (context, error.problem) if part)


def _line_at(text: str, position: int) -> int:
    """The line of a position: in bytes where libyaml tells it, in characters where Python does."""
    if _Loader is yaml.SafeLoader:
        return 1 + text.count("\n", 0, position)
    return 1 + text.encode()[:position].count(b"\n")


def _place(mark: Mark | None) -> Place:
    return _TOP if mark is None else Place(mark.line + 1, mark.column + 1)
