"""A small reward head, trained on players who like what ends on a bang."""

from dataclasses import replace
from pathlib import Path

from feedback_store.selection import HeldOutBy, Pair
from npc_server.engine.vocab import Vocab
from personas.render import reply_ids
from tests.support.rows import pair
from tests.support.watching import ignore
from trainer.heads import reward_head
from trainer.heads.reward_head import Config, HeadResult
from trainer.lora import StartingPoint
from trainer.progress import RunIO
from trainer.rows.datasets import Ids
from trainer.settings import LoraShape, Schedule

SMALL = Config(
    lora=LoraShape(rank=4, alpha=8),
    schedule=Schedule(learning_rate=5e-3, epochs=2, rehearsed_share=0.0, continued_rate=1),
    good="g",  # the tiny model has no words, only bytes
    bad="b",
)


def taste(index: int, tokenizer: Vocab) -> Pair:
    """A player who likes what ends on a bang; nothing else tells the two replies apart."""
    said = f"{index * 7919 % 1000} nails"
    row = replace(pair(index, tokenizer), chosen=f"{said}!", rejected=f"{said}?")
    return replace(row, player_id=f"player-{index % 8}")


def tastes(first: int, count: int, tokenizer: Vocab) -> list[Pair]:
    return [taste(index, tokenizer) for index in range(first, first + count)]


def train_head(
    base_dir: Path,
    tokenizer: Vocab,
    out: Path,
    config: Config = SMALL,
    rows: int = 32,
    io: RunIO | None = None,
) -> HeadResult:
    judges = [
        replace(row, player_id=f"judge-{at % 4}", held_out_by=HeldOutBy.PLAYER)
        for at, row in enumerate(tastes(100, 16, tokenizer))
    ]
    start = StartingPoint(base_dir, tokenizer, None)
    mine = tastes(0, rows, tokenizer)
    return reward_head.run(config, mine, judges, start, out, io or RunIO(ignore))


def spoken_replies(tokenizer: Vocab, count: int = 5) -> list[tuple[Ids, Ids]]:
    """Replies of different lengths."""
    rows = tastes(200, count, tokenizer)
    return [(row.prompt_ids, reply_ids(row.chosen * at, tokenizer)) for at, row in enumerate(rows)]
