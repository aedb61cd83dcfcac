"""Plain exchanges without a persona, as token ids: the common sense a base model came with.

Training on one character's words alone pulls the adapter away from everything else the model could
do. A few exchanges of ordinary chat, in the base's own format, hold against that. They are authored
in `general_chat.yaml`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources

import yaml

from personas.render import Message, Tokenizer, message_ids, reply_ids
from trainer.rows.datasets import Spoken


@dataclass(frozen=True)
class Exchange:
    """A line and its answer."""

    ask: str
    reply: str


@dataclass(frozen=True)
class GeneralChat:
    """All exchanges, and the system message they stand under."""

    system: str
    exchanges: tuple[Exchange, ...]


def load() -> GeneralChat:
    """The authored exchanges."""
    text = (resources.files("trainer.methods") / "general_chat.yaml").read_text(encoding="utf-8")
    authored = yaml.safe_load(text)
    exchanges = tuple(Exchange(**exchange) for exchange in authored["exchanges"])
    return GeneralChat(authored["system"], exchanges)


def spoken(chat: GeneralChat, tokenizer: Tokenizer) -> Sequence[Spoken]:
    """The exchanges as a client without a persona would have them served."""
    system = Message("system", chat.system)
    return [
        Spoken(
            message_ids((system, Message("user", exchange.ask)), tokenizer),
            reply_ids(exchange.reply, tokenizer),
        )
        for exchange in chat.exchanges
    ]
