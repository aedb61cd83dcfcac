"""Example dialogue as cards write it, taken apart into exchanges and put together again. Pure.

    <START>
    {{user}}: Good morning!
    {{char}}: Morning. Mind the sparks.

A speech goes on until the next speaker. An exchange is a line of the player and the reply to it;
what the character says to nobody, and what the player says to no answer, is none.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from personas.cards.macros import Names

_BLOCK = re.compile(r"<start>", re.IGNORECASE)


@dataclass(frozen=True)
class Exchange:
    """What the player says, and what the character answers; macros are still in it."""

    player: str
    reply: str


@dataclass(frozen=True)
class Talk:
    """The exchanges of a text, and what is in none of them."""

    exchanges: tuple[Exchange, ...]
    left_over: tuple[str, ...]


@dataclass(frozen=True)
class _Speech:
    speaker: str  # "player", "character"; "" = before anybody is named
    text: str


def talk_in(text: str, names: Names) -> Talk:
    """The exchanges of an example dialogue."""
    exchanges: list[Exchange] = []
    left_over: list[str] = []
    for block in _BLOCK.split(text):
        asked = ""
        for speech in _speeches(block, names):
            if speech.speaker == "player":
                left_over += [asked] if asked else []
                asked = speech.text
            elif speech.speaker == "character" and asked:
                exchanges.append(Exchange(asked, speech.text))
                asked = ""
            else:
                left_over.append(speech.text)
        left_over += [asked] if asked else []
    return Talk(tuple(exchanges), tuple(left_over))


def text_of(exchanges: Iterable[tuple[str, str]]) -> str:
    """Example dialogue of these lines and replies, a block each."""
    blocks = (
        f"<START>\n{{{{user}}}}: {asked}\n{{{{char}}}}: {reply}" for asked, reply in exchanges
    )
    return "\n".join(blocks)


def _speeches(block: str, names: Names) -> Iterator[_Speech]:
    """What each speaker of a block says, in order; speeches of nothing are left out."""
    marks = _marks(names)
    speaker, lines = "", list[str]()
    for line in block.splitlines():
        if found := marks.match(line):
            yield from _speech(speaker, lines)
            speaker = "player" if found["player"] else "character"
            lines = [line[found.end() :]]
        else:
            lines.append(line)
    yield from _speech(speaker, lines)


def _speech(speaker: str, lines: list[str]) -> Iterator[_Speech]:
    if text := "\n".join(lines).strip():
        yield _Speech(speaker, text)


def _marks(names: Names) -> re.Pattern[str]:
    """What a line begins with when somebody begins to speak."""
    player = r"\{\{user\}\}|<user>|user|you"
    character = rf"\{{\{{char\}}\}}|<bot>|<char>|{re.escape(names.character)}"
    return re.compile(rf"\s*(?:(?P<player>{player})|(?:{character}))\s*[:：]\s?", re.IGNORECASE)
