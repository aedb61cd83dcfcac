"""What rehearsing promises: examples as served, an even share, and no preference."""

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from npc_server.engine.vocab import Vocab
from personas.persona import Persona
from personas.persona_files import SAMPLE_CHARACTERS, load_character
from personas.render import prompt, reply_ids
from tests.support.rows import pairs, thumbs
from tests.support.unstarted import on_pairs
from tests.support.watching import ignore
from trainer.lora import StartingPoint
from trainer.methods import dpo, kto
from trainer.methods.examples import rehearsals, rehearsed_beside
from trainer.progress import RunIO
from trainer.rows.datasets import Spoken, rehearsed_pair
from trainer.settings import LoraShape, Schedule

SCHEDULE = Schedule(batch_rows=4, micro_batch_rows=4, rehearsed_share=0.25)
LORA = LoraShape(rank=4, alpha=8)
LINES = tuple(Spoken((1, 2, number), (number,)) for number in range(3, 8))


@pytest.fixture
def mira() -> Persona:
    return load_character(SAMPLE_CHARACTERS / "mira")


def test_an_example_is_rehearsed_as_it_would_be_served(mira: Persona, tokenizer: Vocab) -> None:
    spoken = rehearsals(mira, tokenizer, max_tokens=4096)
    assert len(spoken) == len(mira.examples)
    example = mira.examples[0]
    assert spoken[0].prompt == prompt(mira, (), example.player, tokenizer, 4096).ids
    assert spoken[0].reply == reply_ids(example.reply, tokenizer)


def test_examples_that_stand_in_the_prompt_are_not_rehearsed(
    mira: Persona, tokenizer: Vocab
) -> None:
    shown = mira.model_copy(update={"examples_in_prompt": 2})
    assert len(rehearsals(shown, tokenizer, 4096)) == len(mira.examples) - 2


@pytest.mark.parametrize(("rows", "expected"), [(0, 0), (3, 1), (12, 4), (58, 19), (600, 200)])
def test_examples_make_up_their_share_of_all_rows(rows: int, expected: int) -> None:
    assert len(rehearsed_beside(rows, LINES, 0.25, seed=0)) == expected


def test_every_example_comes_about_as_often(mira: Persona) -> None:
    counts = Counter(rehearsed_beside(58, LINES, 0.25, seed=0))
    assert len(counts) == len(LINES)
    assert max(counts.values()) - min(counts.values()) <= 1


def test_a_persona_without_examples_rehearses_nothing() -> None:
    assert rehearsed_beside(58, (), 0.25, seed=0) == ()


def test_a_rehearsed_pair_prefers_nothing(base_dir: Path, tokenizer: Vocab, tmp_path: Path) -> None:
    schedule = replace(SCHEDULE, rehearsed_share=0.0)
    config = dpo.Config(lora=LORA, schedule=schedule, sft_weight=0)
    rows = [rehearsed_pair(Spoken((5, 6, number), (7, number))) for number in range(8, 12)]
    start = StartingPoint(base_dir, tokenizer, None)
    trainer: Any = on_pairs(config, rows, start, tmp_path)
    batch = next(iter(trainer.get_train_dataloader()))
    trainer.compute_loss(trainer.model, batch).backward()
    gradients = [weight.grad for weight in trainer.model.parameters() if weight.grad is not None]
    assert gradients
    assert all(torch.count_nonzero(gradient) == 0 for gradient in gradients)


def test_pairs_are_trained_beside_rehearsed_examples(
    base_dir: Path, tokenizer: Vocab, tmp_path: Path
) -> None:
    start = StartingPoint(base_dir, tokenizer, None)
    config = dpo.Config(lora=LORA, schedule=SCHEDULE)
    result = dpo.run(config, pairs(12, tokenizer), LINES, start, tmp_path / "out", RunIO(ignore))
    assert (result.rows, result.steps) == (12, 4)  # twelve rows and four rehearsals


def test_thumbs_are_trained_beside_rehearsed_examples(
    base_dir: Path, tokenizer: Vocab, tmp_path: Path
) -> None:
    start = StartingPoint(base_dir, tokenizer, None)
    config = kto.Config(lora=LORA, schedule=SCHEDULE)
    result = kto.run(config, thumbs(6, 6, tokenizer), LINES, start, tmp_path / "out", RunIO(ignore))
    assert (result.rows, result.steps) == (12, 4)
