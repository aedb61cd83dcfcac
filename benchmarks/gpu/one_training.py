"""One training on random weights in a process of its own: its device memory is its own.

    python -m benchmarks.gpu.one_training ours FOLDER --pairs 16 --device cuda --base nf4

Ours and stock TRL begin at the same weights and see the same ids under the same arguments. With
`--card-gib` the GPU pretends to be smaller, and memory is planned for that. Prints one line per
step, and last JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from contextlib import nullcontext
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, cast

import torch
from transformers import set_seed

from benchmarks.gpu.random_pairs import random_pairs, token_count
from benchmarks.memory import peak_bytes, resident_bytes
from benchmarks.training.one_training import build_stock
from benchmarks.training.workspace import OURS, STOCK
from trainer import memory
from trainer.hardware import find_hardware
from trainer.held import Device, Held, Optimizer, Weights
from trainer.lora import StartingPoint, keep_precision, load_policy, model_size
from trainer.memory_plan import USED_SHARE, Wish, plan
from trainer.methods import dpo
from trainer.monitor import Monitor
from trainer.progress import Progress, RunIO
from trainer.rows.datasets import Lesson, PairIds
from trainer.settings import Memory
from trainer.training import common_arguments, use_all_cores
from trainer.training import train as run

GIB = 2**30


@dataclass(frozen=True)
class Measured:
    """What a training took."""

    held: str  # how, in words
    tokens_per_s: float  # of whole rows, the first step left out
    pairs_per_s: float
    peak_gib: float  # of the device's memory; on a CPU what the process took beyond its libraries
    planned_gib: float  # what its plan reckoned with
    load_s: float
    losses: tuple[float, ...]
    first_reward: float | None  # the margin before any update; must be zero


@dataclass(frozen=True)
class Order:
    """What is asked of one training."""

    side: str
    folder: Path
    pairs: int
    memory: Memory
    card_gib: float  # 0 = the GPU as it is


def measure(order: Order) -> Measured:
    """Train a new adapter on random pairs."""
    begun = time.monotonic()
    use_all_cores()
    config = dpo.Config(schedule=replace(dpo.Config().schedule, min_steps=0), memory=order.memory)
    set_seed(config.schedule.seed)
    model = model_size(order.folder)
    rows = random_pairs(model.vocabulary, order.pairs)
    wish = Wish(
        order.memory, config.lora, config.schedule.micro_batch_rows, 1, max(r.tokens for r in rows)
    )
    held = _plan(order, wish)
    before = 0 if held.device is Device.CUDA else resident_bytes(os.getpid())
    start = StartingPoint(order.folder, cast(Any, None), None)  # nothing is encoded
    policy = load_policy(start, config.lora, held)
    loaded = time.monotonic()
    learned: Lesson[PairIds] = Lesson(rows, (), len(rows), 0)
    clock = _StepClock()
    monitor = Monitor(RunIO(clock))
    with tempfile.TemporaryDirectory() as scratch:
        arguments = common_arguments(config, held, Path(scratch), len(rows))
        build = dpo.build if order.side == OURS else build_stock
        exact = keep_precision(policy) if order.side == OURS else nullcontext()
        with exact:
            trainer = build(config, learned, order.folder, policy, arguments)
        run(trainer, monitor)
    tokens = sum(map(token_count, rows)) / len(rows)
    pairs_per_s = config.schedule.batch_rows * clock.steps_per_s
    need = memory.training_need(model, config.lora, held, wish.longest_tokens)
    return Measured(
        held=held.text,
        tokens_per_s=tokens * pairs_per_s,
        pairs_per_s=pairs_per_s,
        peak_gib=(_peak_bytes(held.device) - before) / GIB,
        planned_gib=need.likely / GIB,
        load_s=loaded - begun,
        losses=tuple(metrics.loss for metrics in monitor.history),
        first_reward=monitor.history[0].margin,
    )


class _StepClock:
    """Notes when each step ended."""

    def __init__(self) -> None:
        self._ended_at: list[float] = []

    def __call__(self, at: Progress) -> None:
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        self._ended_at.append(time.monotonic())
        print(f"step {at.step} of {at.total_steps}", flush=True)

    @property
    def steps_per_s(self) -> float:
        """Without the first step, which warms up."""
        return (len(self._ended_at) - 1) / (self._ended_at[-1] - self._ended_at[0])


def _plan(order: Order, wish: Wish) -> Held:
    hardware = find_hardware(order.memory.device)
    if order.card_gib:
        card = int(order.card_gib * GIB)
        if hardware.device is Device.CUDA:
            _, total = torch.cuda.mem_get_info(0)
            torch.cuda.set_per_process_memory_fraction(min(1.0, card * USED_SHARE / total), 0)
        hardware = replace(hardware, free_bytes=card)
    return plan(model_size(order.folder), wish, hardware)


def _peak_bytes(device: Device) -> int:
    return torch.cuda.max_memory_reserved(0) if device is Device.CUDA else peak_bytes()


def main() -> None:
    """Train once and print the result."""
    parser = argparse.ArgumentParser()
    parser.add_argument("side", choices=[OURS, STOCK])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--pairs", type=int, default=16)
    parser.add_argument("--device", type=Device, default=Device.CUDA)
    parser.add_argument("--base", type=Weights, default=Weights.AUTO)
    parser.add_argument("--optimizer", type=Optimizer, default=Optimizer.AUTO)
    parser.add_argument("--checkpointing", action="store_true")
    parser.add_argument("--card-gib", type=float, default=0.0)
    asked = parser.parse_args()
    memory = Memory(
        base=asked.base,
        optimizer=asked.optimizer,
        gradient_checkpointing=asked.checkpointing,
        device=asked.device,
    )
    order = Order(asked.side, asked.folder, asked.pairs, memory, asked.card_gib)
    print(json.dumps(asdict(measure(order))))


if __name__ == "__main__":
    main()
