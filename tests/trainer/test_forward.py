"""The cheaper forward gives TRL's numbers and gradients."""

from pathlib import Path

import pytest
import torch
from torch import Tensor
from transformers import PreTrainedModel
from trl.trainer.dpo_trainer import DataCollatorForPreference
from trl.trainer.utils import add_fused_lm_head

from npc_server.engine.llama import Vocab
from tests.trainer.rows import pairs
from trainer.datasets import pair_ids
from trainer.forward import IGNORED, install
from trainer.lora import load_base


@pytest.fixture
def batch(tokenizer: Vocab) -> dict[str, Tensor]:
    ready = [pair_ids(row, tokenizer) for row in pairs(4, tokenizer)]
    rows = [
        {"prompt_ids": [*r.prompt], "chosen_ids": [*r.chosen], "rejected_ids": [*r.rejected]}
        for r in ready
    ]
    made: dict[str, Tensor] = DataCollatorForPreference(pad_token_id=0)(rows)
    made["labels"] = made["input_ids"].masked_fill(made.pop("completion_mask") == 0, IGNORED)
    return made


def _scored(base_dir: Path, batch: dict[str, Tensor], cheaply: bool) -> tuple[Tensor, Tensor]:
    """Log-probabilities of the labels, and the first layer's gradient of their sum."""
    model = load_base(base_dir)
    add_fused_lm_head(model)
    if cheaply:
        install(model)
    log_probs = model(**batch, fused_lm_head=True).log_probs
    log_probs.sum().backward()
    return log_probs.detach(), _first_gradient(model)


def _first_gradient(model: PreTrainedModel) -> Tensor:
    gradient = model.get_parameter("model.layers.0.self_attn.q_proj.weight").grad
    assert gradient is not None
    return gradient


def test_cheaper_forward_gives_the_same_numbers_and_gradients(
    base_dir: Path, batch: dict[str, Tensor]
) -> None:
    plain, plain_gradient = _scored(base_dir, batch, cheaply=False)
    cheap, cheap_gradient = _scored(base_dir, batch, cheaply=True)
    torch.testing.assert_close(cheap, plain, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(cheap_gradient, plain_gradient, rtol=1e-4, atol=1e-4)


def test_other_calls_are_untouched(base_dir: Path, batch: dict[str, Tensor]) -> None:
    model = load_base(base_dir)
    before = model(input_ids=batch["input_ids"]).logits
    add_fused_lm_head(model)
    install(model)
    assert torch.equal(model(input_ids=batch["input_ids"]).logits, before)


def test_a_sliding_window_keeps_the_plain_forward(base_dir: Path) -> None:
    model = load_base(base_dir)
    model.config.sliding_window = 64
    plain = model.forward
    install(model)
    assert model.forward == plain
