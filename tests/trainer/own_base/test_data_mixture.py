"""What several characters learn together, and that none of them dominates."""

from dataclasses import replace
from pathlib import Path

import pytest

from feedback_store.selection import Snapshot
from npc_server.engine.vocab import Vocab
from tests.support.rows import snapshot
from tests.support.watching import ignore
from trainer.lora import StartingPoint
from trainer.methods import sft
from trainer.own_base.data_mixture import even_parts, mix, round_robin
from trainer.progress import RunIO
from trainer.rows.replay import Rows
from trainer.settings import LoraShape, Schedule

LORA = LoraShape(rank=4, alpha=8)
SCHEDULE = Schedule(learning_rate=5e-3, batch_rows=4, micro_batch_rows=4)


@pytest.fixture
def snapshots(tokenizer: Vocab) -> dict[str, Snapshot]:
    """Bo has sixteen edits, Ada four; nobody else was corrected."""
    bo, ada = (snapshot(tokenizer, edits=count, good=2) for count in (16, 4))
    theirs = tuple(replace(row, player_id=f"of ada {row.player_id}") for row in ada.train_edits)
    return {"bo": bo, "ada": replace(ada, train_edits=theirs), "cy": snapshot(tokenizer)}


def test_every_character_has_an_equal_part(snapshots: dict[str, Snapshot]) -> None:
    edits = mix(snapshots).edits
    of_ada = [row for row in edits if row.player_id.startswith("of ada")]
    assert (len(edits), len(of_ada)) == (16, 8)  # eight: four times two, sixteen by two


def test_the_order_of_characters_does_not_matter(snapshots: dict[str, Snapshot]) -> None:
    assert mix(snapshots) == mix(dict(reversed(snapshots.items())))


def test_liked_replies_come_in_turn() -> None:
    assert round_robin(["abc", "x", ""]) == ("a", "x", "b", "c")


def test_nobody_has_rows() -> None:
    assert even_parts([(), ()]) == ()


def test_each_character_goes_on_from_what_all_learned(
    snapshots: dict[str, Snapshot], base_dir: Path, tokenizer: Vocab, tmp_path: Path
) -> None:
    config = sft.Config(lora=LORA, schedule=SCHEDULE, general_share=0)
    bare = StartingPoint(base_dir, tokenizer, None)
    first = sft.run(config, mix(snapshots), (), bare, tmp_path / "all", RunIO(ignore))
    alone, after = (
        sft.run(
            config,
            Rows(snapshots["ada"].train_edits),
            (),
            StartingPoint(base_dir, tokenizer, parent),
            tmp_path / name,
            RunIO(ignore),
        )
        for name, parent in (("alone", None), ("after", first.adapter))
    )
    assert after.history[0].loss < alone.history[0].loss
