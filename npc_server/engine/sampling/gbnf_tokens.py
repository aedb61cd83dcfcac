"""GBNF text as tokens, and mistakes in it with their line and column."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NoReturn

from npc_server.engine.errors import RequestRejectedError


@dataclass(frozen=True)
class Token:
    """A piece of grammar text."""

    kind: str  # a group name of _TOKEN; "end" after the last
    text: str
    offset: int


_TOKEN = re.compile(
    r"""(?P<space>[ \t]+|\#[^\r\n]*)
      | (?P<newline>\r\n|\r|\n)
      | (?P<define>::=)
      | (?P<name>[a-zA-Z0-9-]+)
      | (?P<literal>"(?:[^"\\\r\n]|\\.)*")
      | (?P<set>\[(?:[^\]\\\r\n]|\\.)*\])
      | (?P<repeat>[*+?]|\{[ \t]*\d{1,9}[ \t]*(?:,[ \t]*(?:\d{1,9}[ \t]*)?)?\})
      | (?P<any>\.)
      | (?P<bar>\|)
      | (?P<open>\()
      | (?P<close>\))""",
    re.VERBOSE,
)
_UNREADABLE = {
    '"': "a text without its closing quote; close it on the same line, a new line in it is \\n",
    "[": "a set without its closing ']' on the same line",
    "{": "a repetition that is none of {m}, {m,} and {m,n} with whole numbers",
    "<": "a token element; they are not taken here: write the text itself in quotes",
    "!": "a token element; they are not taken here: write the text itself in quotes",
    "_": "'_', which no rule name may hold; use letters, digits and '-'",
}


def tokens(text: str) -> Iterator[Token]:
    """The tokens of a grammar and one "end". Raises RequestRejectedError."""
    offset = 0
    while offset < len(text):
        found = _TOKEN.match(text, offset)
        if found is None:
            read = _UNREADABLE.get(text[offset], f"{text[offset]!r}, which means nothing here")
            refuse(text, offset, f"found {read}")
        assert found.lastgroup is not None  # every branch has a name
        if found.lastgroup != "space":
            yield Token(found.lastgroup, found.group(), offset)
        offset = found.end()
    yield Token("end", "", offset)


def refuse(text: str, offset: int, what: str) -> NoReturn:
    """Raise RequestRejectedError, naming the place of the mistake."""
    raise RequestRejectedError(f"grammar {place(text, offset)}: {what}")


def place(text: str, offset: int) -> str:
    """Line and column of an offset."""
    before = text[:offset].replace("\r\n", "\n").replace("\r", "\n")
    return f"line {before.count(chr(10)) + 1}, column {len(before) - before.rfind(chr(10))}"


def describe(token: Token) -> str:
    """The token as error texts name it."""
    names = {"end": "the end of the grammar", "newline": "the end of the line"}
    return names.get(token.kind) or repr(token.text)
