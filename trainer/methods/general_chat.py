"""Plain exchanges without a persona, as token ids: the common sense that a base model came with.

Training on one character's words alone pulls the adapter away from everything else the model could
do. A few exchanges of ordinary chat, in the base's own format, prevent that. They are authored in
`general_chat.yaml`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources

import yaml

from personas.render import Message, Tokenizer, message_ids, reply_ids
from trainer.rows.datasets import Spoken


@dataclass(frozen=True)
class Exchange:
    """A user's message and its reply."""

    ask: str
    reply: str


@dataclass(frozen=True)
class GeneralChat:
    """All exchanges, and their system message."""

    system: str
    exchanges: tuple[Exchange, ...]


def load() -> GeneralChat:
    """Read the authored exchanges."""
    text = (resources.files("trainer.methods") / "general_chat.yaml").read_text(encoding="utf-8")
    authored = yaml.safe_load(text)
    exchanges = tuple(Exchange(**exchange) for exchange in authored["exchanges"])
    return GeneralChat(authored["system"], exchanges)


def render(chat: GeneralChat, tokenizer: Tokenizer) -> Sequence[Spoken]:
    """Render the exchanges as they would be served without a persona."""
    system = Message("system", chat.system)
    return [
        Spoken(
            message_ids((system, Message("user", exchange.ask)), tokenizer),
            reply_ids(exchange.reply, tokenizer),
        )
        for exchange in chat.exchanges
    ]
