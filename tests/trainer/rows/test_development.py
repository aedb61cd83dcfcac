"""Who is set aside to stop training by: whole players, about a tenth, the same for a seed."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from feedback_store.selection import Pair
from npc_server.engine.vocab import Vocab
from tests.support.rows import pairs
from tests.support.watching import ignore
from trainer.errors import RowsError
from trainer.lora import StartingPoint
from trainer.methods import dpo
from trainer.progress import RunIO
from trainer.rows.development import split
from trainer.settings import LoraShape, Schedule


@dataclass(frozen=True)
class Row:
    player_id: str
    number: int


def rows_of(counts: Sequence[int]) -> list[Row]:
    """So many rows of each player, mixed."""
    rows = [Row(f"player-{who}", n) for who, count in enumerate(counts) for n in range(count)]
    return sorted(rows, key=lambda row: row.number)


@pytest.mark.parametrize("seed", range(5))
def test_about_a_tenth_is_set_aside_by_whole_players(seed: int) -> None:
    rows = rows_of([5] * 40)
    parts = split(rows, Schedule(patience=1, seed=seed))
    assert len(parts.development) == 20
    players = [{row.player_id for row in side} for side in (parts.train, parts.development)]
    assert not players[0] & players[1]
    assert Counter((*parts.train, *parts.development)) == Counter(rows)


def test_the_seed_chooses_the_players() -> None:
    rows = rows_of([5] * 40)
    chosen = [split(rows, Schedule(patience=1, seed=seed)).development for seed in (0, 0, 1)]
    assert chosen[0] == chosen[1] != chosen[2]


def test_the_smallest_player_is_set_aside_when_all_are_large() -> None:
    parts = split(rows_of([30, 10, 60]), Schedule(patience=1))
    assert {row.player_id for row in parts.development} == {"player-1"}


def test_without_patience_everyone_is_trained_on() -> None:
    rows = rows_of([3])
    assert split(rows, Schedule()).train == tuple(rows)
    assert split(rows, Schedule()).development == ()


def test_one_player_alone_cannot_be_set_aside() -> None:
    with pytest.raises(RowsError, match=r"patience is 1, .* the rows come from 1;"):
        split(rows_of([9]), Schedule(patience=1))


def test_training_stops_when_it_helps_nobody_else_and_keeps_the_best_step(
    base_dir: Path, tokenizer: Vocab, tmp_path: Path
) -> None:
    schedule = Schedule(learning_rate=0.01, epochs=10, patience=2, rehearsed_share=0.0)
    rows = pairs(12, tokenizer)
    aside = split(rows, schedule).development
    contrary = [_turned(row) if row in aside else row for row in rows]
    config = dpo.Config(LoraShape(rank=4, alpha=8), schedule)
    start = StartingPoint(base_dir, tokenizer, None)
    result = dpo.run(config, contrary, (), start, tmp_path / "a", RunIO(ignore))
    losses = [evaluation.loss for evaluation in result.evaluations]
    best = losses.index(min(losses))
    assert len(losses) == best + 3 < 10
    assert result.kept_step == result.evaluations[best].step
    assert result.evaluations[-1].step == result.steps
    assert (result.rows, result.development_rows) == (12 - len(aside), len(aside))


def _turned(row: Pair) -> Pair:
    return replace(row, chosen=row.rejected, rejected=row.chosen)
