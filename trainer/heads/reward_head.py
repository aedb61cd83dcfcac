"""Scores any reply by what players like: a reward model that is itself a LoRA adapter.

    start = StartingPoint(ensure_base(gguf, cache), Vocab(gguf), None)
    result = run(Config(), snapshot.train_pairs, snapshot.held_out_pairs, start, out, RunIO(print))
    scores(start.base_dir, out, [(prompt_ids, reply_ids)], print)

A reward model usually is a language model with one more layer, which turns the state at the reply's
last token into a score. Here that layer is frozen: the score is how much more likely the model is
to continue with one fixed word than with another, the logit of " good" minus that of " bad", and
both are rows of the vocabulary that the base has anyway. Only an adapter is trained, until this
difference tells which of two replies players prefer (Bradley and Terry 1952; the loss is -log
sigmoid of chosen minus rejected). So a head is two adapter files like any voice's, and `head.json`,
which names the words. Anything that runs an adapter and reads two logits can score with it: the
engine can hold it in a slot beside the voices, and needs no tensor that llama.cpp does not know.

Scores are in nats and drawn towards zero (Eisenstein 2023); only those of one prompt compare. A
head is worth what it gets right on players it never saw: that is measured here and kept with it.
How far a pair is trusted scales its gradient, as in the other methods. Left out: a margin per pair.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, cast

from datasets import Dataset  # type: ignore[import-untyped]  # ships no types
from peft import PeftModel
from torch import Tensor
from transformers import AutoTokenizer, PreTrainedModel
from transformers.modeling_outputs import SequenceClassifierOutput
from trl.trainer.reward_config import RewardConfig
from trl.trainer.reward_trainer import DataCollatorForPreference, RewardTrainer

from feedback_store.selection import HeldOutBy, Pair
from feedback_store.statistics import Interval
from personas.render import Tokenizer
from personas.reward_heads import Word
from trainer.errors import AdapterError, RowsError
from trainer.forward import last_hidden, scale_gradients
from trainer.heads import head_card
from trainer.heads.agreement import Agreement, JudgedPair, agreement
from trainer.heads.head_card import Card
from trainer.heads.head_scores import Words, score, score_replies
from trainer.held import Device
from trainer.lora import StartingPoint, load_voice
from trainer.progress import OnProgress, RunIO, RunResult, StepMetrics
from trainer.rows.datasets import (
    WEIGHT,
    FinalIds,
    Ids,
    Lesson,
    PairIds,
    lesson,
    pair_ids,
    with_weights,
)
from trainer.rows.development import split
from trainer.settings import LoraShape, Memory, Schedule, require, require_from_base
from trainer.training import Arguments, train_adapter, use_all_cores

FEWEST_PAIRS, FEWEST_HELD_OUT, FEWEST_HELD_OUT_PLAYERS = 20, 8, 2


@dataclass(frozen=True)
class Config:
    """How to train a head."""

    lora: LoraShape = field(default_factory=LoraShape)
    schedule: Schedule = field(
        default_factory=lambda: Schedule(rehearsed_share=0.0, continued_rate=1.0)
    )
    memory: Memory = field(default_factory=Memory)
    good: str = " good"  # one token of the base; its logit counts for a reply
    bad: str = " bad"  # another one; its logit counts against
    centring: float = 0.01  # pull of the two scores' sum towards zero; 0 = none

    def __post_init__(self) -> None:
        """Raises ConfigError."""
        share, centring = self.schedule.rehearsed_share, self.centring
        require(
            share == 0, "rehearsed_share", share, "0 for a reward head: it has no lines to rehearse"
        )
        require_from_base(self.schedule)
        require(0 <= centring <= 1, "centring", centring, "between 0 and 1")


@dataclass(frozen=True)
class HeadResult:
    """A trained head. `adapter` holds its two adapter files and head.json."""

    adapter: Path
    rows: int  # pairs trained on
    held_out_accuracy: float  # share of held-out pairs whose chosen reply scores higher
    held_out_rows: int  # pairs
    interval: Interval  # of the accuracy, 95 %
    steps: int
    train_s: float
    history: tuple[StepMetrics, ...]


class RewardTrainerOnIds(FinalIds, RewardTrainer):
    """TRL's trainer on ids that are final."""


def run(
    config: Config,
    train_pairs: Sequence[Pair],
    held_out_pairs: Sequence[Pair],
    start: StartingPoint,
    out_dir: Path,
    io: RunIO,
) -> HeadResult:
    """Train a head on some players' pairs, judge it by others', write it into `out_dir`, a new one.

    It begins from `start.adapter`, an earlier head or a voice of the same shape. A folder without
    head.json is unfinished. Raises RowsError, ConfigError, AdapterError, BaseModelError before
    training, TrainingError during it.
    """
    judges = _fitting(held_out_pairs, start.tokenizer, config.schedule.max_tokens)
    _require_enough(train_pairs, [pair for pair, _ in judges])
    words = _words(config, start.tokenizer)
    learned = _lesson(config, train_pairs, start.tokenizer)
    taught = train_adapter(
        config,
        learned,
        start,
        out_dir,
        io,
        partial(build, config, learned, words, start.base_dir),
        speaks=False,
    )
    head = load_voice(start.base_dir, out_dir, config.memory.device)
    found = _measure_agreement(head, words, judges)
    head_card.write(_card(config, words, start, taught, found), out_dir)
    return _result(taught, found)


