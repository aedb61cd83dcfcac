"""How far an adapter moved the model's language."""

import math
from pathlib import Path

import pytest
import torch
from torch.nn import functional

from npc_server.engine.vocab import Vocab
from tests.support.watching import ignore
from trainer.divergence import next_log_probs
from trainer.examination.drift import general_text, general_windows, measure_drift
from trainer.lora import load_base, load_voice


def test_a_trained_adapter_is_away_from_the_base_and_the_base_is_not(
    base_dir: Path, adapter: Path, tokenizer: Vocab
) -> None:
    drift = measure_drift(base_dir, None, adapter, tokenizer, ignore)
    assert drift.incumbent_kl == 0
    assert drift.candidate_kl > 1e-4
    assert drift.incumbent_perplexity == drift.base_perplexity != drift.candidate_perplexity


def test_two_equal_voices_are_equally_far(base_dir: Path, adapter: Path, tokenizer: Vocab) -> None:
    drift = measure_drift(base_dir, adapter, adapter, tokenizer, ignore)
    assert drift.incumbent_kl == drift.candidate_kl
    assert drift.incumbent_perplexity == drift.candidate_perplexity


def test_numbers_are_those_of_the_textbook(base_dir: Path, adapter: Path, tokenizer: Vocab) -> None:
    windows = general_windows(tokenizer)
    drift = measure_drift(base_dir, None, adapter, tokenizer, ignore)
    base, voice = load_base(base_dir), load_voice(base_dir, adapter)
    divergence = surprise = 0.0
    for window in windows:
        own, before = next_log_probs(voice, window), next_log_probs(base, window)
        divergence += float(functional.kl_div(before, own, log_target=True, reduction="sum"))
        ids = torch.tensor([window])
        with torch.inference_mode():
            surprise += float(voice(input_ids=ids, labels=ids).loss) * (len(window) - 1)
    assert drift.tokens == sum(map(len, windows))
    assert drift.candidate_kl == pytest.approx(divergence / drift.tokens, rel=1e-4)
    positions = drift.tokens - len(windows)
    assert drift.candidate_perplexity == pytest.approx(math.exp(surprise / positions), 1e-4)


def test_the_text_is_plain_prose_of_a_fair_length() -> None:
    assert 1000 < len(general_text().split()) < 2000
    assert general_text().isascii()
