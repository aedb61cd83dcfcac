"""What ORPO and SimPO share: both judge a reply by its mean log-probability, without a reference.

TRL's experimental trainers for them tokenize text themselves and run prompts and padding through
the whole vocabulary. Here they get the ids of `rows.datasets` in the columns that their collator
reads, and the log-probabilities of replies alone, through `trainer.forward`. Their supervised term
is therefore that of the chosen reply, in ORPO too, whose code learns the prompt by heart beside it.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import torch
from datasets import Dataset  # type: ignore[import-untyped]  # ships no types
from peft import PeftModel
from torch import Tensor
from transformers import AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase, Trainer
from trl.trainer.utils import add_fused_lm_head

from trainer.forward import IGNORED, install
from trainer.rows.datasets import WEIGHT, Batch, Ids, PairIds, with_weights
from trainer.settings import Schedule
from trainer.training import Arguments

MeanLogProbs = tuple[
    Tensor, Tensor, Tensor, Tensor, Tensor
]  # as TRL's `concatenated_forward` has it


class ScoresIds:
    """Lets TRL's experimental trainers learn from `side_columns`."""

    @staticmethod
    def tokenize_row(*_: Any, **__: Any) -> dict[str, Any]:
        """Add nothing to the columns that are there."""
        return {}

    def concatenated_forward(self: Any, model: Any, batch: Batch) -> Any:  # TRL's type is wrong
        """Mean log-probabilities of replies."""
        return mean_log_probs(model, self.concatenated_inputs(batch), batch)


def side_columns(rows: Sequence[PairIds]) -> Dataset:
    """Columns of TRL's padding collator for pairs, in the given order."""
    return Dataset.from_dict(
        {
            **_columns("chosen", [(row.prompt, row.chosen) for row in rows]),
            **_columns("rejected", [(row.prompt, row.rejected) for row in rows]),
            WEIGHT: [row.weight for row in rows],
        }
    )


def with_limit(arguments: Arguments, schedule: Schedule) -> Arguments:
    """The common arguments with a limit: without one TRL's experimental trainers assume 512."""
    return {**arguments, "max_length": schedule.max_tokens}


def padding_tokenizer(base_dir: Path) -> PreTrainedTokenizerBase:
    """The base's tokenizer, of which these trainers use only the padding token."""
    tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(base_dir)
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token  # what stands there is masked
    return tokenizer


def install_scoring(trainer: Trainer, policy: PeftModel) -> None:
    """Let the policy accept `fused_lm_head=True`, and batches carry weights: TRL does neither."""
    base = cast(PreTrainedModel, policy.get_base_model())
    add_fused_lm_head(base)
    install(base)
    trainer.data_collator = with_weights(trainer.data_collator, sides=2)


def mean_log_probs(model: Any, sides: Batch, batch: Batch) -> MeanLogProbs:
    """Mean log-probabilities per token of chosen and rejected replies, in nats; logits are nothing.

    Last comes the chosen replies' cross-entropy, in nats per token. `sides` are TRL's concatenated
    inputs: the chosen half of the batch, then the rejected one.
    """
    labels = sides["concatenated_labels"]
    log_probs = model(
        input_ids=sides["concatenated_input_ids"],
        attention_mask=sides["concatenated_attention_mask"],
        labels=labels,
        weights=batch["weights"],
        fused_lm_head=True,
    ).log_probs
    tokens, sums = (labels[:, 1:] != IGNORED).sum(1), log_probs.sum(1)
    rows = len(batch["chosen_labels"])
    cross_entropy = -sums[:rows].sum() / tokens[:rows].sum()
    nothing = torch.zeros_like(sums[:rows])  # TRL logs the mean of the logits, and no more
    return (*(sums / tokens).split(rows), nothing, nothing, cross_entropy)


def _columns(side: str, spoken: Sequence[tuple[Ids, Ids]]) -> dict[str, list[list[int]]]:
    return {
        f"{side}_input_ids": [[*prompt, *reply] for prompt, reply in spoken],
        f"{side}_attention_mask": [[1] * (len(prompt) + len(reply)) for prompt, reply in spoken],
        f"{side}_labels": [[IGNORED] * len(prompt) + [*reply] for prompt, reply in spoken],
    }
