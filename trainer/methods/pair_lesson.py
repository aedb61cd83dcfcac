"""What the methods on pairs learn from: the rows, and the designer's examples beside them.

An example is rehearsed as a pair of equal sides. Their margin is zero and stays so, whatever the
loss makes of margins; what is left of it is the supervised term on its words.
"""

from collections.abc import Sequence

from feedback_store.selection import Pair
from personas.render import Tokenizer
from trainer.methods.examples import beside
from trainer.rows.datasets import Lesson, PairIds, Spoken, lesson, pair_ids, rehearsed_pair
from trainer.rows.development import split
from trainer.settings import Schedule, require


def lesson_of(
    schedule: Schedule, rows: Sequence[Pair], examples: Sequence[Spoken], tokenizer: Tokenizer
) -> Lesson[PairIds]:
    """The pairs, and the examples rehearsed beside them. Raises RowsError."""

    def rehearsed(count: int) -> list[PairIds]:
        said = beside(count, examples, schedule.rehearsed_share, schedule.seed)
        return [rehearsed_pair(spoken) for spoken in said]

    return lesson(
        split(rows, schedule),
        lambda row: pair_ids(row, tokenizer),
        rehearsed,
        schedule.max_tokens,
    )


def require_taught(schedule: Schedule, sft_weight: float) -> None:
    """Raise ConfigError if examples are to be rehearsed and no term of the loss learns them."""
    share = schedule.rehearsed_share
    taught = sft_weight > 0 or share == 0
    require(taught, "rehearsed_share", share, "0 without sft_weight: equal sides teach nothing")
