"""What characters remember, as plain data: statements of players, and summaries of what was said.

Both name the turns that they come from. When those are deleted they go as well, and when a player
goes back to a save game, what was said in turns that did not happen is not remembered.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Span(StrEnum):
    """How long a character remembers a player."""

    SESSION = "session"
    """Until the session ends."""
    PLAYER = "player"
    """From one session of the player to the next."""


class Finder(StrEnum):
    """Who found a statement in what the player said."""

    RULE = "rule"
    """A rule of the language."""
    MODEL = "model"
    """The base model; the player's line has these words."""
    OPERATOR = "operator"
    """An operator wrote it in place of what was found."""


@dataclass(frozen=True)
class Statement:
    """One thing that a player told of themselves, as one character remembers it."""

    statement_id: str
    session_id: str
    turn_id: str  # the first reply to the line that told it
    player_id: str  # a pseudonym
    character: str  # who remembers it
    spoken_to: str  # whom the player said it to; another character than the one who overheard it
    topic: str  # of one topic the newest statement counts; "" = it replaces nothing
    value: str  # the name, where the topic is the player's name; else ""
    text: str  # the player's own words, personal data taken out; of an operator, theirs
    weight: int  # how much it matters, 1 least
    finder: Finder
    span: Span  # of its session
    told_at: datetime


@dataclass(frozen=True)
class Summary:
    """What a character and a player talked about, in the character's words."""

    summary_id: str
    session_id: str
    player_id: str
    character: str
    turn_ids: tuple[str, ...]  # the kept replies that it sums up, oldest first; at least one
    text: str
    span: Span  # of its session
    made_at: datetime


@dataclass(frozen=True)
class Memories:
    """What a character remembers of a player at a moment, oldest first."""

    statements: tuple[Statement, ...] = ()
    summaries: tuple[Summary, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.statements or self.summaries)
