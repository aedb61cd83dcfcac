"""What a client gets back, as plain data: replies, conversations, what was lived through."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class GuardHit:
    """A rule of the guard that found something, and what was done about it."""

    rule: str  # such as "injection" or "leak"; the contract lists them
    action: str  # such as "answered" or "retried"; likewise


@dataclass(frozen=True)
class ToldNote:
    """One thing that a character was told for a line."""

    kind: str  # "world", "lore", "memory" or "event"
    text: str
    source: str  # the entry, the variable or what else it comes from


@dataclass(frozen=True)
class Notes:
    """What a character was told for a line besides who it is and what was said."""

    told: tuple[ToldNote, ...] = ()
    left_out: tuple[ToldNote, ...] = ()  # what had no room
    tokens: int = 0  # of what was told
    tokens_left: int = 0  # of those set aside for notes


NO_NOTES = Notes()


@dataclass(frozen=True)
class Emotion:
    """What the character feels about the exchange."""

    label: str  # as the persona declares it
    probability: float  # among all of its emotions, from 0 to 1


@dataclass(frozen=True)
class Action:
    """What the character does besides its words."""

    name: str
    arguments: Mapping[str, bool | int | float | str]  # by parameter


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
    finish_reason: str  # "stop", "sentences", "length" or "scripted", as in the contract
    thought_tokens: int = 0  # that the model thought before it; nobody sees them
    guard_hits: tuple[GuardHit, ...] = ()  # in order; mostly none
    notes: Notes = NO_NOTES  # what the character was told for the line
    emotion: Emotion | None = None  # None = the character shows none
    action: Action | None = None  # None = it does nothing
    prompt_tokens: int = 0
    cached_tokens: int = 0  # of prompt_tokens, not computed again
    aside_tokens: int = 0  # computed for emotion and action, besides prompt and reply


@dataclass(frozen=True)
class Silence:
    """A character says nothing at an event."""

    because: str  # "condition", "cooldown" or "chance"; the contract says what each means


@dataclass(frozen=True)
class Conversation:
    """An open session."""

    session_id: str
    character: str
    character_name: str
    adapter_version: str
    greeting: str = ""  # what the character said first; "" = nothing


@dataclass(frozen=True)
class PlayerToken:
    """What a player's own program calls the server with."""

    token: str
    expires_at: datetime


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
    happened: str = ""  # what the character spoke of, where the player said nothing


@dataclass(frozen=True)
class Restored:
    """A session that goes on from a save game, with what was said up to there."""

    conversation: Conversation
    exchanges: tuple[LivedExchange, ...]


@dataclass(frozen=True)
class SceneMember:
    """A character in a scene."""

    character: str
    character_name: str
    persona_version: str
    adapter_version: str  # "" = the bare base


@dataclass(frozen=True)
class Scene:
    """An open scene."""

    scene_id: str
    members: tuple[SceneMember, ...]
    training_consent: bool  # of all players together


@dataclass(frozen=True)
class SceneLine:
    """What a character said in a scene, and why it was its turn."""

    speaker: str  # character id
    turn_id: str  # "" = the reply was broken off before it started
    text: str
    session_id: str  # of the character and the player that the turn is credited to
    why: tuple[str, ...]  # such as "named Fenn" or "relevant hammer"
    interrupted: bool = False  # broken off after `text`
    adapter_version: str = ""  # "" = the bare base
    emotion: Emotion | None = None  # None = the character shows none
    action: Action | None = None  # None = it does nothing


@dataclass(frozen=True)
class SceneTalk:
    """What was said in answer to a player, or among characters."""

    lines: tuple[SceneLine, ...]  # in the order in which they ended
    rest: str = ""  # why characters stopped: "lines", "player_named", "interrupted"; "" = an answer
    silence: str = ""  # why nobody spoke at an event, as Silence has it; "" = somebody did


@dataclass(frozen=True)
class LivedLine:
    """A line of a scene that was lived through, or something that happened there."""

    speaker: str  # character id; "" = a player said it, or it happened
    name: str  # what the speaker is called; "" = it happened
    text: str  # as it counts: chosen and corrected
    turn_id: str  # "" = it is no character's line
    interrupted: bool  # it was broken off after `text`
    heard_by: tuple[str, ...]  # character ids


@dataclass(frozen=True)
class RestoredScene:
    """A scene that goes on from a save game."""

    scene: Scene
    player_names: tuple[str, ...]  # of those that are there, as characters call them
    lines: tuple[LivedLine, ...]  # oldest first, whispers among them


@dataclass(frozen=True)
class Bark:
    """A line to nobody."""

    character: str
    text: str
    adapter_version: str  # "" = the bare base
