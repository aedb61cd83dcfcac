"""Token bytes as text that is safe to show: whole characters, no thought, no part of a stop."""

from __future__ import annotations

import codecs
from collections.abc import Sequence

from npc_server.engine.thoughts import ThoughtFilter


class TextStream:
    """Collects the bytes of a reply and releases what can no longer turn into a stop string.

    What the model thinks aloud is left out, and no stop string counts in it. `in_form`: the reply
    keeps to a grammar, whose marks are its own.
    """

    def __init__(self, stop: Sequence[str] = (), *, in_form: bool = False) -> None:
        self._stop = tuple(text for text in stop if text)
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._thoughts = ThoughtFilter(only_at_start=in_form)
        self._held = ""
        self._shown: list[str] = []
        self.stopped = False

    @property
    def text(self) -> str:
        """Everything released so far."""
        return "".join(self._shown)

    def push(self, data: bytes) -> str:
        """Add a token's bytes; returns what may be shown now. Sets `stopped` at a stop string."""
        if self.stopped:
            return ""
        self._held += self._thoughts.push(self._decoder.decode(data))
        cut = self._first_stop()
        if cut is not None:
            self.stopped = True
            return self._release(cut, keep_rest=False)
        return self._release(len(self._held) - self._possible_stop(), keep_rest=True)

    def finish(self) -> str:
        """End the reply; returns what was held back, with an unfinished character replaced."""
        if not self.stopped:
            rest = self._decoder.decode(b"", final=True)
            self._held += self._thoughts.push(rest) + self._thoughts.finish()
        return self._release(len(self._held), keep_rest=False)

    def _release(self, count: int, *, keep_rest: bool) -> str:
        shown, rest = self._held[:count], self._held[count:]
        self._held = rest if keep_rest else ""
        self._shown.append(shown)
        return shown

    def _first_stop(self) -> int | None:
        found = [at for text in self._stop if (at := self._held.find(text)) >= 0]
        return min(found, default=None)

    def _possible_stop(self) -> int:
        return max((_overlap(self._held, text) for text in self._stop), default=0)


def _overlap(text: str, stop: str) -> int:
    """Length of the longest end of `text` that begins `stop`."""
    longest = min(len(text), len(stop) - 1)
    return next((n for n in range(longest, 0, -1) if text.endswith(stop[:n])), 0)
