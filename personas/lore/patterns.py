"""Regular expressions of lore, looked for in time proportional to the text, however they look.

RE2 has no backtracking, so no pattern can explode; it compiles none that grows too large, and has
neither look-around nor back-references. Case counts for nothing unless the pattern says `(?-i)`.
Thousands are looked for at once: only those are tried whose fixed parts a text has.
"""

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import re2  # type: ignore[import-untyped]  # ships no types

#: Bytes that RE2 may take for a pattern: to be accepted, which bounds its steps per character of a
#: text, and when it is looked for, where more of them save work.
_TO_BE_ACCEPTED, _TO_BE_FOUND = 1 << 14, 1 << 20


class PatternRefusedError(ValueError):
    """A text is no pattern, or one that could take too long; says why."""


def _options(most_memory: int) -> Any:
    options = re2.Options()
    options.case_sensitive = False
    options.log_errors = False
    options.max_mem = most_memory
    return options


@lru_cache(maxsize=1 << 12)
def check_pattern(pattern: str) -> None:
    """Refuse what is no pattern. Raises PatternRefusedError."""
    try:
        compiled = re2.compile(pattern, _options(_TO_BE_ACCEPTED))
    except re2.error as error:
        what = error.args[0].decode() if isinstance(error.args[0], bytes) else str(error)
        raise PatternRefusedError(f"cannot be looked for: {_in_words(what)}") from error
    if compiled.search("") is not None:
        raise PatternRefusedError("matches where nothing is said; make it ask for a word")


def _in_words(what: str) -> str:
    kind, _, where = what.partition(": ")
    if kind == "invalid perl operator":
        return f"{where} looks around, which is not possible here"
    if kind == "invalid escape sequence" and where[1:].isdigit():
        return f"{where} refers back, which is not possible here"
    if kind in ("pattern too large - compile failed", "invalid repetition size"):
        return "it repeats too much to be looked for quickly; use smaller counts in braces"
    return what


class PatternSet:
    """Patterns that are looked for together."""

    def __init__(self, patterns: Iterable[str]) -> None:
        """Every pattern passes `check_pattern`."""
        self._filter = re2.Filter()
        self._count = 0
        for self._count, pattern in enumerate(patterns, 1):
            self._filter.Add(pattern, _options(_TO_BE_FOUND))
        if self._count:
            self._filter.Compile()

    def places_in(self, text: str) -> tuple[int, ...]:
        """The places of the patterns that the text matches, in their order."""
        found: list[int] = (self._filter.Match(text) if self._count else None) or []
        return tuple(sorted(found))
