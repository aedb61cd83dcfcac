"""The score of a reply as its head gives it: two logits at the reply's last token, one difference.

Training a head and using it both score here. See `trainer.heads.reward_head` for the idea.
"""

from collections.abc import Sequence
from typing import TypeAlias, cast

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from personas.reward_heads import Word
from trainer.forward import last_hidden
from trainer.progress import Counter, OnProgress
from trainer.rows.datasets import Ids

BATCH_ROWS = 8

Words: TypeAlias = tuple[Word, Word]  # the good one and the bad one


def score(model: PreTrainedModel, words: Words, hidden: Tensor) -> Tensor:
    """The logit of the good word minus that of the bad one, of states (rows, width): (rows,)."""
    good, bad = words
    vocabulary = cast(nn.Linear, model.lm_head).weight.detach()
    both = vocabulary[[good.token, bad.token]].float()
    logits = (hidden.float()[:, None] * both).sum(-1)  # a product of matrices would be 16 bits wide
    return logits[:, 0] - logits[:, 1]


def score_replies(
    model: PreTrainedModel,
    words: Words,
    replies: Sequence[tuple[Ids, Ids]],
    on_progress: OnProgress,
) -> tuple[float, ...]:
    """Score each (prompt, reply), in order; `model` has the head's adapter in it."""
    count = Counter(len(replies), on_progress)
    alike = sorted(range(len(replies)), key=lambda at: replies[at])  # what they share runs once
    found: dict[int, float] = {}
    for first in range(0, len(alike), BATCH_ROWS):
        batch = alike[first : first + BATCH_ROWS]
        made = _batch_scores(model, words, [replies[at] for at in batch])
        found.update(zip(batch, made, strict=True))
        count(len(batch))
    return tuple(found[at] for at in range(len(replies)))


def _batch_scores(
    model: PreTrainedModel, words: Words, replies: Sequence[tuple[Ids, Ids]]
) -> list[float]:
    rows = [torch.tensor([*prompt, *reply], device=model.device) for prompt, reply in replies]
    ids = nn.utils.rnn.pad_sequence(rows, batch_first=True)
    mask = nn.utils.rnn.pad_sequence([torch.ones_like(row) for row in rows], batch_first=True)
    with torch.inference_mode():
        made: list[float] = score(model, words, last_hidden(model, ids, mask)).tolist()
    return made
