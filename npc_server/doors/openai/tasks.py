"""What front-ends ask for that no player says: titles, tags, summaries, pictures.

They send it to the model that they chat with. A character would answer in its role, and learn from
it, so the bare base answers, and nothing is recorded. Such a call has system messages alone, or
messages as those front-ends write them. What players can type is never enough: it is for the
character, and for its guard.
"""

from __future__ import annotations

from collections.abc import Sequence

from npc_server.doors.openai.fields import Message

#: How a system message begins that comes last.
_ASKED_LAST = (
    "Ignore previous instructions",  # SillyTavern: summaries, expressions
    "[Pause your roleplay",  # the same: pictures
    "In the next response I want you to provide only",  # the same: pictures
    "[Write your next reply from the point of view of",  # the same: what the player might say
)
#: How a system message begins that comes first.
_ASKED_FIRST = ("You are tasked with summarizing",)  # Mantella
#: How the only message begins, and what it holds besides.
_ASKED_ALONE, _HELD = "### Task:\n", "<chat_history>"  # Open WebUI: titles, tags, searches


def is_task(messages: Sequence[Message]) -> bool:
    """Whether these ask for something that is no reply to a player."""
    if all(one.role == "system" for one in messages):
        return True
    if len(messages) == 1:
        return messages[0].text.startswith(_ASKED_ALONE) and _HELD in messages[0].text
    return _begins(messages[0], _ASKED_FIRST) or _begins(messages[-1], _ASKED_LAST)


def _begins(message: Message, beginnings: tuple[str, ...]) -> bool:
    return message.role == "system" and message.text.lstrip().startswith(beginnings)
