"""Pairs as a night has them: a short edit over a long reply, under a sample character's prompt.

The words are the character's own, from its examples: a long reply is several of them in a row. Some
250 tokens per side with the prompt. The same for the same seed.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TYPE_CHECKING

from personas.persona import Persona
from personas.persona_files import SAMPLE_CHARACTERS, load_character
from personas.render import Tokenizer, prompt, reply_ids

if TYPE_CHECKING:
    from trainer.rows.datasets import PairIds

REPLIES_IN_A_LONG_ONE = (3, 6)  # at least, at most
CONTEXT_TOKENS = 1024


def pairs(character: str, tokenizer: Tokenizer, count: int, seed: int = 0) -> tuple[PairIds, ...]:
    """Make `count` pairs of one character."""
    persona = load_character(SAMPLE_CHARACTERS / character)
    chance = random.Random(seed)
    return tuple(_pair(persona, tokenizer, chance) for _ in range(count))


def _pair(persona: Persona, tokenizer: Tokenizer, chance: random.Random) -> PairIds:
    from trainer.rows.datasets import PairIds  # needs torch, which --help does without

    asked = chance.choice(persona.examples)
    others = [example.reply for example in persona.examples if example != asked]
    rambling = several(others, chance)
    ids = prompt(persona, (), asked.player, tokenizer, CONTEXT_TOKENS).ids
    return PairIds(ids, reply_ids(asked.reply, tokenizer), reply_ids(rambling, tokenizer))


def several(replies: Sequence[str], chance: random.Random) -> str:
    """Some of the replies in a row: a reply that does not come to the point."""
    return " ".join(chance.sample(replies, chance.randint(*REPLIES_IN_A_LONG_ONE)))
