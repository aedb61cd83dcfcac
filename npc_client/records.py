"""What a client gets back, as plain data: replies, conversations, what was lived through."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Reply:
    """A finished reply."""

    turn_id: str
    text: str
    adapter_version: str  # it was generated under; "" = the bare base
    live_adapter_version: str  # live when it ended
    ttft_ms: float  # from the call to the first text, as this client saw it
    total_ms: float
    tokens: int
    token_logprobs: tuple[float, ...]  # in nats; empty unless asked for
    candidates: int  # replies drawn for this one
    finish_reason: str  # "stop", "sentences" or "length"; the contract says what each means
    thought_tokens: int = 0  # that the model thought before it; nobody sees them


@dataclass(frozen=True)
class Conversation:
    """An open session."""

    session_id: str
    character: str
    character_name: str
    adapter_version: str


@dataclass(frozen=True)
class RememberedFact:
    """One thing that the player told of themselves, as the character remembers it."""

    id: str
    text: str  # in the player's words
    topic: str  # "" = no rule knows what it is about
    turn_ids: tuple[str, ...]  # that told it
    overheard: bool  # the player said it to another character
    replaced: tuple[str, ...]  # what they had said on the topic before


@dataclass(frozen=True)
class RememberedTalk:
    """What was talked about, in the character's words."""

    id: str
    text: str
    turn_ids: tuple[str, ...]  # that it sums up


@dataclass(frozen=True)
class Remembered:
    """What a character remembers of the player of a session, oldest first."""

    player_name: str  # "" = the player has not said
    facts: tuple[RememberedFact, ...]
    summaries: tuple[RememberedTalk, ...]


@dataclass(frozen=True)
class LivedExchange:
    """One line of the player and the reply the conversation went on from."""

    player_text: str
    reply_text: str  # of an interrupted reply what was sent of it, perhaps ""
    turn_id: str
    interrupted: bool = False  # the reply was broken off, and not corrected


@dataclass(frozen=True)
class Restored:
    """A session that goes on from a save game, with what was said up to there."""

    conversation: Conversation
    exchanges: tuple[LivedExchange, ...]
