"""Who is calling: under which key, for which game and player, in which roles."""

from __future__ import annotations

from collections.abc import Collection
from contextvars import ContextVar
from dataclasses import dataclass
from enum import StrEnum

from feedback_store.records import DEFAULT_GAME


class Role(StrEnum):
    """What a caller is to the server."""

    PLAYER = "player"
    """One player's own dialogues and feedback."""
    GAME = "game"
    """A game's server: dialogues and feedback of any of its players, and tokens for them."""
    DESIGNER = "designer"
    """Persona files: reads and checks them."""
    OPERATOR = "operator"
    """Adapter versions and the engine's figures."""


@dataclass(frozen=True)
class Caller:
    """One who calls. Everything they reach belongs to their game."""

    key_id: str  # for logs; never the key itself
    roles: frozenset[Role]
    game: str = DEFAULT_GAME
    player_id: str = ""  # as the game calls its player; "" = any of them
    characters: frozenset[str] | None = None  # that they may talk to; None = as their game


#: Who calls a server of the loopback for which no key was ever made: its developer.
LOCAL = Caller("local", frozenset(Role))

#: Who makes the running call. Outside of calls nobody does, and nothing may be asked.
caller: ContextVar[Caller] = ContextVar("caller")


def visible_to(caller: Caller, characters: Collection[str]) -> list[str]:
    """Those of some characters that a caller may know of."""
    allowed = caller.characters
    return [one for one in characters if allowed is None or one in allowed]
