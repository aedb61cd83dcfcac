"""Puts the door together."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Protocol, cast

from npc_server.adapters import Adapters
from npc_server.allowances import Allowances
from npc_server.calls import Reception
from npc_server.config import HttpSection
from npc_server.dialogue import Dialogue
from npc_server.doors.openai.door import OpenAiDoor
from npc_server.doors.openai.talks import Manners, Talks
from npc_server.doors.openai.task_answers import TaskAnswers
from npc_server.doors.openai.threads import Threads
from npc_server.errors import UnknownSessionError
from npc_server.ownership import Ownership
from npc_server.reactions import Reactions
from npc_server.sessions import Session, Sessions
from npc_server.turns import Model
from personas.persona import Persona


class _Decoder(Protocol):
    def decode(self, ids: Sequence[int]) -> str: ...


@dataclass(frozen=True)
class Answering:
    """What of the server answers."""

    cast: Mapping[str, Persona]
    dialogue: Dialogue
    reactions: Reactions
    sessions: Sessions
    adapters: Adapters
    model: Model
    ownership: Ownership
    allowances: Allowances


def openai_door(
    answering: Answering,
    section: HttpSection,
    reception: Reception,
    clock: Callable[[], float] = time.monotonic,
) -> OpenAiDoor:
    """The door over what answers, as it is configured."""
    manners = Manners(section.system_messages == "append", section.training_consent)
    threads = Threads(clock, partial(_end, answering.dialogue))
    talks = Talks(
        answering.cast,
        answering.dialogue,
        answering.reactions,
        answering.sessions,
        answering.adapters,
        answering.allowances,
        manners,
        threads,
    )
    decoder = cast(_Decoder, answering.model.tokenizer)  # those that serve read, too
    tasks = TaskAnswers(answering.model)
    return OpenAiDoor(
        answering.cast,
        talks,
        tasks,
        answering.reactions,
        decoder.decode,
        manners.tells_system,
        reception,
        answering.ownership,
        answering.allowances,
    )


def _end(dialogue: Dialogue, session: Session) -> None:
    with suppress(UnknownSessionError):  # sessions are limited in number, too
        dialogue.end_session(session.session_id)
