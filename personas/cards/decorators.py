"""Decorators: lines `@@name value` before the text of a V3 lorebook entry. Pure.

A line `@@@name value` is a fallback for readers that do not know the decorator above it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

_DECORATOR = re.compile(r"@@(@?)([a-z_]+)(?:[ \t]+(.*))?", re.IGNORECASE)


@dataclass(frozen=True)
class Decorator:
    """One decorator that counts: it is known, or none of its fallbacks is."""

    name: str
    value: str


@dataclass(frozen=True)
class DecoratedText:
    """The text of an entry taken apart."""

    head: str  # the decorators as they are written, with the last line's end
    text: str
    decorators: tuple[Decorator, ...]

    def value(self, name: str) -> str | None:
        """What a decorator says; None = it is not there."""
        return next((one.value for one in self.decorators if one.name == name), None)

    def number(self, name: str) -> int | None:
        """What a decorator says, as a number; None = it is not there, or says no number."""
        value = self.value(name) or ""
        return int(value) if re.fullmatch(r"\d{1,6}", value) else None

    def words(self, name: str) -> tuple[str, ...]:
        """The words that a decorator lists, with commas between them."""
        return tuple(part.strip() for part in (self.value(name) or "").split(",") if part.strip())


def decorators_of(content: str, known: Iterable[str]) -> DecoratedText:
    """Take an entry's text apart; of a decorator with fallbacks the first known one counts."""
    lines = content.splitlines(keepends=True)
    head = 0
    while head < len(lines) and _DECORATOR.fullmatch(lines[head].strip()):
        head += 1
    names = frozenset(known)
    found: list[Decorator] = []
    settled = True
    for line in lines[:head]:
        written = _DECORATOR.fullmatch(line.strip())
        assert written is not None  # as above
        one = Decorator(written[2].lower(), (written[3] or "").strip())
        if not written[1]:
            found.append(one)
            settled = one.name in names
        elif not settled and one.name in names:
            found[-1:] = [one]  # in place of the one that is not known
            settled = True
    return DecoratedText("".join(lines[:head]), "".join(lines[head:]), tuple(found))
