"""A YAML file as plain data, with the place of every field.

Authored files are untrusted: size, depth and the number of values are limited, anchors and aliases
are refused (one alias can expand to gigabytes), only the safe scalar types are built, a key counts
once, no device is opened, and no link followed that leads out of the cast's folder. Nothing here
raises for bad content: what was wrong is in `problems`, so that the caller can report all files
together.

Data is built in one pass over the parser's events. They come flat, so depth is known before
anything recursive sees them; and libyaml's parser, where PyYAML has it, takes a tenth of the time
of the one in Python, which a cast of thousands is read with. Of places only the marks are kept that
the parser makes anyway: most files have nothing wrong, so nobody asks where.
"""

import stat
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import yaml

from languages.visibility import unwanted_sign
from personas.authored_text import NotUtf8Error, text_of
from personas.errors import Problem
from personas.links import LinkError, inside

MAX_BYTES = 256 * 1024
MAX_DEPTH = 12
MAX_VALUES = 500_000  # two seconds and 150 MB; ten thousand entries of lore have a fifth of it
_MOST_PROBLEMS = 200
_LONGEST_NUMBER = 64  # signs of what may be no text: YAML has numbers that take hours to work out

_TEXT = "tag:yaml.org,2002:str"
#: What building a scalar raises: PyYAML trusts that a tag, such as !!int, stands before its kind.
_NO_VALUE = (
    yaml.constructor.ConstructorError,
    ArithmeticError,
    AttributeError,
    LookupError,
    ValueError,
)

Loc = tuple[str | int, ...]
Plain = str | int | float | bool | None | object  # what SafeLoader makes of a scalar
Data = Plain | dict[str, "Data"] | tuple["Data", ...]

#: libyaml's parser, or the one in Python where PyYAML was built without it.
_Scalar = yaml.ScalarEvent
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


#: Where something begins, then where each of its entries does, in their order: at their keys in a
#: mapping. An entry that has entries itself is such a list.
Marks = list["Mark | Marks | None"]


@dataclass
class Document:
    """One file's content; `data` is None where the file could not be read at all."""

    file: Path
    data: Data = None
    readable: bool = False
    marks: Marks = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    def place(self, loc: Loc) -> Place:
        """The place of a field, or of the nearest thing around it."""
        data, marks = self.data, self.marks
        for part in loc:
            number = _number_of(part, data)
            if number is None:
                break
            entry = marks[1 + number]
            if not isinstance(entry, list):
                return _place(entry)
            data, marks = data[part], entry  # type: ignore[index]  # it has a number
        return _place(marks[0] if marks else None)

    def report(self, loc: Loc, what: str) -> None:
        """Note a problem with the field at `loc`."""
        self.problems.append(self.problem(loc, what))

    def problem(self, loc: Loc, what: str) -> Problem:
        """Something about the field at `loc`, told with its place."""
        return Problem(
            self.file, self.place(loc).line, field_path(loc), what, self.place(loc).column
        )


