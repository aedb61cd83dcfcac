"""Whether a reply may end where it stands, under a rule of sentences. Pure.

A model that stops in mid-sentence gets a mark instead, and one that runs out of tokens within its
first sentence is brought to one: what was shown of it cannot be taken back.
"""

from __future__ import annotations

from npc_server.engine.protocol import SentenceRule
from npc_server.engine.sentence_end import ends_in, pattern_of

_CLOSERS = tuple(")]}\"'”’»*")
_LONGEST_MARK = 4
_NEARING_END = 12  # of the last tokens, in which marks become likelier; at most a quarter of all
_STEP = 0.75  # by so much a token, added to their logits


class ReplyEnd:
    """Follows one reply of at most so many tokens."""

    def __init__(self, rule: SentenceRule, most_tokens: int) -> None:
        self._within, self._last = pattern_of(rule.within), pattern_of(rule.last)
        self._unmarked = pattern_of(rule.unmarked, marks_end=False)
        self._left, self._nearing = most_tokens, min(_NEARING_END, most_tokens // 4)
        self._text = ""

    @property
    def is_last(self) -> bool:
        """Whether the next token is the last."""
        return self._left == 1

    @property
    def takes_mark(self) -> bool:
        """Whether a mark would end its sentence here, and not stand alone."""
        return _takes_mark(self._text)

    def leaves_room(self, piece: str) -> bool:
        """Whether a sentence can still be whole at the last token if this one comes next."""
        if self._left > 2 or self._any_whole or self.ends_sentence(piece):
            return True
        return self._left == 2 and _takes_mark(self._text + piece)

    @property
    def push_to_mark(self) -> float:
        """What to add to the logits of marks, so that a sentence is whole at the last token."""
        if self._left > self._nearing or self._any_whole:
            return 0.0
        return _STEP * (self._nearing + 1 - self._left)

    def may_end(self, piece: str = "") -> bool:
        """Whether the reply may end here, or behind this text. One that says nothing may."""
        text = self._text + piece
        return (
            not text.strip() or self._unmarked.search(text) is not None or self.ends_sentence(piece)
        )

    def ends_sentence(self, piece: str) -> bool:
        """Whether the text ends with a whole sentence behind this."""
        text = (self._text + piece).rstrip()
        return any(end == len(text) for end in ends_in(self._last, text))

    def add(self, piece: str) -> None:
        """Go on with a token of this text."""
        self._text += piece
        self._left -= 1

    @property
    def _any_whole(self) -> bool:
        return any(True for _ in ends_in(self._within, self._text))


def _takes_mark(text: str) -> bool:
    return text[-1:].isalnum() or text[-1:] in _CLOSERS


def is_mark(rule: SentenceRule, piece: str) -> bool:
    """Whether a token can end a sentence that has been words up to it."""
    if not 0 < len(piece) <= _LONGEST_MARK or piece[0].isspace() or any(map(str.isalnum, piece)):
        return False
    last = pattern_of(rule.last)
    texts = (f"{opening}word{piece}" for opening in ("", "*", "("))
    return any(end == len(text) for text in texts for end in ends_in(last, text))
