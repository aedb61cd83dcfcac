"""The records: a session, the turns spoken in it, what its player did about them, and save games.

All are frozen and plain. A turn holds everything needed to train on it or to explain it: what the
model saw, token for token, and which persona, adapter, base and sampling made the reply. An event
holds no copy of that; it points to its turn, or to a session as a whole. A `Reaction` is an event
on its way in: its player is the one of its turn or session. Every time is timezone-aware.
"""

import hashlib
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TypeAlias

from feedback_store.memory_records import Span

#: The game of everything that was recorded, and of every caller, before there were several.
DEFAULT_GAME = "default"

JSON: TypeAlias = "bool | int | float | str | list[JSON] | dict[str, JSON] | None"


class Kind(StrEnum):
    """What a player did about a turn."""

    THUMB = "thumb"
    """The player liked or disliked the reply."""
    CHOICE = "choice"
    """The player kept this reply over others shown for the same prompt."""
    EDIT = "edit"
    """The player wrote what the character should have said."""
    RATING = "rating"
    """The player gave stars."""
    OUTCOME = "outcome"
    """Something in the game succeeded or failed because of what was said."""
    SIGNAL = "signal"
    """The player did something that shows interest or the lack of it."""


class Source(StrEnum):
    """Who stated an event."""

    EXPLICIT = "explicit"
    """The game, for its player."""
    DERIVED = "derived"
    """The server, from how the conversation went: weak evidence."""


class Sign(StrEnum):
    """What a signal says."""

    SKIPPED = "skipped"
    """The player did not read or hear the reply to its end."""
    REPHRASED = "rephrased"
    """The player said the same again in other words."""
    CLOSED = "closed"
    """The player ended the conversation at this reply."""
    LINGERED = "lingered"
    """The player stayed with the reply for longer than it takes."""
    ABANDONED = "abandoned"
    """The player broke the reply off while it was coming, to speak or to go away."""
    SILENT = "silent"
    """The player said nothing for a long time after the reply."""


class Reason(StrEnum):
    """Why a reply got its thumb."""

    IRRELEVANT = "irrelevant"
    """It does not answer what the player said."""
    UNSAFE = "unsafe"
    """It is harmful or not fit for the game's audience."""
    UNTRUE = "untrue"
    """It contradicts the game's world."""
    WRONG_KNOWLEDGE = "wrong_knowledge"
    """The character knows what it cannot know, or not what it must."""
    UNEXPECTED_ACTION = "unexpected_action"
    """The character did something the player did not ask for."""
    REPETITION = "repetition"
    """It says again what was said before."""
    OUT_OF_CHARACTER = "out_of_character"
    """This character would not say that, or not so."""
    TOO_LONG = "too_long"
    """It is too long for the moment."""
    BORING = "boring"
    """It is fitting but dull."""


@dataclass(frozen=True)
class Reach:
    """What of the store somebody may get at: all of a game, or what is of one player of it."""

    game: str
    player_id: str = ""  # a pseudonym; "" = of all

    def covers(self, game: str, player_id: str) -> bool:
        """Whether what is of this player of this game is among it."""
        return game == self.game and self.player_id in ("", player_id)


@dataclass(frozen=True)
class Session:
    """One player talking to one character, from greeting to goodbye."""

    session_id: str
    player_id: str  # a pseudonym, never an account name
    character: str
    persona_version: str
    consent: bool  # the player lets this session be trained on
    started_at: datetime
    memory: Span = Span.SESSION  # how long the character remembers what is said in it
    present: tuple[str, ...] = ()  # ids of other characters that stand by and hear
    greeting: str = ""  # what the character said first; "" = nothing
    scene_id: str = ""  # of the scene that it is a part of; "" = it is a talk of two
    game: str = DEFAULT_GAME


#: Key of a turn's annotations: how many of its messages every conversation began with then.
OPENING = "opening"


@dataclass(frozen=True)
class Turn:
    """One reply, with all that made it."""

    turn_id: str
    session_id: str
    character: str
    player_id: str
    persona_version: str
    adapter_version: str  # "" = the bare base
    adapter_hash: str  # "" = no adapter
    base_sha256: str
    messages: tuple[dict[str, str], ...]  # role and content, exactly as rendered
    prompt_ids: tuple[int, ...]
    reply_ids: tuple[int, ...]
    player_text: str
    reply_text: str
    take: int  # 0 = the first reply to this line, 1.. = regenerated
    first_turn_id: str  # the turn of take 0; its own id there
    finish_reason: str
    sampling: Mapping[str, JSON]
    seed: int
    arm_probability: float  # that this adapter version was drawn; 1 while none is on trial
    logprob: float | None  # of the whole reply; None = not measured
    queue_ms: float
    ttft_ms: float
    total_ms: float
    created_at: datetime
    consent: bool  # as of its session: without it the turn is kept for serving only
    rolled_back: bool = False  # an earlier save game was loaded: the player did not live through it
    #: What the turn was besides its text, by topic: the notes in its prompt, and the like.
    annotations: Mapping[str, JSON] = field(default_factory=dict)
    game: str = DEFAULT_GAME

    @property
    def prompt_key(self) -> str:
        """Equal for turns whose model saw the same tokens: sha256 hex of `prompt_ids`."""
        return hashlib.sha256(pack_ids(self.prompt_ids)).hexdigest()


