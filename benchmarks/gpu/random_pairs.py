"""Pairs of random ids in the shape of a night's: one persona, a short reply over a long one."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trainer.rows.datasets import PairIds

PERSONA_TOKENS, LINE_TOKENS = 170, 20
CHOSEN_TOKENS, REJECTED_TOKENS = (16, 40), (90, 150)  # at least, at most
_FIRST_WORD = 4  # after the control tokens


def random_pairs(vocabulary: int, count: int, seed: int = 0) -> tuple[PairIds, ...]:
    """Make `count` pairs; the same for the same seed."""
    from trainer.rows.datasets import PairIds  # needs torch, which --help does without

    chance = random.Random(seed)

    def words(count: int) -> tuple[int, ...]:
        return tuple(chance.randrange(_FIRST_WORD, vocabulary) for _ in range(count))

    persona = words(PERSONA_TOKENS)
    return tuple(
        PairIds(
            (*persona, *words(LINE_TOKENS)),
            words(chance.randint(*CHOSEN_TOKENS)),
            words(chance.randint(*REJECTED_TOKENS)),
        )
        for _ in range(count)
    )


def token_count(pair: PairIds) -> int:
    """Tokens of both sides with their prompts, as a trainer that shares nothing reads them."""
    return 2 * len(pair.prompt) + len(pair.chosen) + len(pair.rejected)