def build(
    config: Config,
    learned: Lesson[PairIds],
    words: Words,
    base_dir: Path,
    policy: PeftModel,
    arguments: Arguments,
) -> RewardTrainerOnIds:
    """The trainer, set up and not started."""
    base = cast(PreTrainedModel, policy.get_base_model())
    base.config.num_labels = 1  # what TRL knows a reward model by
    trainer = RewardTrainerOnIds(
        model=policy,
        args=RewardConfig(
            **arguments,
            center_rewards_coefficient=config.centring or None,
            disable_dropout=False,  # the bases have none, and the adapter's is asked for
        ),
        train_dataset=_dataset(learned.rows),
        eval_dataset=_dataset(learned.development) if learned.development else None,
        # What stands where the mask says nothing is, is not looked at.
        data_collator=with_weights(DataCollatorForPreference(pad_token_id=0), sides=2),
        processing_class=AutoTokenizer.from_pretrained(base_dir),
    )
    _score_instead(base, words)
    return trainer


def scores(
    base_dir: Path,
    head: Path,
    replies: Sequence[tuple[Ids, Ids]],
    on_progress: OnProgress,
    device: Device = Device.AUTO,
) -> tuple[float, ...]:
    """What the head makes of each (prompt, reply), in order. A reply ends with its end token.

    Raises BaseModelError, and AdapterError when `head` is none or belongs to another base.
    """
    card = head_card.read(head)
    if card.base != base_dir.name:
        raise AdapterError(
            f"head {head} was trained on base {card.base}, not on {base_dir.name}; train another"
        )
    use_all_cores()
    model = load_voice(base_dir, head, device)
    return score_replies(model, (card.good, card.bad), replies, on_progress)


def _score_instead(model: PreTrainedModel, words: Words) -> None:
    """Make the causal model look like a classifier with one label, which is what TRL calls."""

    def forward(
        input_ids: Tensor, attention_mask: Tensor, weights: Tensor, **_: Any
    ) -> SequenceClassifierOutput:
        hidden = last_hidden(model, input_ids, attention_mask)
        made = score(model, words, hidden)[:, None]
        return SequenceClassifierOutput(logits=scale_gradients(made, weights))

    model.forward = forward  # the way TRL puts in its own


def _dataset(rows: Sequence[PairIds]) -> Dataset:
    """Columns of TRL's collator for reward models: prompt and reply in one."""
    return Dataset.from_dict(
        {
            "chosen_ids": [row.prompt + row.chosen for row in rows],
            "rejected_ids": [row.prompt + row.rejected for row in rows],
            WEIGHT: [row.weight for row in rows],
        }
    )


def _lesson(config: Config, rows: Sequence[Pair], tokenizer: Tokenizer) -> Lesson[PairIds]:
    schedule = config.schedule
    return lesson(
        split(rows, schedule),
        lambda row: pair_ids(row, tokenizer),
        lambda _: (),
        schedule.max_tokens,
    )


def _words(config: Config, tokenizer: Tokenizer) -> Words:
    found = []
    for name, text in (("good", config.good), ("bad", config.bad)):
        ids = tokenizer.encode(text)
        require(len(ids) == 1, name, repr(text), f"one token of this base, not {len(ids)}")
        found.append(Word(text, ids[0]))
    good, bad = found
    require(good != bad, "bad", repr(bad.text), "another word than the good one")
    return good, bad


def _fitting(
    pairs: Sequence[Pair], tokenizer: Tokenizer, max_tokens: int
) -> tuple[tuple[Pair, PairIds], ...]:
    both = ((pair, pair_ids(pair, tokenizer)) for pair in pairs)
    return tuple((pair, ids) for pair, ids in both if ids.tokens <= max_tokens)


def _require_enough(train: Sequence[Pair], held_out: Sequence[Pair]) -> None:
    """Raises RowsError, also when a player is on both sides who must not be."""
    judges = {pair.player_id for pair in held_out}
    have = (len(train), len(held_out), len(judges))
    need = (FEWEST_PAIRS, FEWEST_HELD_OUT, FEWEST_HELD_OUT_PLAYERS)
    if any(one < least for one, least in zip(have, need, strict=True)):
        raise RowsError(
            "too little for a reward head: {} of {} training pairs, {} of {} held-out pairs, "
            "{} of {} held-out players".format(*chain(*zip(have, need, strict=True)))
        )
    apart = {pair.player_id for pair in held_out if pair.held_out_by is HeldOutBy.PLAYER}
    leaked = sum(not apart.isdisjoint((pair.player_id, pair.rejected_by)) for pair in train)
    if leaked:
        raise RowsError(f"{leaked} of {len(train)} training pairs are of held-out players")


def _measure_agreement(
    head: PreTrainedModel, words: Words, judges: Sequence[tuple[Pair, PairIds]]
) -> Agreement:
    chosen = [(ids.prompt, ids.chosen) for _, ids in judges]
    rejected = [(ids.prompt, ids.rejected) for _, ids in judges]
    made = score_replies(head, words, [*chosen, *rejected], lambda _: None)
    return agreement(
        [
            JudgedPair(pair.player_id, made[at] - made[at + len(judges)])
            for at, (pair, _) in enumerate(judges)
        ]
    )


def _card(
    config: Config, words: Words, start: StartingPoint, taught: RunResult, found: Agreement
) -> Card:
    good, bad = words
    return Card(
        base=start.base_dir.name,
        good=good,
        bad=bad,
        config=asdict(config),
        rows=taught.rows,
        held_out_rows=found.pairs,
        held_out_accuracy=found.share,
        interval=found.interval,
    )


def _result(taught: RunResult, found: Agreement) -> HeadResult:
    return HeadResult(
        adapter=taught.adapter,
        rows=taught.rows,
        held_out_accuracy=found.share,
        held_out_rows=found.pairs,
        interval=found.interval,
        steps=taught.steps,
        train_s=taught.train_s,
        history=taught.history,
    )