def _number_of(part: str | int, data: Data) -> int | None:
    """Which entry of `data` a part of a path names; None = none."""
    if isinstance(data, dict):
        return next((number for number, key in enumerate(data) if key == part), None)
    within = isinstance(data, tuple) and isinstance(part, int) and part < len(data)
    return int(part) if within else None


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
        has_anchors = "&" in text or "*" in text  # or something that looks like some
        self._next = self._next_without_anchor if has_anchors else self._events.get_event
        self._depth = 0
        self._values = 0

    def whole(self) -> Data:
        """The data of the file's only document. Raises _RefusedError and yaml's errors."""
        try:
            self._next()  # the stream begins
            if type(self._next()) is yaml.StreamEndEvent:
                return None
            first = self._next()
            self._document.marks.append(first.start_mark)
            data = self._value(first, (), self._document.marks)
            self._next()  # the document ends
            if type(more := self._next()) is not yaml.StreamEndEvent:
                raise _RefusedError(_place(more.start_mark), "a second document begins; keep one")
            return data
        finally:
            self._events.dispose()

    def _next_without_anchor(self) -> Any:
        event = self._events.get_event()
        if getattr(event, "anchor", None) is not None:
            what = "anchors and aliases (& and *) are not allowed; write it out"
            raise _RefusedError(_place(event.start_mark), what)
        return event

    def _value(self, event: Any, loc: Loc, marks: Marks) -> Data:
        """The value that `event` begins; its entries are added to `marks`."""
        if type(event) is _Scalar:
            return self._scalar(event, loc, marks[0])
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise _too_deep(event)
        read = self._mapping if type(event) is yaml.MappingStartEvent else self._list
        data = read(loc, marks)
        self._depth -= 1
        return data

    def _list(self, loc: Loc, marks: Marks) -> Data:
        values: list[Data] = []
        next_ = self._next
        while type(event := next_()) is not yaml.SequenceEndEvent:
            marks.append(event.start_mark)
            values.append(self._entry(event, loc, len(values), marks))
        return tuple(values)

    def _mapping(self, loc: Loc, marks: Marks) -> Data:
        found: dict[str, Data] = {}
        next_ = self._next
        while type(event := next_()) is not yaml.MappingEndEvent:
            if type(event) is not _Scalar:
                self._report(loc, marks[0], "a key must be a plain word")
                self._skip(event)
                self._skip(self._next())
            elif (key := event.value) in found:
                self._report_twice((*loc, key), event, marks[1 + list(found).index(key)])
                self._skip(self._next())
            else:
                marks.append(event.start_mark)
                found[key] = self._entry(next_(), loc, key, marks)
        return found

    def _entry(self, event: Any, loc: Loc, part: str | int, marks: Marks) -> Data:
        self._values += 1
        if self._values > MAX_VALUES:
            raise _RefusedError(_place(event.start_mark), f"more than {MAX_VALUES:,} values")
        if type(event) is not _Scalar:
            inner: Marks = [marks[-1]]
            marks[-1] = inner
            return self._value(event, (*loc, part), inner)
        if event.tag is None and _is_text(event.value, event.implicit[0]):
            return event.value  # most are, and need no path
        return self._scalar(event, (*loc, part), marks[-1])

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

    def _report_twice(self, loc: Loc, event: Any, first: "Mark | Marks | None") -> None:
        what = f"key is given twice (first on line {_place(first).line}); keep one"
        self._report(loc, event.start_mark, what)
        if len(self._document.problems) > _MOST_PROBLEMS:  # looking for the first one takes a while
            raise _RefusedError(_place(event.start_mark), f"more than {_MOST_PROBLEMS} problems")

    def _report(self, loc: Loc, mark: "Mark | Marks | None", what: str) -> None:
        place = _place(mark)
        problem = Problem(self._document.file, place.line, field_path(loc), what, place.column)
        self._document.problems.append(problem)

    def _scalar(self, event: Any, loc: Loc, begins: "Mark | Marks | None") -> Plain:
        text: str = event.value
        value: Plain = text
        if event.tag is not None or (event.implicit[0] and _may_be_no_text(text)):
            value = self._value_of(event, loc, begins)
        if isinstance(value, str) and (sign := unwanted_sign(value)):
            self._report(loc, begins, f"holds {sign}, which belongs into no text; delete it")
        return value

    def _value_of(self, event: Any, loc: Loc, begins: "Mark | Marks | None") -> Plain:
        read = _word_value if len(event.value) <= _LONGEST_WORD else _scalar_value
        try:
            return read(event.value, event.tag, event.implicit)
        except _NO_VALUE as error:
            self._report(loc, begins, f"cannot be read as a value ({_why(error)}); quote it")
            return str(event.value)


def _why(error: Exception) -> str:
    if isinstance(error, (AttributeError, LookupError)):  # what PyYAML meant by it tells nobody
        return "its tag does not fit it"
    return str(error).splitlines()[0]


def _too_deep(event: Any) -> _RefusedError:
    return _RefusedError(_place(event.start_mark), f"nested deeper than {MAX_DEPTH} levels")


def _is_text(text: str, plain: bool) -> bool:
    """Whether a scalar surely is the text that it holds, and has no sign that is in no text."""
    return text.isascii() and text.isprintable() and not (plain and _may_be_no_text(text))


def _may_be_no_text(text: str) -> bool:
    """Whether plain text begins like a number, a date, a yes or nothing; sentences are none."""
    if not text:
        return True
    if text[0].isalpha() and " " in text:
        return False
    return text[0] in yaml.SafeLoader.yaml_implicit_resolvers


class _Scalars(yaml.constructor.SafeConstructor, yaml.resolver.Resolver):
    """What a plain word is: a number, a yes, a text."""

    def __init__(self) -> None:
        yaml.constructor.SafeConstructor.__init__(self)
        yaml.resolver.Resolver.__init__(self)


def _scalar_value(text: str, tag: str | None, implicit: tuple[bool, bool]) -> Plain:
    """What a scalar stands for. Raises one of _NO_VALUE."""
    scalars = _Scalars()
    implied: Any = scalars.resolve
    kind = tag or implied(yaml.ScalarNode, text, implicit)
    if kind != _TEXT and len(text) > _LONGEST_NUMBER:
        raise ValueError(f"{len(text):,} signs, more than any number or date")
    node = yaml.ScalarNode(kind, text)
    value: Plain = scalars.construct_object(node)
    return value


#: The same words come again and again: ids, numbers, yes.
_word_value = lru_cache(maxsize=4096)(_scalar_value)
_LONGEST_WORD = 40


def _syntax(error: yaml.MarkedYAMLError) -> str:
    line = _place(error.context_mark).line
    context = f"{error.context} (line {line})" if error.context else None
    return "YAML syntax: " + ", ".join(part for part in (context, error.problem) if part)


def _line_at(text: str, position: int) -> int:
    """The line of a position: in bytes where libyaml tells it, in characters where Python does."""
    if _Loader is yaml.SafeLoader:
        return 1 + text.count("\n", 0, position)
    return 1 + text.encode()[:position].count(b"\n")


def _place(mark: "Mark | Marks | None") -> Place:
    if isinstance(mark, list):
        return _place(mark[0])
    return _TOP if mark is None else Place(mark.line + 1, mark.column + 1)
