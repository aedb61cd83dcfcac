"""How well a new base and the one it came from predict held-out edits, and plain prose.

Models are read one after the other, so memory holds one. The new one is read from its GGUF: what
will be served is what is judged.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from feedback_store.selection import Snapshot
from personas.render import Tokenizer, reply_ids
from trainer.examination.drift import text_perplexity
from trainer.examination.margins import reply_log_probs
from trainer.lora import load_base
from trainer.own_base.fitness import Fitness, Surprise
from trainer.progress import Counter, OnProgress
from trainer.rows.datasets import Ids
from trainer.training import use_all_cores


def measure(
    before: Path,
    after: Path,
    snapshots: Mapping[str, Snapshot],
    tokenizer: Tokenizer,
    on_progress: OnProgress,
) -> Fitness:
    """Compare two dequantised bases on the held-out edits of all characters.

    Raises BaseModelError.
    """
    use_all_cores()
    rows = [(name, edit) for name in sorted(snapshots) for edit in snapshots[name].held_out_edits]
    replies = [(row.prompt_ids, reply_ids(row.completion, tokenizer)) for _, row in rows]
    count = Counter(2 * len(replies), on_progress)
    old, old_perplexity = _read(before, replies, tokenizer, count)
    new, new_perplexity = _read(after, replies, tokenizer, count)
    surprises = tuple(
        Surprise(name, row.player_id, then, now)
        for (name, row), then, now in zip(rows, old, new, strict=True)
    )
    return Fitness(surprises, old_perplexity, new_perplexity)


def _read(
    base_dir: Path, replies: Sequence[tuple[Ids, Ids]], tokenizer: Tokenizer, count: Counter
) -> tuple[list[float], float]:
    """Nats per token of each reply, and the perplexity of the general text."""
    model = load_base(base_dir)
    sums = reply_log_probs(model, replies, count)
    nats = [-total / len(reply) for total, (_, reply) in zip(sums, replies, strict=True)]
    return nats, text_perplexity(model, tokenizer)
