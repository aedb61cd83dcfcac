"""Token bytes as text that is safe to show: whole characters, no thought, no part of a stop.

Where a reply is to be whole sentences, what could still be cut off is not safe to show either.
"""

from __future__ import annotations

import codecs
from bisect import bisect_left
from collections.abc import Sequence

from npc_server.engine.sentence_end import SentenceEnds
from npc_server.engine.thoughts import ThoughtFilter


class TextStream:
    """Collects the bytes of a reply and releases what can no longer turn into a stop string.

    What the model thinks aloud is left out, and no stop string counts in it. `in_form`: the reply
    keeps to a grammar, whose marks are its own. `sentences` holds back what could be cut off; a cut
    leaves at least `min_tokens`.
    """

    def __init__(
        self,
        stop: Sequence[str] = (),
        *,
        in_form: bool = False,
        sentences: SentenceEnds | None = None,
        min_tokens: int = 0,
    ) -> None:
        self._stop = tuple(text for text in stop if text)
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._thoughts = ThoughtFilter(only_at_start=in_form)
        self._sentences = sentences
        self._min_tokens = min_tokens
        self._starts: list[int] = []  # characters of text before each token
        self._characters = 0
        self._held = ""
        self._shown: list[str] = []
        self.stopped = False

    @property
    def text(self) -> str:
        """Everything released so far."""
        return "".join(self._shown)

    @property
    def tokens(self) -> int:
        """How many of the tokens the text is made of; the last may reach beyond it."""
        return bisect_left(self._starts, len(self.text))

    @property
    def complete(self) -> bool:
        """Whether the sentences asked for are there."""
        return self._sentences is not None and self._sentences.complete

    @property
    def any_whole(self) -> bool:
        """Whether a sentence of the text is known to be whole."""
        return self._sentences is not None and self._sentences.any_whole

    def push(self, data: bytes) -> str:
        """Add a token's bytes; returns what may be shown now.

        Sets `stopped` at a stop string, and is `complete` behind the last sentence.
        """
        if self.stopped:
            return ""
        self._starts.append(self._characters)
        return self._show(self._without_stop(self._decode(data)))

    def finish(self) -> str:
        """End a reply that ended by itself; returns what was held back.

        An unfinished character is replaced.
        """
        shown = self._show(self._rest())
        return shown + (self._release(self._sentences.finish()) if self._sentences else "")

    def cut(self) -> str:
        """End a reply that was cut off, behind its last whole sentence if there is one.

        Returns what was held back of it.
        """
        if self.complete:
            return ""
        shown = self._show(self._rest())
        return shown + (self._release(self._sentences.cut()) if self._sentences else "")

    def _decode(self, data: bytes, *, final: bool = False) -> str:
        text = self._thoughts.push(self._decoder.decode(data, final))
        text += self._thoughts.finish() if final else ""
        self._characters += len(text)
        return text

    def _without_stop(self, text: str) -> str:
        """What can no longer be part of a stop string."""
        self._held += text
        cut = self._first_stop()
        if cut is not None:
            self.stopped = True
            safe, self._held = self._held[:cut], ""
            return safe
        count = len(self._held) - self._possible_stop()
        safe, self._held = self._held[:count], self._held[count:]
        return safe

    def _rest(self) -> str:
        """What was held back as a possible beginning of a stop string or of a character."""
        if self.stopped:
            return ""
        rest, self._held = self._held + self._decode(b"", final=True), ""
        return rest

    def _show(self, text: str) -> str:
        if self._sentences is not None:
            text = self._sentences.push(text, self._least_characters)
        return self._release(text)

    @property
    def _least_characters(self) -> int | None:
        """The text must have more than these to have `min_tokens`; None = it has too few as yet."""
        if not self._min_tokens:
            return 0
        known = len(self._starts) >= self._min_tokens
        return self._starts[self._min_tokens - 1] if known else None

    def _release(self, text: str) -> str:
        self._shown.append(text)
        return text

    def _first_stop(self) -> int | None:
        found = [at for text in self._stop if (at := self._held.find(text)) >= 0]
        return min(found, default=None)

    def _possible_stop(self) -> int:
        return max((_overlap(self._held, text) for text in self._stop), default=0)


def _overlap(text: str, stop: str) -> int:
    """Length of the longest end of `text` that begins `stop`."""
    longest = min(len(text), len(stop) - 1)
    return next((n for n in range(longest, 0, -1) if text.endswith(stop[:n])), 0)
