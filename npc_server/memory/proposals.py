"""What the base model is asked to find in a line where no rule found anything. Pure.

It answers by a schema, and is asked for nothing but quotations: what it proposes must stand in the
line, word for word, or it is dropped. So it can miss what a player tells, and choose badly, and
cannot invent. It is the only finder for languages without rules.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from languages.reading import read, word_count
from npc_server.engine.protocol import Sampling
from npc_server.memory.tellings import MAX_CHARACTERS, Telling
from personas.chat import Message
from personas.render import Tokenizer, message_ids
from personas.sentences import sentences

FEWEST_WORDS = 4  # of a line that is worth asking about, and of nothing less than a quotation
MOST = 2  # quotations from one line
MAX_TOKENS = 96
_ASKS = re.compile(r"[?？؟]\W*$")
_INSTRUCTIONS = (
    "You keep notes about a player. Quote what the player says about themselves: who they are, what"
    " they have, what happened to them. Quote whole sentences, word for word. Quote nothing else."
)
_SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "quotes": {
            "type": "array",
            "maxItems": MOST,
            "items": {"type": "string", "maxLength": MAX_CHARACTERS},
        }
    },
    "required": ["quotes"],
}
_EXAMPLES: tuple[tuple[str, list[str]], ...] = (
    (
        "I have walked here from the coast. How much is the bread?",
        ["I have walked here from the coast."],
    ),
    ("That is a fine hammer you have there.", []),
)


def may_tell(line: str) -> bool:
    """Whether it is worth asking: some sentence is long enough and no question."""
    return any(_states(sentence) for sentence in sentences(line))


def asking(line: str, tokenizer: Tokenizer) -> tuple[int, ...]:
    """The prompt, for the bare base."""
    shown = [
        message
        for said, quotes in _EXAMPLES
        for message in (
            Message("user", said),
            Message("assistant", json.dumps({"quotes": quotes})),
        )
    ]
    messages = (Message("system", _INSTRUCTIONS), *shown, Message("user", line))
    return message_ids(messages, tokenizer)


def sampling(seed: int) -> Sampling:
    """How the answer is drawn: as likely as it comes, in the form of the schema."""
    return Sampling(
        temperature=0, seed=seed, max_tokens=MAX_TOKENS, json_schema=json.dumps(_SCHEMA)
    )


def proposals(answer: str, line: str) -> tuple[Telling, ...]:
    """What of the model's answer stands in the line; nothing of one that is cut off."""
    try:
        quotes = list(json.loads(answer)["quotes"])
    except (ValueError, TypeError, KeyError):
        return ()
    listed = [quote for quote in quotes if isinstance(quote, str)]
    found = dict.fromkeys(_source_of(quote, line) for quote in listed)
    return tuple(Telling(text) for text in found if text)[:MOST]


def _source_of(quote: str, line: str) -> str:
    """The sentence of the line that holds the quotation; "" = none does."""
    wanted = read(quote).line.strip()
    if word_count(quote) < FEWEST_WORDS:
        return ""
    return next((said for said in sentences(line) if _states(said) and _holds(said, wanted)), "")


def _holds(sentence: str, wanted: str) -> bool:
    return f" {wanted} " in read(sentence).line and len(sentence) <= MAX_CHARACTERS


def _states(sentence: str) -> bool:
    return not _ASKS.search(sentence) and word_count(sentence) >= FEWEST_WORDS
