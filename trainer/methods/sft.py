"""Trains an adapter on players' edits: supervised fine-tuning.

    start = StartingPoint(ensure_base(gguf, cache), Vocab(gguf), parent)
    examples = rehearsals(persona, start.tokenizer, max_tokens=1024)
    run(Config(), rows_of(snapshot), examples, start, out, RunIO(print))

Loss: cross-entropy of the reply's tokens, its end included; the prompt, which holds the whole
conversation before it, carries none. An edit alone teaches what to say and not what to keep,
so three kinds of rows are learned beside the edits, each as a share of all rows:

- `replay_share`: replies that players liked as they were (`rows.replay`), never repeated:
  with too few of them the share is smaller;
- `schedule.rehearsed_share`: the designer's examples (`examples`), repeated evenly;
- `general_share`: plain chat without a persona (`general_chat`), repeated evenly.

The shares add up; the edits are the rest. A kind without rows has no share. Left out:
learning the player's lines, and packing rows into one sequence.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, cast

from datasets import Dataset  # type: ignore[import-untyped]  # ships no types
from peft import PeftModel
from transformers import AutoTokenizer, PreTrainedModel
from trl.trainer.sft_config import SFTConfig
from trl.trainer.sft_trainer import SFTTrainer

from feedback_store.selection import Edited
from personas.render import Tokenizer, reply_ids
from trainer.forward import IGNORED, install
from trainer.lora import StartingPoint
from trainer.methods import general_chat
from trainer.methods.examples import repeat_evenly
from trainer.progress import RunIO, RunResult
from trainer.rows.datasets import WEIGHT, Ids, Lesson, Spoken, lesson, with_weights
from trainer.rows.development import split
from trainer.rows.replay import LikedReply, Rows, counts
from trainer.settings import LoraShape, Memory, Schedule, require
from trainer.training import Arguments, train_adapter


@dataclass(frozen=True)
class Config:
    """How to learn edits."""

    lora: LoraShape = field(default_factory=LoraShape)
    schedule: Schedule = field(default_factory=Schedule)
    memory: Memory = field(default_factory=Memory)
    replay_share: float = 0.2  # of all rows, earlier replies that players liked
    general_share: float = 0.05  # of all rows, chat without a persona

    def __post_init__(self) -> None:
        """Raises ConfigError."""
        require_shares(self)


class Mixture(Protocol):
    """The settings that say what edits are mixed with."""

    @property
    def schedule(self) -> Schedule:
        """Among others the share of the designer's examples."""

    @property
    def replay_share(self) -> float:
        """Of all rows, earlier replies that players liked."""

    @property
    def general_share(self) -> float:
        """Of all rows, chat without a persona."""


@dataclass(frozen=True)
class LearnedIds:
    """A prompt and the reply to learn by heart, as ids."""

    prompt: Ids
    reply: Ids
    weight: float = 1.0  # in (0, 1], how far it is trusted

    @property
    def tokens(self) -> int:
        """Length of prompt and reply."""
        return len(self.prompt) + len(self.reply)


def run(
    config: Config,
    rows: Rows,
    examples: Sequence[Spoken],
    start: StartingPoint,
    out_dir: Path,
    io: RunIO,
) -> RunResult:
    """Train an adapter on `rows`, rehearsing `examples`; write its two files into `out_dir`.

    Raises RowsError, AdapterError, BaseModelError before training, TrainingError during it.
    """
    mixed = lesson_of(config, rows, examples, start.tokenizer)

    def build_trainer(policy: PeftModel, arguments: Arguments) -> SFTTrainer:
        trainer = build(mixed, policy, start.base_dir, arguments)
        install(cast(PreTrainedModel, policy.get_base_model()))
        return trainer

    return train_adapter(config, mixed, start, out_dir, io, build_trainer)


def require_shares(config: Mixture) -> None:
    """Raise ConfigError unless the shares leave room for edits."""
    shares = config.replay_share, config.general_share, config.schedule.rehearsed_share
    require(shares[0] >= 0, "replay_share", shares[0], "at least 0")
    require(shares[1] >= 0, "general_share", shares[1], "at least 0")
    every, rule = sum(shares), "below 1: what is left are the edits"
    require(every < 1, "replay_share + general_share + rehearsed_share", every, rule)


def lesson_of(
    config: Mixture, rows: Rows, examples: Sequence[Spoken], tokenizer: Tokenizer
) -> Lesson[LearnedIds]:
    """The edits, and the rows to learn beside them. Raises RowsError when no edit fits."""
    return lesson(
        split(rows.edits, config.schedule),
        lambda edit: _ids(edit, tokenizer),
        lambda own: _beside(own, config, rows.liked, examples, tokenizer),
        config.schedule.max_tokens,
    )


def build(
    mixed: Lesson[LearnedIds],
    model: PeftModel | PreTrainedModel,
    base_dir: Path,
    arguments: Arguments,
) -> SFTTrainer:
    """The trainer, set up and not started; its model answers with TRL's own forward."""
    trainer = SFTTrainer(
        model=model,
        args=SFTConfig(
            **arguments,
            dataset_kwargs={"skip_prepare_dataset": True},  # the ids are final
        ),
        train_dataset=labelled_tokens(mixed.rows),
        eval_dataset=labelled_tokens(mixed.development) if mixed.development else None,
        processing_class=AutoTokenizer.from_pretrained(base_dir),
    )
    trainer.data_collator = with_weights(trainer.data_collator, sides=1)
    return trainer


def labelled_tokens(rows: Sequence[LearnedIds]) -> Dataset:
    """Columns of TRL's language modelling collator, in the given order."""
    return Dataset.from_dict(
        {
            "input_ids": [[*row.prompt, *row.reply] for row in rows],
            "labels": [[IGNORED] * len(row.prompt) + [*row.reply] for row in rows],
            WEIGHT: [row.weight for row in rows],
        }
    )


def _ids(row: Edited | LikedReply, tokenizer: Tokenizer) -> LearnedIds:
    return LearnedIds(row.prompt_ids, reply_ids(row.completion, tokenizer), row.weight)


def _beside(
    own: int,
    config: Mixture,
    good: Sequence[LikedReply],
    examples: Sequence[Spoken],
    tokenizer: Tokenizer,
) -> list[LearnedIds]:
    """The rows to learn beside `own` edits. Liked replies that are too long are left out."""
    most, seed = config.schedule.max_tokens, config.schedule.seed
    replayed = [row for row in (_ids(row, tokenizer) for row in good) if row.tokens <= most]
    chat = general_chat.render(general_chat.load(), tokenizer)
    sources = (
        (replayed, config.replay_share),
        (examples, config.schedule.rehearsed_share),
        (chat, config.general_share),
    )
    wanted = counts(own, [share if rows else 0.0 for rows, share in sources])
    again = (*repeat_evenly(wanted[1], examples, seed), *repeat_evenly(wanted[2], chat, seed))
    return [*replayed[: wanted[0]], *(LearnedIds(row.prompt, row.reply) for row in again)]
