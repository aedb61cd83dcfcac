"""What a stream of a scene is made of."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from npc_server.reply_events import ReplyEvent
from npc_server.scenes.speaking_order import Bid
from personas.triggers import Quiet


@dataclass(frozen=True)
class Chosen:
    """A character speaks next; its turn is of this session."""

    session_id: str
    bid: Bid


@dataclass(frozen=True)
class Interrupted:
    """A reply was broken off after this text."""

    turn_id: str  # "" = it had not started
    text: str


class Rest(StrEnum):
    """Why characters stop talking among themselves."""

    LINES = "lines"
    """As many lines were said as were asked for."""
    PLAYER_NAMED = "player_named"
    """The latest line speaks to a player by name."""
    INTERRUPTED = "interrupted"
    """A player said something, or the scene ended."""


@dataclass(frozen=True)
class SceneEvent:
    """One message of the stream."""

    speaker: str  # a character; "" = it is about the scene
    event: Chosen | ReplyEvent | Interrupted | Rest | Quiet
