"""DPO on 8B weights in four bits on one GPU: tokens per second, and peak memory.

The weights are random: speed and memory do not depend on them. Needs a CUDA GPU and some
20 GB of disk; elsewhere it is left out with that reason.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.measures import estimate
from benchmarks.parts import PartResult
from benchmarks.training.rows import pairs
from benchmarks.training.workspace import CHARACTER, Workspace

GIB = 2**30


@dataclass(frozen=True)
class Width:
    """The size of a llama model."""

    hidden: int
    inner: int
    layers: int
    heads: int
    kv_heads: int


LLAMA_8B = Width(hidden=4096, inner=14336, layers=32, heads=32, kv_heads=8)


@dataclass(frozen=True)
class Speed:
    """What one training reached."""

    tokens_per_s: float
    losses: tuple[float, ...]


async def run(workspace: Workspace) -> PartResult:
    """One training of the extent's pairs."""
    import torch

    if not torch.cuda.is_available():
        return PartResult({}, notes=["qlora: left out, there is no CUDA GPU here"])
    workspace.tell("8B in four bits", 0, 1)
    speed = train(workspace, LLAMA_8B)
    figures = {
        "qlora_tokens_per_s": estimate([speed.tokens_per_s]),
        "qlora_gib": estimate([torch.cuda.max_memory_allocated() / GIB]),
    }
    return PartResult(figures, {"qlora_losses": speed.losses})


def train(workspace: Workspace, width: Width) -> Speed:
    """Learn the extent's pairs on random weights of this width, in four bits."""
    # Not at the top: the other parts start processes and need no model library themselves.
    from npc_server.engine.llama import Vocab
    from trainer.base import ensure_base
    from trainer.held import Optimizer, Weights
    from trainer.lora import StartingPoint
    from trainer.methods import dpo
    from trainer.progress import RunIO
    from trainer.rows.datasets import Lesson, PairIds
    from trainer.settings import Memory
    from trainer.training import train_adapter

    vocab = Vocab(workspace.base)
    rows = pairs(CHARACTER, vocab, workspace.extent.pairs)
    base_dir = _random_base(ensure_base(workspace.base, workspace.cache), width, workspace.scratch)
    memory = Memory(Weights.NF4, Optimizer.PAGED_ADAMW_8BIT, gradient_checkpointing=True)
    once = replace(dpo.Config().schedule, min_steps=0)
    config = dpo.Config(schedule=once, memory=memory)
    learned: Lesson[PairIds] = Lesson(rows, (), len(rows), 0)
    start = StartingPoint(base_dir, vocab, None)
    result = train_adapter(
        config,
        learned,
        start,
        workspace.scratch / "qlora-adapter",
        RunIO(lambda at: workspace.tell("8B in four bits", at.step, at.total_steps)),
        partial(dpo.build, config, learned, base_dir),
    )
    tokens = sum(2 * len(row.prompt) + len(row.chosen) + len(row.rejected) for row in rows)
    losses = tuple(metrics.loss for metrics in result.history)
    return Speed(tokens / result.train_s, losses)


def _random_base(like: Path, width: Width, scratch: Path) -> Path:
    """A model folder with `like`'s tokenizer and random weights."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    folder = scratch / "random-base"
    shutil.copytree(like, folder, ignore=shutil.ignore_patterns("*.safetensors"))
    config = AutoConfig.from_pretrained(like)
    config.hidden_size, config.intermediate_size = width.hidden, width.inner
    config.num_hidden_layers, config.num_attention_heads = width.layers, width.heads
    config.num_key_value_heads, config.head_dim = width.kv_heads, width.hidden // width.heads
    models: Any = AutoModelForCausalLM
    with torch.device("cuda" if torch.cuda.is_available() else "cpu"):
        model = models.from_config(config, dtype=torch.bfloat16)
    model.save_pretrained(folder)
    return folder
