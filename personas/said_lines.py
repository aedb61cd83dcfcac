"""What a character said in a conversation and should not say again: its latest lines.

Examples in the prompt were not said: a player hears such words for the first time.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from personas.persona import Persona
from personas.render import Line, Message, Speaker

SAID_LINES = 64  # an evening's talk; older lines may come back


def said_lately(history: Iterable[Line]) -> tuple[str, ...]:
    """The character's latest lines, oldest first."""
    return _latest(line.text for line in history if line.speaker is Speaker.CHARACTER)


def said_in_prompt(persona: Persona, rendered: Sequence[Message]) -> tuple[str, ...]:
    """The same, of the messages that a prompt with this persona was rendered from."""
    opening = 1 + 2 * min(persona.examples_in_prompt, len(persona.examples))
    spoken = (message for message in rendered[opening:] if message.role == "assistant")
    return _latest(message.content for message in spoken)


def _latest(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(text for text in texts if text)[-SAID_LINES:]
