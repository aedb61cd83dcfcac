"""A conversation as clients send it again with every call, in the shape that talks have. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from npc_server.doors.openai.fields import Message
from npc_server.errors import InvalidRequestError
from personas.render import Line, Speaker

MAX_SCENE_CHARACTERS = 8_000  # of system messages; more has no room in any prompt
#: Of what was said before; the newest lines stay.
MAX_BROUGHT_CHARACTERS, MAX_BROUGHT_LINES = 16_000, 200
_EXAMPLES = "example_"  # a name of what only shows how to speak


@dataclass(frozen=True)
class Answered:
    """A line of the player, and what the client says it was answered."""

    line: str
    reply: str


@dataclass(frozen=True)
class Transcript:
    """What was said, and what is said now."""

    lead: str  # what the character said first; "" = the player began
    answered: tuple[Answered, ...]
    line: str
    scene: tuple[str, ...] = ()  # system messages

    @property
    def said(self) -> list[str]:
        """All lines of the player; the last one is the new one."""
        return [*(one.line for one in self.answered), self.line]

    @property
    def brought(self) -> list[Line]:
        """What was said before the new line: the newest of it, if it is long."""
        talk = [Line(Speaker.CHARACTER, self.lead)] if self.lead else []
        for one in self.answered:
            talk += [Line(Speaker.PLAYER, one.line), Line(Speaker.CHARACTER, one.reply)]
        return _newest(talk)


def transcript_of(messages: Sequence[Message], character_name: str) -> Transcript:
    """The conversation in some messages. Raises InvalidRequestError where nobody is to reply."""
    scene = (m.text for m in messages if m.role == "system" and not m.name.startswith(_EXAMPLES))
    spoken = [one for one in messages if one.role != "system"]
    if not spoken or spoken[-1].role != "user":
        raise InvalidRequestError("messages: the last one must be of role user, for a reply to it")
    lines = list(_merge_rows(spoken, f"{character_name}:"))
    lead = lines.pop(0).text if lines[0].role == "assistant" else ""
    answered = (
        Answered(line.text, reply.text)
        for line, reply in zip(lines[:-1:2], lines[1::2], strict=True)
    )
    return Transcript(lead, tuple(answered), lines[-1].text, tuple(_up_to_limit(scene)))


def _merge_rows(messages: Iterable[Message], own_name: str) -> Iterator[Message]:
    """Messages of one role in a row as one, without the name that some clients put before it."""
    for role, row in groupby(messages, key=lambda one: one.role):
        texts = [one.text.strip() for one in row]
        if role == "assistant":
            texts = [text.removeprefix(own_name).strip() for text in texts]
        yield Message(role, "\n".join(text for text in texts if text))


def _up_to_limit(texts: Iterable[str]) -> Iterator[str]:
    left = MAX_SCENE_CHARACTERS
    for text in texts:
        if text.strip() and left > 0:
            yield text[:left]
            left -= len(text)


def _newest(talk: Sequence[Line]) -> list[Line]:
    count, left = 0, MAX_BROUGHT_CHARACTERS
    for line in reversed(talk[-MAX_BROUGHT_LINES:]):
        left -= len(line.text)
        if left < 0:
            break
        count += 1
    return list(talk[len(talk) - count :])
