"""Snapshot rows as the token ids TRL trains on: exactly those of `personas.render`.

TRL would tokenize text itself, with the model's chat template: other ids than the served ones, and
a control token typed by a player would become real. Its collators read only the columns
`prompt_ids`, `chosen_ids`, `rejected_ids` (DPO) or `prompt_ids`, `completion_ids`,
`KL_completion_ids`, `label` (KTO), so those are passed ready-made, and `FinalIds` keeps the
trainers from changing them.

A row longer than the limit would be cut by TRL in silence; here it is refused and counted. TRL has
no weight per row either: how far a row is trusted is a further column, which `with_weights` puts
into the batch and `trainer.forward` applies.
"""

import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import torch
from datasets import Dataset  # type: ignore[import-untyped]  # ships no types

from feedback_store.selection import Labelled, Pair
from personas.render import Tokenizer, reply_ids
from trainer.errors import RowsError
from trainer.rows.development import PlayerRow, Split

Ids = tuple[int, ...]
Batch = dict[str, Any]

WEIGHT = "weight"  # the column


@dataclass(frozen=True)
class Spoken:
    """A prompt and the reply to learn by heart, as ids."""

    prompt: Ids
    reply: Ids


@dataclass(frozen=True)
class PairIds:
    """A preference pair as ids."""

    prompt: Ids
    chosen: Ids
    rejected: Ids
    weight: float = 1.0  # in (0, 1], how far it is trusted

    @property
    def tokens(self) -> int:
        """Length of the longer side with its prompt."""
        return len(self.prompt) + max(len(self.chosen), len(self.rejected))


@dataclass(frozen=True)
class LabelledIds:
    """A labelled reply as ids."""

    prompt: Ids
    completion: Ids
    desirable: bool
    weight: float = 1.0  # in (0, 1], how far it is trusted

    @property
    def tokens(self) -> int:
        """Length of prompt and reply."""
        return len(self.prompt) + len(self.completion)


class Row(Protocol):
    """A training row as ids: a frozen dataclass, because its repr goes into a training's name."""

    @property
    def tokens(self) -> int:
        """Its length with the prompt."""


SourceT = TypeVar("SourceT", bound=PlayerRow)
RowT = TypeVar("RowT", bound=Row)


@dataclass(frozen=True)
class Fitting(Generic[RowT]):
    """The rows within the limit, and how many were above it."""

    rows: tuple[RowT, ...]
    refused_too_long: int


@dataclass(frozen=True)
class Lesson(Generic[RowT]):
    """The rows of one training."""

    rows: tuple[RowT, ...]  # trained on, in this order
    development: tuple[RowT, ...]  # to stop early by; () = train to the end
    feedback_rows: int  # of `rows`, those of players; the others are rehearsed
    refused_too_long: int


def lesson(
    split: Split[SourceT],
    to_ids: Callable[[SourceT], RowT],
    rehearsed: Callable[[int], Iterable[RowT]],
    max_tokens: int,
) -> Lesson[RowT]:
    """Players' rows as ids, and `rehearsed(count)` rows beside them. Raises RowsError."""
    train = fitting(map(to_ids, split.train), max_tokens)
    aside = fitting(map(to_ids, split.development), max_tokens) if split.development else None
    return Lesson(
        rows=(*train.rows, *rehearsed(len(train.rows))),
        development=aside.rows if aside else (),
        feedback_rows=len(train.rows),
        refused_too_long=train.refused_too_long + (aside.refused_too_long if aside else 0),
    )


def pair_ids(pair: Pair, tokenizer: Tokenizer) -> PairIds:
    """One pair, rendered as it would be served."""
    chosen, rejected = (reply_ids(text, tokenizer) for text in (pair.chosen, pair.rejected))
    return PairIds(pair.prompt_ids, chosen, rejected, pair.weight)


def rehearsed_pair(spoken: Spoken) -> PairIds:
    """A pair that prefers nothing: with equal sides only the supervised term has a gradient.

    In TRL's log it counts as a margin of zero and as not accurate.
    """
    return PairIds(spoken.prompt, spoken.reply, spoken.reply)


