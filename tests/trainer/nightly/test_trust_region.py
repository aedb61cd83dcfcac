"""What keeps an adapter near the base: near enough, no nearer than asked, else untouched."""

from pathlib import Path

import pytest

from npc_server.engine.vocab import Vocab
from personas.adapter_repo import content_hash
from tests.support.rows import pairs
from tests.support.watching import ignore
from trainer.divergence import plain_text
from trainer.examination.drift import general_text
from trainer.lora import StartingPoint
from trainer.methods import dpo
from trainer.nightly.trust_region import keep_near
from trainer.progress import RunIO
from trainer.records.entries import Nearness
from trainer.settings import LoraShape, Schedule

FAR = dpo.Config(
    lora=LoraShape(rank=4, alpha=8),
    schedule=Schedule(learning_rate=0.01, epochs=2, rehearsed_share=0),
)
FOREVER = 1e9


def phrases(text: str) -> set[tuple[str, ...]]:
    """All runs of five words."""
    words = text.lower().split()
    return set(zip(*(words[at:] for at in range(5)), strict=False))


@pytest.fixture
def adapter(start: StartingPoint, tokenizer: Vocab, tmp_path: Path) -> Path:
    """An adapter that was trained at a high rate."""
    return dpo.run(FAR, pairs(8, tokenizer), (), start, tmp_path / "a", RunIO(ignore)).adapter


def test_an_adapter_that_is_near_keeps_its_bytes(adapter: Path, start: StartingPoint) -> None:
    before = content_hash(adapter)
    found = keep_near(adapter, start, FOREVER)
    assert found.scale == 1
    assert content_hash(adapter) == before


def test_one_that_is_too_far_ends_just_inside(adapter: Path, start: StartingPoint) -> None:
    trained_kl = keep_near(adapter, start, FOREVER).trained_kl
    found = keep_near(adapter, start, trained_kl / 4)
    assert found.trained_kl == trained_kl
    assert 0.1 < found.scale < 0.9
    after = keep_near(adapter, start, FOREVER).trained_kl
    assert 0.6 * trained_kl / 4 < after <= trained_kl / 4


def test_the_same_adapter_is_scaled_to_the_same_bytes(
    adapter: Path, start: StartingPoint, tokenizer: Vocab, tmp_path: Path
) -> None:
    again = dpo.run(FAR, pairs(8, tokenizer), (), start, tmp_path / "b", RunIO(ignore)).adapter
    limit = keep_near(adapter, start, FOREVER).trained_kl / 2
    keep_near(adapter, start, limit)
    keep_near(again, start, limit)
    assert content_hash(adapter) == content_hash(again)


def test_the_text_of_the_gate_is_not_looked_at() -> None:
    own, gates = (phrases(text) for text in (plain_text(), general_text()))
    assert own
    assert own & gates == set()


def test_a_reader_is_told_whether_anything_was_taken_back() -> None:
    assert Nearness(0.06, 1).text == "0.060 nats per token from the base; kept"
    assert Nearness(0.21, 0.84).text.endswith("scaled to 0.84 to stay near")
