"""Counts what replies take of a quota, also of those that are cut short."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from npc_server.engine.protocol import Delta
from npc_server.keys.quotas import Spent
from npc_server.reply_events import Finished, ReplyEvent

_CHARACTERS_PER_TOKEN = 4  # of a reply that was cut short


@dataclass
class Meter:
    """Counts the tokens of some takes."""

    spent: Spent
    _guessed: Counter[int] = field(default_factory=Counter)  # by take

    def note(self, number: int, event: ReplyEvent) -> None:
        """Count an event of a take; its end tells what it really took."""
        if isinstance(event, Delta):
            tokens = -(-len(event.text) // _CHARACTERS_PER_TOKEN)
            self._guessed[number] += tokens
            self.spent.tokens += tokens
        elif isinstance(event, Finished):
            told = event.reply_tokens + event.reply.thought_tokens
            self.spent.tokens += told - self._guessed.pop(number, 0)
