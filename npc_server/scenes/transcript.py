"""What was said and done in a scene, and what of it somebody heard. Pure.

A line is heard by the characters that are there when it is said, or by those of them that it names
(`personas.audience`). Whoever comes later has not heard it, and whoever has left hears no more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from npc_server.scenes.quotations import latest_line, quotation_of
from npc_server.scenes.speaking_order import Bid
from npc_server.sessions import Exchange, Session
from personas.audience import lines_heard
from personas.notes import direction

Size = Callable[[str], int]


@dataclass(frozen=True)
class Spoken:
    """What is known of a character's line besides its words."""

    session: Session  # that its turn is recorded in
    bid: Bid  # why it was said


@dataclass(frozen=True)
class Entry:
    """One line, or one thing that happened."""

    speaker: str  # id of a character or key of a player; "" = nobody says it, it happens
    name: str  # of the speaker, as others call them
    said: str | Exchange  # a character's line is what its exchange keeps
    hearers: tuple[str, ...]  # ids of the characters that heard it, its speaker among them
    player: str = ""  # pseudonym of the player who says it, or is answered; "" = nobody
    call_id: str = ""  # of the call that it came with; "" = it had none
    spoken: Spoken | None = None  # by a character; None = it is no such line
    to_one: bool = False  # it tells one character where it is

    @property
    def hushed(self) -> Entry:
        """What stands in its place when nobody is to read it any more."""
        return Entry("", "", "", ())

    @property
    def exchange(self) -> Exchange | None:
        """Of a character's line, what it answers; None = it is no such line."""
        return None if isinstance(self.said, str) else self.said

    @property
    def text(self) -> str:
        """The words; of a character those that count, as chosen and corrected."""
        return self.said if isinstance(self.said, str) else self.said.kept.text

    @property
    def as_reported(self) -> str:
        """What those read of it who hear more after it."""
        return quotation_of(self.name, self.text) if self.speaker else direction(self.text)

    def as_latest(self, known: str) -> str:
        """What those read of it who answer it, and of a speaker of this id know that it speaks."""
        if not self.speaker:
            return direction(self.text)
        return latest_line("" if self.speaker == known else self.name, self.text)


def heard_since(entries: Sequence[Entry], character: str, start: int) -> list[Entry]:
    """What a character heard from an entry on, its own words and those of nobody left out."""
    heard = lines_heard(character, entries[start:])
    return [entry for entry in heard if entry.speaker != character and entry.text.strip()]


def as_read(heard: Sequence[Entry], known: str) -> list[str]:
    """What was heard, entry by entry, as a character reads it that answers the latest."""
    *before, latest = heard
    return [*(entry.as_reported for entry in before), latest.as_latest(known)]


def newest_that_fit(lines: Sequence[str], most_tokens: int, size: Size) -> list[str]:
    """The newest lines that have at most so many tokens together; the last one always."""
    kept: list[str] = []
    left = most_tokens
    for line in reversed(lines):
        left -= size(line)
        if kept and left < 0:
            break
        kept.insert(0, line)
    return kept


def lines_since(entries: Sequence[Entry], speaker: str) -> int | None:
    """How many lines others have said since a speaker's latest; None = they have said none."""
    silence = 0
    for entry in reversed(entries):
        if entry.speaker == speaker:
            return silence
        silence += bool(entry.speaker)
    return None


def listing(names: Iterable[str]) -> str:
    """`Fenn, Orsolo and Anna`."""
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last