def rehearsed_label(spoken: Spoken) -> LabelledIds:
    """A reply that is good because the designer wrote it."""
    return LabelledIds(spoken.prompt, spoken.reply, desirable=True)


def labelled_ids(row: Labelled, tokenizer: Tokenizer) -> LabelledIds:
    """One labelled reply, rendered as it would be served."""
    completion = reply_ids(row.completion, tokenizer)
    return LabelledIds(row.prompt_ids, completion, row.desirable, row.weight)


def fitting(rows: Iterable[RowT], max_tokens: int) -> Fitting[RowT]:
    """Keep the rows of at most `max_tokens`. RowsError when there are none."""
    every = tuple(rows)
    kept = tuple(row for row in every if row.tokens <= max_tokens)
    if not kept:
        raise RowsError(f"none of the {len(every)} rows fits max_tokens={max_tokens}")
    return Fitting(kept, len(every) - len(kept))


class FinalIds:
    """Keeps one of TRL's trainers, mixed with it, from tokenizing its dataset again."""

    def _prepare_dataset(self, dataset: Any, *_: Any, **__: Any) -> Any:
        return dataset


def pair_dataset(rows: Sequence[PairIds]) -> Dataset:
    """Columns of TRL's preference collator, in the given order."""
    return Dataset.from_dict(
        {
            "prompt_ids": [row.prompt for row in rows],
            "chosen_ids": [row.chosen for row in rows],
            "rejected_ids": [row.rejected for row in rows],
            WEIGHT: [row.weight for row in rows],
        }
    )


def labelled_dataset(rows: Sequence[LabelledIds], micro_batch_rows: int) -> Dataset:
    """Columns of TRL's unpaired collator, in the given order.

    KTO measures drift on replies under prompts they do not answer: within a micro-batch each
    prompt gets its neighbour's reply. A lone last row takes it from the micro-batch before.
    """
    return Dataset.from_dict(
        {
            "prompt_ids": [row.prompt for row in rows],
            "completion_ids": [row.completion for row in rows],
            "KL_completion_ids": [
                rows[_neighbour(index, len(rows), micro_batch_rows)].completion
                for index in range(len(rows))
            ],
            "label": [row.desirable for row in rows],
            WEIGHT: [row.weight for row in rows],
        }
    )


def with_weights(
    collate: Callable[[list[Any]], Batch], sides: int
) -> Callable[[list[dict[str, Any]]], Batch]:
    """TRL's collator, with a weight per line of the batch: first sides first."""

    def collate_with_weights(rows: list[dict[str, Any]]) -> Batch:
        weights = [float(row[WEIGHT]) for row in rows]
        return {**collate(rows), "weights": torch.tensor(weights * sides)}

    return collate_with_weights


def interleaved(rows: Sequence[LabelledIds], seed: int) -> tuple[LabelledIds, ...]:
    """Shuffle the rows, good and bad ones spread evenly: KTO trains in file order.

    Raises RowsError unless both kinds are there: weights and drift need both.
    """
    shuffled = random.Random(seed).sample(list(rows), len(rows))
    good = [row for row in shuffled if row.desirable]
    bad = [row for row in shuffled if not row.desirable]
    if not good or not bad:
        raise RowsError(
            f"labelled training needs good and bad replies; there are {len(good)} and {len(bad)}"
        )
    placed = [*_spread(good), *_spread(bad)]
    return tuple(row for _, row in sorted(placed, key=lambda at: at[0]))


def _spread(rows: Sequence[LabelledIds]) -> list[tuple[float, LabelledIds]]:
    return [((index + 0.5) / len(rows), row) for index, row in enumerate(rows)]


def _neighbour(index: int, count: int, micro_batch_rows: int) -> int:
    """The row before, wrapping within the micro-batch."""
    first = index - index % micro_batch_rows
    last = min(first + micro_batch_rows, count) - 1
    if index > first or last == first:
        return index - 1
    return last
