"""What a chat template makes of a conversation: text around contents that it never sees.

The template is rendered over marks in place of contents, and what it wrote is cut at the marks.
The pieces depend on who speaks alone, so they are kept by the sequence of roles, and no word of a
player can drive the template or pass for a part of it.

Templates differ in what they take, and some drop or move a message in silence. That is found once,
by rendering probes; a conversation is then put into a shape that the template takes.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from personas.chat import Message
from personas.chat_template import ChatTemplate
from personas.errors import ChatFormatError

_MARK = re.compile("\ue000([0-9]+)\ue001")  # private use: in no template
_BLANKS = (" ", "\n", "\n\n", "\t", "\u00a0")
_TALK = ("user", "assistant", "user", "assistant", "user")
#: What a player is taken to have said where a template wants their line before a greeting.
SILENCE = "..."
_MOST_SEQUENCES = 4096
_LONG_TALK = (*("user", "assistant") * 32, "user")

Pieces = tuple[str, ...]  # text before the first content, between contents, behind the last


@dataclass(frozen=True)
class Manner:
    """What a template takes as it is; what it does not is changed beforehand."""

    has_system: bool  # else its text goes before the first line of the player
    repeats: bool  # one role may speak twice in a row; else such messages are joined
    assistant_first: bool  # else the player is silent before a greeting
    keeps_blanks: bool  # around contents; else they are cut off everywhere
    in_parts: bool  # it reads a content as a list of parts


class ChatFormat:
    """A template with its manner. Raises ChatFormatError for one that cannot be used."""

    def __init__(self, template: ChatTemplate, thoughts: Sequence[tuple[str, str]] = ()) -> None:
        """`thoughts`: spellings of a thought's beginning and end, to end one the template opens."""
        self._template = template
        self._thoughts = thoughts
        self._pieces: dict[tuple[tuple[str, ...], bool], Pieces] = {}
        self._in_parts = False
        self._in_parts = not self._writes(_TALK[:1]) and self._writes_parts()
        for roles in (_TALK[:1], _TALK[:3], _LONG_TALK):
            self._require(roles)
        self.manner = self._find_manner()

    def fit(self, messages: Sequence[Message]) -> tuple[Message, ...]:
        """The conversation in a shape that the template takes, nothing of it left out."""
        shaped = list(messages)
        if not self.manner.keeps_blanks:
            shaped = [Message(one.role, one.content.strip()) for one in shaped]
        if not self.manner.has_system:
            shaped = _without_system(shaped)
        if not self.manner.repeats:
            shaped = _without_repeats(shaped)
        if not self.manner.assistant_first:
            shaped = _begun_by_player(shaped)
        return tuple(shaped)

    def pieces(self, roles: tuple[str, ...], *, asks: bool) -> Pieces:
        """The template's text around the contents of messages of these roles.

        `asks`: up to where the assistant begins to speak. Raises ChatFormatError.
        """
        key = (roles, asks)
        if key not in self._pieces:
            if len(self._pieces) >= _MOST_SEQUENCES:
                self._pieces.clear()
            self._pieces[key] = self._cut(roles, asks)
        return self._pieces[key]

    def _cut(self, roles: tuple[str, ...], asks: bool) -> Pieces:
        written = _MARK.split(self._render(roles, asks=asks))
        texts, seen = written[0::2], [int(number) for number in written[1::2]]
        if seen != list(range(len(roles))):
            raise ChatFormatError(_fault_of(roles, seen))
        return (*texts[:-1], self._before_reply(texts[-1]) if asks else texts[-1])

    def _render(self, roles: Sequence[str], blank: str = "", *, asks: bool = True) -> str:
        marks = [f"{blank}\ue000{number}\ue001{blank}" for number in range(len(roles))]
        said = [
            {"role": role, "content": [{"type": "text", "text": mark}] if self._in_parts else mark}
            for role, mark in zip(roles, marks, strict=True)
        ]
        return self._template.text(said, asks=asks)

    def _before_reply(self, tail: str) -> str:
        """What stands before a reply, whatever the template knows of where one begins."""
        return self._with_thought_ended(tail + self._unsaid)

    @cached_property
    def _unsaid(self) -> str:
        """What a template that knows of no beginning reply writes before those that are there."""
        silent, asked = (self._render(_TALK[:1], asks=asks) for asks in (False, True))
        if silent != asked:
            return ""
        try:
            before = _MARK.split(self._render(_TALK[:2], asks=False))[2]
        except ChatFormatError:  # a template that wants the player's line last
            return ""
        unsaid = before.removeprefix(_MARK.split(asked)[2])
        return unsaid if unsaid.strip() and unsaid != before else ""

    def _with_thought_ended(self, tail: str) -> str:
        """What stands before a reply, with a thought that the template only opens ended."""
        for begins, ends in self._thoughts:
            if begins in tail and ends not in tail:
                return f"{tail.rstrip()}\n\n{ends}\n\n"
        return tail

    def _require(self, roles: tuple[str, ...]) -> None:
        self.pieces(roles, asks=True)

    def _writes(self, roles: tuple[str, ...]) -> bool:
        """Whether every content comes out once, and in order."""
        try:
            self._require(roles)
        except ChatFormatError:
            return False
        return True

    def _writes_parts(self) -> bool:
        self._in_parts = True
        written = self._writes(_TALK[:1])
        self._in_parts = False
        self._pieces.clear()
        return written

    def _find_manner(self) -> Manner:
        has_system = self._writes(("system", *_TALK)) and self._writes(("system", "user"))
        opening = ("system",) if has_system else ()
        return Manner(
            has_system=has_system,
            repeats=self._writes((*opening, "user", "user", "assistant", "assistant", "user")),
            assistant_first=self._writes((*opening, "assistant", "user")),
            keeps_blanks=all(self._keeps((*opening, *_TALK), blank) for blank in _BLANKS),
            in_parts=self._in_parts,
        )

    def _keeps(self, roles: Sequence[str], blank: str) -> bool:
        """Whether the template leaves whitespace around the content of every message alone."""
        written = self._render(roles, blank)
        return all(f"{blank}\ue000{i}\ue001{blank}" in written for i in range(len(roles)))


def _fault_of(roles: Sequence[str], seen: Sequence[int]) -> str:
    missing = [role for number, role in enumerate(roles) if number not in seen]
    if missing:
        return f"its chat template leaves out what the {missing[0]} says"
    if len(seen) > len(roles):
        return f"its chat template repeats what the {roles[_repeat(seen)]} says"
    return "its chat template moves messages about"


def _repeat(seen: Sequence[int]) -> int:
    return next(number for number in seen if seen.count(number) > 1)


def _without_system(messages: list[Message]) -> list[Message]:
    """The system's text before the first line of the player, with a blank line between."""
    if not messages or messages[0].role != "system":
        return messages
    system, *rest = messages
    if rest and rest[0].role == "user":
        return [Message("user", f"{system.content}\n\n{rest[0].content}"), *rest[1:]]
    return [Message("user", system.content), *rest]


def _without_repeats(messages: Sequence[Message]) -> list[Message]:
    """The messages, with those in a row of one role in one."""
    made: list[Message] = []
    for message in messages:
        if made and made[-1].role == message.role:
            made[-1] = Message(message.role, f"{made[-1].content}\n{message.content}")
        else:
            made.append(message)
    return made


def _begun_by_player(messages: list[Message]) -> list[Message]:
    first = 1 if messages and messages[0].role == "system" else 0
    if len(messages) > first and messages[first].role == "assistant":
        return [*messages[:first], Message("user", SILENCE), *messages[first:]]
    return messages