@dataclass(frozen=True)
class Thumb:
    """A thumb up or down; of several from one player on one turn the last counts."""

    up: bool
    reasons: tuple[Reason, ...] = ()


@dataclass(frozen=True)
class Choice:
    """The event's turn was kept; these were shown beside it for the same prompt."""

    over_turn_ids: tuple[str, ...]  # in the order shown
    kept_position: int = 0  # of the kept one among all shown, from 1; 0 = unknown


@dataclass(frozen=True)
class Edit:
    """What the character should have said instead of the event's turn."""

    text: str


@dataclass(frozen=True)
class Rating:
    """Stars for a reply; of several from one player on one turn the last counts."""

    stars: int  # 1 (worst) to 5


@dataclass(frozen=True)
class Outcome:
    """How something in the game ended that is credited to this turn or to the whole session."""

    success: bool
    name: str  # of the quest or goal, as the game calls it


@dataclass(frozen=True)
class Signal:
    """Something the player did without meaning it as a judgement."""

    sign: Sign


Payload: TypeAlias = Thumb | Choice | Edit | Rating | Outcome | Signal

MIN_STARS, MAX_STARS = 1, 5


@dataclass(frozen=True)
class Reaction:
    """An event on its way in, about a turn or about a session as a whole: exactly one is named."""

    event_id: str
    payload: Payload
    created_at: datetime  # of arrival
    turn_id: str = ""  # for a choice, the kept turn
    session_id: str = ""  # only where there is no turn_id
    source: Source = Source.EXPLICIT
    occurred_at: datetime | None = None  # by the player's clock; None = not told
    reach: Reach | None = None  # of who sends it; None = everything, as of the server itself

    @property
    def kind(self) -> Kind:
        """Which of the payloads this reaction carries."""
        return _KINDS[type(self.payload)]


@dataclass(frozen=True)
class Event:
    """One recorded reaction of a player, under an id that the client made."""

    event_id: str
    turn_id: str  # for a choice, the kept turn; "" = about the session as a whole
    session_id: str
    player_id: str
    payload: Payload
    created_at: datetime  # of arrival
    source: Source = Source.EXPLICIT
    undone: bool = False  # taken back; kept as history
    occurred_at: datetime | None = None  # between its turn's end and its arrival; None = not told
    game: str = DEFAULT_GAME

    @property
    def order(self) -> tuple[datetime, datetime, str]:
        """Sort key: of two events about one thing the later one counts."""
        return self.occurred_at or self.created_at, self.created_at, self.event_id

    @property
    def kind(self) -> Kind:
        """Which of the payloads this event carries."""
        return _KINDS[type(self.payload)]


_KINDS: Mapping[type, Kind] = {
    Thumb: Kind.THUMB,
    Choice: Kind.CHOICE,
    Edit: Kind.EDIT,
    Rating: Kind.RATING,
    Outcome: Kind.OUTCOME,
    Signal: Kind.SIGNAL,
}


@dataclass(frozen=True)
class LivedExchange:
    """One exchange as the player lived through it."""

    take_turn_ids: tuple[str, ...]  # all takes on the reply so far, the first one first
    kept_turn_id: str  # the take the conversation went on from
    text: str | None = None  # what the player corrected the kept take to; None = as it was said
    call_ids: Mapping[str, str] = field(default_factory=dict)  # by turn id, of calls that had one
    # When the player chose and corrected; None = they did not, or an older release made the save.
    kept_at: datetime | None = None
    text_at: datetime | None = None


@dataclass(frozen=True)
class Checkpoint:
    """A point in a session that a save game leads back to."""

    token: str  # grants going back, so it cannot be guessed
    session_id: str
    exchanges: tuple[LivedExchange, ...]
    created_at: datetime
    #: How things stood in the game, as it had told; {} = it had told nothing.
    situation: Mapping[str, JSON] = field(default_factory=dict)
    #: Seconds since triggers fired, by their marks.
    rested_s: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class ActionReport:
    """What came of the action that a turn announced, as its character is told."""

    turn_id: str  # one report a turn: a later one takes the place of an earlier
    session_id: str
    text: str
    reported_at: datetime


@dataclass(frozen=True)
class Receipt:
    """Confirms a stored event; for a duplicate, with the first `received_at`."""

    event_id: str
    received_at: datetime
    duplicate: bool
    happened_at: datetime | None = None  # as it counts; None = of a duplicate


@dataclass(frozen=True)
class Forgotten:
    """What forgetting a player deleted."""

    sessions: int
    turns: int
    events: int
    checkpoints: int
    memories: int = 0  # statements and summaries


def pack_ids(ids: tuple[int, ...]) -> bytes:
    """Token ids as little-endian int32, the form they are stored and hashed in."""
    return struct.pack(f"<{len(ids)}i", *ids)


def unpack_ids(blob: bytes) -> tuple[int, ...]:
    """The inverse of `pack_ids`."""
    return struct.unpack(f"<{len(blob) // 4}i", blob)
