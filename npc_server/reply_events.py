"""What a reply stream tells: that a turn begins, and how it ended.

A complete reply whose call had an id is kept as an `Answer`, so that the call can be repeated when
its answer was lost on the way.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from npc_server.engine.protocol import Delta, Finish
from npc_server.guard_hits import GuardHit
from personas.notes import NO_NOTES, ToldNotes


@dataclass(frozen=True)
class Started:
    """A turn begins; everything that makes its reply is fixed."""

    turn_id: str
    persona_version: str
    adapter_version: str
    take: int
    seed: int


@dataclass(frozen=True)
class Finished:
    """A turn is over."""

    turn_id: str
    adapter_version: str
    live_adapter_version: str  # of the character, when the turn ended
    reply: Finish
    reply_tokens: int  # of the reply; `reply` of a repeated answer holds no token ids
    candidates: int  # replies drawn for this one
    guard: tuple[GuardHit, ...] = ()  # what the guard found
    notes: ToldNotes = NO_NOTES


#: What a stream of a reply is made of.
ReplyEvent: TypeAlias = Started | Delta | Finished


@dataclass(frozen=True)
class Answer:
    """A complete reply, to be streamed again."""

    started: Started
    finished: Finished
