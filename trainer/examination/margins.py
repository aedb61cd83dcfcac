"""Whether held-out players would prefer the candidate: by log-probability, without sampling.

The implicit reward of a reply is how much more likely the candidate makes it than the incumbent.
A margin is the reward of a good reply minus that of a bad one: above zero, the candidate moved
towards that player's taste. Voices run one after the other, so memory holds one model.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import fmean

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from feedback_store.selection import Labelled, Pair
from personas.render import Tokenizer, reply_ids
from trainer.forward import IGNORED, label_log_probs
from trainer.gate import Margin
from trainer.held import Device
from trainer.lora import load_voice
from trainer.progress import Counter, OnProgress
from trainer.rows.datasets import Ids
from trainer.training import use_all_cores

BATCH_ROWS = 16


def held_out_margins(
    base_dir: Path,
    incumbent: Path | None,
    candidate: Path,
    pairs: Sequence[Pair],
    tokenizer: Tokenizer,
    on_progress: OnProgress,
    device: Device = Device.AUTO,
) -> tuple[Margin, ...]:
    """One margin per pair, in nats, in order. An incumbent of None is the bare base.

    Raises BaseModelError and AdapterError.
    """
    chosen = [(pair.prompt_ids, reply_ids(pair.chosen, tokenizer)) for pair in pairs]
    rejected = [(pair.prompt_ids, reply_ids(pair.rejected, tokenizer)) for pair in pairs]
    reward = rewards(base_dir, incumbent, candidate, [*chosen, *rejected], on_progress, device)
    return tuple(
        Margin(pair.player_id, reward[index] - reward[index + len(pairs)], pair.held_out_by)
        for index, pair in enumerate(pairs)
    )


def held_out_label_margins(
    base_dir: Path,
    incumbent: Path | None,
    candidate: Path,
    rows: Sequence[Labelled],
    tokenizer: Tokenizer,
    on_progress: OnProgress,
    device: Device = Device.AUTO,
) -> tuple[Margin, ...]:
    """Margins of labelled replies: each against the mean reward of the other kind.

    Empty when one kind is missing. Raises BaseModelError and AdapterError.
    """
    replies = [(row.prompt_ids, reply_ids(row.completion, tokenizer)) for row in rows]
    if len({row.desirable for row in rows}) < 2:
        return ()
    reward = rewards(base_dir, incumbent, candidate, replies, on_progress, device)
    return label_margins(rows, reward)


def label_margins(rows: Sequence[Labelled], reward: Sequence[float]) -> tuple[Margin, ...]:
    """Margins from the rewards of good and bad replies, both kinds present."""
    mean = {
        kind: fmean([r for row, r in zip(rows, reward, strict=True) if row.desirable is kind])
        for kind in (True, False)
    }
    return tuple(
        Margin(row.player_id, r - mean[False] if row.desirable else mean[True] - r, row.held_out_by)
        for row, r in zip(rows, reward, strict=True)
    )


def rewards(
    base_dir: Path,
    incumbent: Path | None,
    candidate: Path,
    replies: Sequence[tuple[Ids, Ids]],
    on_progress: OnProgress,
    device: Device = Device.AUTO,
) -> tuple[float, ...]:
    """How much likelier, in nats, the candidate makes each (prompt, reply) than the incumbent."""
    use_all_cores()
    count = Counter(2 * len(replies), on_progress)
    before = reply_log_probs(load_voice(base_dir, incumbent, device), replies, count)
    after = reply_log_probs(load_voice(base_dir, candidate, device), replies, count)
    return tuple(new - old for new, old in zip(after, before, strict=True))


def reply_log_probs(
    model: PreTrainedModel, replies: Sequence[tuple[Ids, Ids]], on_rows: Callable[[int], None]
) -> tuple[float, ...]:
    """Summed log-probability in nats of each reply after its prompt, in order."""
    alike = sorted(range(len(replies)), key=lambda at: replies[at])  # what they share runs once
    found: dict[int, float] = {}
    for first in range(0, len(alike), BATCH_ROWS):
        batch = alike[first : first + BATCH_ROWS]
        sums = _batch_log_probs(model, [replies[at] for at in batch])
        found.update(zip(batch, sums, strict=True))
        on_rows(len(batch))
    return tuple(found[at] for at in range(len(replies)))


def _batch_log_probs(model: PreTrainedModel, replies: Sequence[tuple[Ids, Ids]]) -> list[float]:
    ids = _pad([(*prompt, *reply) for prompt, reply in replies], 0)
    labels = _pad([(*[IGNORED] * len(prompt), *reply) for prompt, reply in replies], IGNORED)
    mask = _pad([(1,) * (len(prompt) + len(reply)) for prompt, reply in replies], 0)
    with torch.inference_mode():
        log_probs = label_log_probs(model, *(t.to(model.device) for t in (ids, mask, labels)))
    sums: list[float] = log_probs.sum(1).tolist()
    return sums


def _pad(rows: Sequence[Sequence[int]], filler: int) -> Tensor:
    tensors = [torch.tensor(row) for row in rows]
    return nn.utils.rnn.pad_sequence(tensors, batch_first=True, padding_value=filler)
