"""Who hears a line, and what a character has heard. Pure.

Some characters stand near where others talk. Whoever speaks and whoever is spoken to hears a line;
of those who are near, all do, unless a line names its own hearers, as a whisper does. What a
character has not heard it cannot remember, repeat or answer.
"""

from collections.abc import Collection, Iterable
from typing import Protocol, TypeVar


class Heard(Protocol):
    """A line of which is known who heard it."""

    @property
    def hearers(self) -> Collection[str]:
        """Ids of the characters that heard it, its speaker among them."""
        ...


LineT = TypeVar("LineT", bound=Heard)


def hearers(
    speaking: Iterable[str], present: Iterable[str], audience: Iterable[str] = ()
) -> tuple[str, ...]:
    """Ids of the characters that hear a line, each once, in order.

    `speaking` are the characters that say it or are spoken to. `audience` takes the place of those
    who are `present`, for this line; empty: all of them hear it. To whisper, name who is spoken to.
    """
    return tuple(dict.fromkeys((*speaking, *(tuple(audience) or present))))


def lines_heard(character: str, lines: Iterable[LineT]) -> tuple[LineT, ...]:
    """The lines that the character heard, in their order."""
    return tuple(line for line in lines if character in line.hearers)
