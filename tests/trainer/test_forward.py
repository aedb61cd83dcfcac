"""The cheaper forward gives TRL's numbers and gradients."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import PreTrainedModel
from trl.trainer.dpo_trainer import DataCollatorForPreference
from trl.trainer.utils import add_fused_lm_head

from npc_server.engine.vocab import Vocab
from tests.support.model_families import FAMILIES, Family, make_model
from tests.support.rows import pairs
from trainer.forward import IGNORED, install, scale_gradients
from trainer.lora import load_base
from trainer.rows.datasets import pair_ids
from trainer.settings import Memory


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


def _scored(
    model: PreTrainedModel, batch: dict[str, Tensor], memory: Memory | None = None
) -> tuple[Tensor, Tensor]:
    """Log-probabilities of the labels, and the first layer's gradient of their sum.

    `memory` None leaves TRL's own forward.
    """
    add_fused_lm_head(model)
    if memory is not None:
        install(model)
    log_probs = model(**batch, fused_lm_head=True).log_probs
    log_probs.sum().backward()
    return log_probs.detach(), _first_gradient(model)


def _first_gradient(model: PreTrainedModel) -> Tensor:
    gradient = model.get_parameter("model.layers.0.self_attn.q_proj.weight").grad
    assert gradient is not None
    return gradient


@pytest.mark.parametrize("checkpointing", [False, True], ids=["shared", "checkpointed"])
def test_cheaper_forward_gives_the_same_numbers_and_gradients(
    base_dir: Path, batch: dict[str, Tensor], checkpointing: bool
) -> None:
    plain, plain_gradient = _scored(load_base(base_dir), batch)
    model: Any = load_base(base_dir)
    if checkpointing:
        model.gradient_checkpointing_enable()
        model.train()
    cheap, cheap_gradient = _scored(model, batch, Memory(gradient_checkpointing=checkpointing))
    torch.testing.assert_close(cheap, plain, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(cheap_gradient, plain_gradient, rtol=1e-4, atol=1e-4)


#: One whose layers all see everything, and whose logits are bounded.
CAPPED = replace(
    FAMILIES["Gemma 3"],
    config={
        **FAMILIES["Gemma 3"].config,
        "layer_types": ["full_attention"] * 7,
        "final_logit_softcapping": 3.0,
    },
)


@pytest.mark.parametrize("family", [*FAMILIES.values(), CAPPED], ids=lambda f: f.name)
def test_every_family_gets_the_same_numbers(family: Family, batch: dict[str, Tensor]) -> None:
    found = []
    for cheaply in (False, True):
        model = make_model(family)
        add_fused_lm_head(model)
        if cheaply:
            install(model)
        with torch.no_grad():
            found.append(model(**batch, fused_lm_head=True).log_probs)
    torch.testing.assert_close(*found, rtol=1e-4, atol=1e-4)


def test_other_calls_are_untouched(base_dir: Path, batch: dict[str, Tensor]) -> None:
    model = load_base(base_dir)
    before = model(input_ids=batch["input_ids"]).logits
    add_fused_lm_head(model)
    install(model)
    assert torch.equal(model(input_ids=batch["input_ids"]).logits, before)


def test_a_sliding_window_keeps_the_plain_forward(base_dir: Path, batch: dict[str, Tensor]) -> None:
    plain, _ = _scored(load_base(base_dir), batch)
    model = load_base(base_dir)
    model.config.sliding_window = 64
    kept, _ = _scored(model, batch, Memory())
    assert torch.equal(kept, plain)


@pytest.mark.parametrize("window", [None, 64], ids=["ours", "plain"])
def test_a_rows_weight_scales_its_gradient_and_no_number(
    base_dir: Path, batch: dict[str, Tensor], window: int | None
) -> None:
    gradients, values = [], []
    for weight in (1.0, 0.5):
        model = load_base(base_dir)
        model.config.sliding_window = window
        add_fused_lm_head(model)
        install(model)
        weights = torch.full((len(batch["input_ids"]),), weight)
        log_probs: Tensor = model(**batch, weights=weights, fused_lm_head=True).log_probs
        torch.autograd.backward(log_probs.sum())
        values.append(log_probs.detach())
        gradients.append(_first_gradient(model))
    assert torch.equal(*values)
    assert torch.equal(gradients[1], gradients[0] / 2)


def test_each_row_has_its_own_weight() -> None:
    log_probs = torch.tensor([[-1.0, -2.0], [-3.0, -4.0]], requires_grad=True)
    torch.autograd.backward(scale_gradients(log_probs, torch.tensor([0.25, 1.0])).sum())
    assert log_probs.grad is not None
    assert log_probs.grad.tolist() == [[0.25, 0.25], [1.0, 1.0]]
