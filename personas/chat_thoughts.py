"""Prompts of a model that thinks before it replies, by its own chat template.

A thought is between two special tokens. Which they are tells the template: by what it writes for a
model that is not to think, or by opening a thought itself. The prompt ends within the thought; what
the model adds to it is no part of the reply, of the history or of what is trained.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from personas.chat import Message, Special, Tokenizer
from personas.chat_ids import Chat, Ids, chat_of
from personas.errors import ChatFormatError


@dataclass(frozen=True)
class Thinking:
    """How a model is made to think, and how a thought ends."""

    chat: Chat
    lead: Ids  # what the template leaves to the model: the beginning of the thought
    end: int
    closing: Ids  # the end of a thought, and what stands between it and the reply

    def asking(self, messages: Sequence[Message]) -> Ids:
        """A whole conversation, ending within the thought."""
        return (*self.chat.asking(messages), *self.lead)


def _find(tokenizer: Tokenizer) -> Thinking:
    thinking, silent = Chat(tokenizer, thinks=True), chat_of(tokenizer)
    tail = silent.before_reply
    marks = [part for part in tail if not isinstance(part, str)]
    empty = _empty_thought(marks, tokenizer.thoughts)
    if empty is None:
        raise ChatFormatError(
            'thinking is "on", but the chat template knows of no thought between special tokens;'
            ' set [model] thinking = "off"'
        )
    begins, end = empty
    first, last = tail.index(begins), tail.index(end)
    said = "".join(part for part in tail[first + 1 : last] if isinstance(part, str))
    opened = begins in thinking.before_reply
    lead = () if opened else (begins.id, *(tokenizer.encode(said) if said.strip() else ()))
    after = "".join(part for part in tail[last + 1 :] if isinstance(part, str))
    return Thinking(thinking, lead, end.id, (end.id, *tokenizer.encode(after)))


def _empty_thought(
    marks: Sequence[Special], known: Sequence[tuple[str, str]]
) -> tuple[Special, Special] | None:
    """The tokens around the thought that a template writes for a model that is not to think."""
    for begins, ends in known:
        pair = [mark for mark in marks if mark.spelling in (begins, ends)]
        if len(pair) == 2:
            return pair[0], pair[1]
    own = [mark for mark in marks if not mark.control]
    return (own[-2], own[-1]) if len(own) >= 2 else None


_found: WeakKeyDictionary[Tokenizer, Thinking] = WeakKeyDictionary()


def thinking_of(tokenizer: Tokenizer) -> Thinking:
    """How the model of a tokenizer thinks. Raises ChatFormatError."""
    if tokenizer not in _found:
        _found[tokenizer] = _find(tokenizer)
    return _found[tokenizer]
