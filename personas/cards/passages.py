"""Long texts in parts that fit a field: whole sentences, as many as fit together. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from languages.reading import is_unbroken
from languages.recognition import hollow_words, recognise
from languages.visibility import hidden_sign, is_unseen, is_visible, without_unwanted
from personas.sentences import sentences
from personas.words import words

MAX_CHARACTERS = 600  # of a text in a persona file
_KEYWORDS = 3
_RUN = re.compile(r"[\u30a1-\u30fa\u30fc]{2,}|[\u3400-\u4dbf\u4e00-\u9fff]{2,}")
_MAX_PHRASE = 40


def plain(text: str) -> str:
    """The text in one line, without signs that are in no text; "" when nothing of it shows."""
    line = " ".join(without_unwanted(text).split())
    return line if is_visible(line) else ""


def pieces(text: str, most: int = MAX_CHARACTERS) -> list[str]:
    """The sentences of a text, each of at most so many characters: longer ones at a blank."""
    found: list[str] = []
    for piece in (piece for one in sentences(text) for piece in _halves(plain(one), most)):
        if found and not words(piece) and len(found[-1]) + 1 + len(piece) <= most:
            found[-1] += f" {piece}"  # marks and signs alone are no sentence
        else:
            found.append(piece)
    return [piece for piece in found if is_visible(piece)]


def passages(parts: Iterable[str], most: int = MAX_CHARACTERS) -> list[str]:
    """Sentences joined into passages of at most so many characters, in order."""
    joined: list[str] = []
    rest = list(parts)
    while rest:
        passage, rest = first_passage(rest, most)
        joined.append(passage)
    return joined


def first_passage(parts: Sequence[str], most: int) -> tuple[str, list[str]]:
    """As many sentences as fit together, at least one, and those behind them."""
    passage = next(iter(parts), "")
    used = 1
    while used < len(parts) and len(passage) + 1 + len(parts[used]) <= most:
        passage += f" {parts[used]}"
        used += 1
    return passage, list(parts[used:])


def fitting(text: str, most: int = MAX_CHARACTERS) -> str:
    """As much of a text as fits, in whole sentences."""
    return next(iter(passages(pieces(text, most), most)), "")


def shown_name(name: str) -> str:
    """A name that shows all its signs and holds none that macros are made of; "" = none is left."""
    line = fitting(plain(re.sub("[{}<>]", "", name)))
    shown = "".join(s for s in line if not is_unseen(s)) if hidden_sign(line) else line
    return shown if is_visible(shown) and not hidden_sign(shown) else ""


def telling_words(text: str, besides: Iterable[str] = ()) -> list[str]:
    """A few words that show that a sentence was said: the longest with content, in order.

    Never empty for a text that has a word.
    """
    shown = [word for word in words(text) for word in _parts(word) if not hidden_sign(word)]
    known = hollow_words(recognise(text) or "en") | {w for name in besides for w in words(name)}
    best = [word for word in dict.fromkeys(shown) if word not in known] or shown
    longest = sorted(best, key=len, reverse=True)[:_KEYWORDS]
    return [word for word in best if word in longest][:_KEYWORDS]


def _parts(word: str) -> list[str]:
    """A word; of a run without blanks, what looks like one."""
    if not is_unbroken(word):
        return [word[:_MAX_PHRASE]]
    return _RUN.findall(word) or [word[:_MAX_PHRASE]]


def _halves(sentence: str, most: int) -> Iterator[str]:
    while len(sentence) > most:
        at = sentence.rfind(" ", 1, most + 1)
        cut = at if at > 0 else most
        yield sentence[:cut].rstrip()
        sentence = sentence[cut:].lstrip()
    if sentence:
        yield sentence
