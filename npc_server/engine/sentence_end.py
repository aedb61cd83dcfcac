"""Whole sentences of a reply while it comes: where it may end, and what may be shown.

What was shown cannot be taken back, and a reply that reaches its limit is cut behind its last whole
sentence. So the first sentence is shown as it comes, for nothing could be cut before it ends; a
later one when it is whole. An end that comes before the least length is none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from npc_server.engine.errors import RequestRejectedError
from npc_server.engine.protocol import SentenceRule


class SentenceEnds:
    """Follows the sentences of one reply under a rule; `most` sentences complete it (0 = none)."""

    def __init__(self, rule: SentenceRule, most: int) -> None:
        self._within, self._last = pattern_of(rule.within), pattern_of(rule.last)
        self._most = most
        self._count = 0
        self._text = ""
        self._shown = 0
        self._seen = 0  # length of the whole sentences
        self._whole = 0  # what stays of the reply if it is cut off; 0 = all
        self.complete = False

    @property
    def any_whole(self) -> bool:
        """Whether the reply can be cut behind a sentence."""
        return self._whole > 0

    def push(self, text: str, least: int | None = 0) -> str:
        """Add text; returns what may be shown now. Sets `complete` behind the last sentence.

        The reply may end where it has more than `least` characters; None = nowhere as yet.
        """
        self._text += text
        for end in self._ends(self._within):
            self._count_end(end, may_end=least is not None and end > least)
            if self.complete:
                break
        return self._show(self._whole or len(self._text.rstrip()))

    def finish(self) -> str:
        """End a reply that ended by itself; returns what was held back."""
        return self._show(len(self._text))

    def cut(self) -> str:
        """End a reply that was cut off: behind its last whole sentence, if there is one."""
        if not self.complete:
            for end in self._ends(self._last):
                self._count_end(end, may_end=True)
        return self._show(self._whole or len(self._text))

    def _ends(self, pattern: re.Pattern[str]) -> Iterator[int]:
        """Ends behind the last known one."""
        return (end for end in ends_in(pattern, self._text, self._seen) if end > self._seen)

    def _count_end(self, end: int, *, may_end: bool) -> None:
        self._seen = end
        self._count += 1
        if may_end:
            self._whole = end
            self.complete = 0 < self._most <= self._count

    def _show(self, length: int) -> str:
        shown = self._text[self._shown : length]
        self._shown = max(self._shown, length)
        return shown


def ends_in(pattern: re.Pattern[str], text: str, start: int = 0) -> Iterator[int]:
    """Where a pattern of a rule finds ends of sentences."""
    return (match.end("end") for match in pattern.finditer(text, start) if match["end"] is not None)


@lru_cache(maxsize=16)
def pattern_of(pattern: str, *, marks_end: bool = True) -> re.Pattern[str]:
    """A pattern of a rule, ready. Raises RequestRejectedError when it is none, or has no `end`."""
    try:
        made = re.compile(pattern)
    except re.error as error:
        raise RequestRejectedError(f"a sentence rule is no pattern: {error}") from error
    if marks_end and "end" not in made.groupindex:
        raise RequestRejectedError("a sentence rule has no group named 'end'")
    return made
