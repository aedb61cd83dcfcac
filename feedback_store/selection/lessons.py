"""What a character is trained and judged on: the rows a selection is made of.

A row is frozen and complete: the prompt as the model saw it, what is to be learned, how far that is
to be trusted, and whose reaction it was made from. Its `hash` names all of that except the event's
id and the messages, which are the prompt in another form.
"""

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import TypeAlias

from feedback_store.records import pack_ids
from feedback_store.rows import canonical

Messages: TypeAlias = tuple[dict[str, str], ...]


class Origin(StrEnum):
    """What a row was made from."""

    EDIT = "edit"
    """The player's own words over the reply."""
    CHOICE = "choice"
    """The kept reply over one that was shown beside it."""
    WENT_ON = "went_on"
    """The reply that the player went on from over the one that was regenerated."""
    OPPOSITE_THUMBS = "opposite_thumbs"
    """A liked reply over a disliked one to the same prompt, of any two players."""
    THUMB = "thumb"
    """A thumb up or down."""
    RATING = "rating"
    """Stars."""
    OUTCOME = "outcome"
    """What the reply led to in the game."""
    SIGNAL = "signal"
    """Something the player did without meaning it as a judgement."""


class HeldOutBy(StrEnum):
    """Why a row is kept from training."""

    PLAYER = "player"
    """Nothing of its player is ever trained on."""
    TIME = "time"
    """Its session is among the newest of players who are trained on."""


class Drop(StrEnum):
    """Why a row was not taken."""

    UNDONE = "undone"
    """The player took it back."""
    UNKNOWN_TURN = "unknown_turn"
    """It points to a turn that is not among the given ones."""
    NO_CONSENT = "no_consent"
    """The player of the turn does not let it be trained on."""
    ROLLED_BACK = "rolled_back"
    """An earlier save game was loaded: the turn never happened."""
    SCRIPTED = "scripted"
    """An author wrote the words of the turn: they say nothing of the model's."""
    GUARDED = "guarded"
    """The line tried to break the role, or the reply is a line that took the place of another."""
    EVALUATION_ONLY = "evaluation_only"
    """It shows how a character does, not which words are good."""
    SUPERSEDED = "superseded"
    """The same player said otherwise later, or in person."""
    OUTWEIGHED = "outweighed"
    """The same player judged the same reply by something at least as strong."""
    TIE = "tie"
    """Neither good nor bad: the middle of the stars, or two equally strong opposite votes."""
    OTHER_PROMPT = "other_prompt"
    """The two replies of a choice answer different prompts."""
    EMPTY_CHOSEN = "empty_chosen"
    """The preferred or rated text is blank."""
    PLACEHOLDER = "placeholder"
    """The preferred text has a placeholder for personal data: it would teach to say "[phone]"."""
    CUT_SHORT = "cut_short"
    """The preferred reply was cut or broken off in mid-sentence: it would teach to stop there."""
    INTERRUPTED = "interrupted"
    """The reply was broken off, and only a correction, thumb or stars judge what was heard."""
    EQUAL = "equal"
    """Both texts are the same except for case and spacing."""
    NEAR_EQUAL = "near_equal"
    """The texts differ by too little to teach anything."""
    LENGTH_RATIO = "length_ratio"
    """One of two replies is so long that the pair teaches length."""
    PROMPT_HELD_OUT = "prompt_held_out"
    """The line, or one nearly like it, belongs to the held-out side."""
    PROMPT_TRAINED = "prompt_trained"
    """The line, or one nearly like it, belongs to the training side."""
    DUPLICATE = "duplicate"
    """An equal row is in the snapshot already."""
    NEAR_DUPLICATE = "near_duplicate"
    """A row of the same line and nearly the same texts is in the snapshot already."""
    FLOOD = "flood"
    """The same player wrote nearly the same correction too often."""
    PLAYER_SHARE = "player_share"
    """The player has as many rows in the snapshot as one may have."""


@dataclass(frozen=True)
class Dropped:
    """One thing an event stated that is not taken."""

    event_id: str
    why: Drop


@dataclass(frozen=True)
class Pair:
    """For this prompt the chosen reply is better than the rejected one."""

    prompt_ids: tuple[int, ...]
    chosen: str
    rejected: str
    origin: Origin
    weight: float  # in (0, 1], how far the evidence is to be trusted
    player_id: str
    session_id: str
    turn_id: str
    player_text: str
    messages: Messages
    event_id: str
    rejected_by: str = ""  # the player who disliked the rejected reply; "" = the same one
    held_out_by: HeldOutBy | None = None  # None = trained on

    @cached_property
    def hash(self) -> str:
        """Names the content: sha256 hex."""
        return content_hash(self)


@dataclass(frozen=True)
class Labelled:
    """For this prompt the completion is good, or bad."""

    prompt_ids: tuple[int, ...]
    completion: str
    desirable: bool
    origin: Origin
    weight: float  # in (0, 1], how far the evidence is to be trusted
    player_id: str
    session_id: str
    turn_id: str
    player_text: str
    messages: Messages
    event_id: str
    held_out_by: HeldOutBy | None = None  # None = trained on

    @cached_property
    def hash(self) -> str:
        """Names the content: sha256 hex."""
        return content_hash(self)


@dataclass(frozen=True)
class Edited:
    """For this prompt a player wrote the completion."""

    prompt_ids: tuple[int, ...]
    completion: str
    weight: float  # in (0, 1], how far the evidence is to be trusted
    player_id: str
    session_id: str
    turn_id: str
    player_text: str
    messages: Messages
    event_id: str
    held_out_by: HeldOutBy | None = None  # None = trained on

    @cached_property
    def hash(self) -> str:
        """Names the content: sha256 hex."""
        return content_hash(self)


@dataclass(frozen=True)
class Prompt:
    """A prompt whose replies were judged; rewards are in [-1, 1], each reply counts once."""

    prompt_ids: tuple[int, ...]
    player_text: str
    messages: Messages
    reward_mean: float
    reward_variance: float  # 0 where all replies are as good as each other, or there is only one
    judgements: int

    @cached_property
    def hash(self) -> str:
        """Names the content: sha256 hex."""
        return content_hash(self)


def content_hash(row: Pair | Labelled | Edited | Prompt) -> str:
    """sha256 hex of all fields except the event's id and the messages."""
    unnamed = {"prompt_ids", "messages", "event_id", "hash"}
    fields = {name: value for name, value in vars(row).items() if name not in unnamed}
    return hashlib.sha256(canonical(fields).encode() + pack_ids(row.prompt_ids)).hexdigest()
