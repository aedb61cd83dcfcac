"""What a reply stream tells: that a turn begins, and how it ended.

A complete reply whose call had an id is kept as an `Answer`, so that the call can be repeated when
its answer was lost on the way.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
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
class ShownEmotion:
    """What the character feels about the exchange, of what it has declared."""

    label: str
    probability: float  # among all of its emotions, from 0 to 1, in four digits


@dataclass(frozen=True)
class ChosenAction:
    """What the character does besides its words."""

    name: str
    arguments: Mapping[str, bool | int | float | str]  # by parameter


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
    emotion: ShownEmotion | None = None  # None = the character has none to show
    action: ChosenAction | None = None  # None = it does nothing
    aside_tokens: int = 0  # computed for emotion and action, besides prompt and reply


@dataclass
class Shown:
    """What a turn shows besides its words, as far as it is known."""

    emotion: ShownEmotion | None = None
    action: ChosenAction | None = None
    tokens: int = 0  # computed to find out
    questions: Iterator[int] = field(default_factory=count)  # their numbers


#: What a stream of a reply is made of.
ReplyEvent: TypeAlias = Started | Delta | ShownEmotion | ChosenAction | Finished


@dataclass(frozen=True)
class Answer:
    """A complete reply, to be streamed again."""

    started: Started
    finished: Finished

    @property
    def events(self) -> list[ReplyEvent]:
        """The stream, its text in one piece."""
        finished = self.finished
        text = [Delta(finished.reply.text)] if finished.reply.text else []
        shown = [one for one in (finished.emotion, finished.action) if one is not None]
        return [self.started, *text, *shown, finished]


async def stream_again(answer: Answer) -> AsyncGenerator[ReplyEvent]:
    """Stream a reply that was made before."""
    for event in answer.events:
        yield event
