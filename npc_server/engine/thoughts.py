"""Cuts what a model thinks aloud out of its replies, as it comes.

A thought begins and ends with a mark. The marks are text here, however they were made: a token of
the vocabulary, or letters. What may still become a mark is held back, so no part of one is shown.
A thought without an end hides all that follows it.
"""

from __future__ import annotations

import re

#: The marks of thought that are known, and their ends.
THOUGHTS = (
    ("<think>", "</think>"),
    ("<thinking>", "</thinking>"),
    ("<thought>", "</thought>"),
    ("<|START_THINKING|>", "<|END_THINKING|>"),
    ("[THINK]", "[/THINK]"),
)
_END_OF = {begins.lower(): ends for begins, ends in THOUGHTS}
_BEGINNING = re.compile(rf"\s*(?:{'|'.join(map(re.escape, _END_OF))})", re.IGNORECASE)
_MARKS = frozenset(mark.lower() for pair in THOUGHTS for mark in pair)
_FIRST_LETTERS = frozenset(mark[0] for mark in _MARKS)
_ANY_MARK = re.compile("|".join(map(re.escape, [*_END_OF, *_END_OF.values()])), re.IGNORECASE)


class ThoughtFilter:
    """Takes the text of a reply in pieces and returns what is no thought.

    `only_at_start`: a reply in a form that was asked for may hold the marks; only a thought that
    comes before it is cut.
    """

    def __init__(self, *, only_at_start: bool = False) -> None:
        self._only_at_start = only_at_start
        self._held = ""
        self._end = ""  # the mark that ends the running thought; "" = none runs
        self._shown = False  # whether anything but blanks was returned
        self._cut = False

    def push(self, text: str) -> str:
        """Add text; returns what is surely no thought."""
        self._held += text
        said = ""
        while (passed := self._step()) is not None:
            said += passed
        return said + self._release(len(self._held) - self._unsure())

    def finish(self) -> str:
        """End the reply; returns what was held back, unless it is thought or the start of one."""
        begun = len(self._held.strip()) > 1 and not self._shown and self._may_begin(self._held)
        return "" if self._end or begun else self._release(len(self._held))

    def _step(self) -> str | None:
        """Go past the next mark; returns the text before it, or None when there is no mark."""
        if self._end:
            found = re.search(re.escape(self._end), self._held, re.IGNORECASE)
            if found is None:
                return None
            self._end, self._held, self._cut = "", self._held[found.end() :], True
            return ""
        found = self._next_mark()
        if found is None:
            return None
        before = self._held[: found.start()]
        self._end = _END_OF.get(found[0].strip().lower(), "")
        self._held, self._cut = self._held[found.end() :], True
        self._shown = self._shown or bool(before.strip())
        return before if self._shown else ""

    def _next_mark(self) -> re.Match[str] | None:
        if not self._only_at_start:
            return _ANY_MARK.search(self._held)
        return None if self._shown else _BEGINNING.match(self._held)

    def _unsure(self) -> int:
        """How many of the last letters may yet become a mark, or stand before one."""
        if self._end:
            return len(self._held)
        if not self._shown and (not self._held.strip() or self._may_begin(self._held)):
            return len(self._held)
        if self._only_at_start:
            return 0
        last = max(map(self._held.rfind, _FIRST_LETTERS))
        tail = self._held[last:] if last >= 0 else ""
        return len(tail) if tail and self._may_begin(tail) else 0

    def _may_begin(self, text: str) -> bool:
        start = text.strip().lower() if not self._shown else text.lower()
        return bool(start) and any(mark.startswith(start) for mark in _MARKS)

    def _release(self, count: int) -> str:
        text, self._held = self._held[:count], self._held[count:]
        if self._cut and not self._shown:
            text = text.lstrip()  # the blank lines after a thought
        self._shown = self._shown or bool(text.strip())
        return text
