"""Notes: what a character is told for one line, besides who it is and what was said.

The state of the world, lore that the line touches, what it remembers of the player, what has just
happened. They stand in brackets before the player's line, in the same message: every chat template
permits that, and everything before them stays as it was, so the engine need not read it again. The
history shows lines without their notes.

Each kind has brackets of its own, on a line of its own. No note can leave them, whatever it holds,
and no player can write a line that begins with any: what a player told, or a game, is not taken for
what an author wrote.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby
from operator import attrgetter

#: Of a context, for all notes: as much again is left for the conversation.
MOST_SHARE = 0.5
_BREAKS = r"\n\r\v\f\x1c-\x1e\x85\u2028\u2029"  # between lines, for whoever reads them
_AT_START = re.compile(rf"(^|[{_BREAKS}])(\s*)\[([^\]{_BREAKS}]*)\]?")
#: Square brackets of any script's width, and the round ones that take their place.
_ROUND = str.maketrans("[]\uff3b\uff3d\u3010\u3011\u27e6\u27e7", "()()()()")
_DOUBLE_QUOTES = re.compile('["\u201c\u201d\u201e\u201f\u00ab\u00bb\uff02\u301d\u301e\u301f]')


class NoteKind(StrEnum):
    """What a note tells of."""

    WORLD = "world"
    """How things stand in the game."""
    LORE = "lore"
    """Something the character knows, that the line touches."""
    MEMORY = "memory"
    """What the character remembers of the player."""
    EVENT = "event"
    """What has just happened."""


@dataclass(frozen=True)
class Note:
    """One thing to tell; a sentence or some, to the character."""

    kind: NoteKind
    text: str
    source: str = ""  # what it comes from: an entry, a variable, a fact
    priority: int = 0  # of several that do not fit together, the higher ones stay


@dataclass(frozen=True)
class ToldNotes:
    """The notes of one prompt, in the order given, and those there was no room for."""

    kept: tuple[Note, ...] = ()
    dropped: tuple[Note, ...] = ()
    tokens: int = 0  # that the kept ones add to the prompt
    room: int = 0  # tokens that they might have


NO_NOTES = ToldNotes()


def text_of(notes: Sequence[Note]) -> str:
    """The notes as they stand before the player's line; "" = there are none."""
    of_kinds = (group for _, group in groupby(notes, key=attrgetter("kind")))
    lines = (" ".join(filter(None, map(_in_one_line, group))) for group in of_kinds)
    return "\n".join(f"[{line}]" for line in lines if line)


def _in_one_line(note: Note) -> str:
    return in_one_line(note.text)


def in_one_line(text: str) -> str:
    """A text in one line, with round brackets for square ones."""
    return " ".join(text.split()).translate(_ROUND)


def quotation(text: str) -> str:
    """Somebody's words within a note; nothing in them ends the quotation."""
    return f'"{without_quotes(in_one_line(text))}"'


def without_quotes(text: str) -> str:
    """The text with single quotes for double ones."""
    return _DOUBLE_QUOTES.sub("'", text)


def direction(text: str) -> str:
    """What happens and nobody says, in the place of a line."""
    return text_of((Note(NoteKind.EVENT, text),))


def without_directions(text: str) -> str:
    """A player's words, in round brackets where a line of them would pass for a note."""
    return _AT_START.sub(r"\1\2(\3)", text)


def fitting(
    notes: Sequence[Note],
    most_tokens: int,
    size: Callable[[Sequence[Note]], int],
    about: Callable[[Note], int],
) -> ToldNotes:
    """The notes that fit into `most_tokens`: by priority, and of equal ones the first.

    `size` is the tokens that some notes add to the prompt, and is asked as seldom as may be;
    `about` is quick, and tells nearly as many of one. A note that does not fit leaves room for
    smaller ones.
    """
    order = sorted(range(len(notes)), key=lambda number: -notes[number].priority)
    kept, guessed = list[int](), 0
    for number in order:
        if guessed + _least_tokens(notes[number]) > most_tokens:
            continue
        if guessed + (own := about(notes[number])) <= most_tokens:
            kept.append(number)
            guessed += own
    tokens = _size_of(kept, notes, size)
    while kept and tokens > most_tokens:
        kept.pop()
        tokens = _size_of(kept, notes, size)
    for number in order:
        if number in kept or tokens + _least_tokens(notes[number]) > most_tokens:
            continue
        if tokens + about(notes[number]) <= most_tokens:
            needed = _size_of([*kept, number], notes, size)
            if needed <= most_tokens:
                kept.append(number)
                tokens = needed
    dropped = (note for number, note in enumerate(notes) if number not in kept)
    return ToldNotes(_in_order(kept, notes), tuple(dropped), tokens, most_tokens)


def _least_tokens(note: Note) -> int:
    """Tokens that it has at least, since none reaches from one word to the next."""
    return len(note.text.split())


def _size_of(
    kept: Sequence[int], notes: Sequence[Note], size: Callable[[Sequence[Note]], int]
) -> int:
    return size(_in_order(kept, notes)) if kept else 0


def _in_order(kept: Sequence[int], notes: Sequence[Note]) -> tuple[Note, ...]:
    return tuple(notes[number] for number in sorted(kept))
