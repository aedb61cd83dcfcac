"""llama.cpp alone on one GGUF, with its layers on the GPU or not: prompt and reply speed.

    python -m benchmarks.gpu.bare_serving MODEL.gguf --layers -1

What the card gives to a single reply, as llama-cpp-python has it; no server and no adapters. Prints
JSON; `offload` says whether this llama.cpp is built for a GPU.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import llama_cpp

PROMPT_TOKENS, REPLY_TOKENS = 512, 64
ROUNDS = 3  # the first warms up


@dataclass(frozen=True)
class Served:
    """What one reply took."""

    offload: bool
    prompt_tokens_per_s: float
    reply_tokens_per_s: float


def measure(gguf: Path, layers: int) -> Served:
    """Read a prompt of random tokens and reply to it, some rounds; the best counts."""
    model = llama_cpp.Llama(
        str(gguf), n_gpu_layers=layers, n_ctx=PROMPT_TOKENS + REPLY_TOKENS + 1, verbose=False
    )
    chance = random.Random(0)
    prompt = [chance.randrange(model.n_vocab()) for _ in range(PROMPT_TOKENS)]
    rounds = [_time_reply(model, prompt) for _ in range(ROUNDS)][1:]
    prompt_s, reply_s = (min(times) for times in zip(*rounds, strict=True))
    offload = bool(llama_cpp.llama_supports_gpu_offload())
    return Served(offload, PROMPT_TOKENS / prompt_s, REPLY_TOKENS / reply_s)


def _time_reply(model: llama_cpp.Llama, prompt: list[int]) -> tuple[float, float]:
    """Seconds of the prompt and of the reply."""
    reset: Callable[[], None] = model.reset
    reset()
    begun = time.monotonic()
    model.eval(prompt)
    token = model.sample(temp=0.0)
    read = time.monotonic()
    for _ in range(REPLY_TOKENS):
        model.eval([token])
        token = model.sample(temp=0.0)
    return read - begun, time.monotonic() - read


def main() -> None:
    """Measure and print the result."""
    parser = argparse.ArgumentParser()
    parser.add_argument("gguf", type=Path)
    parser.add_argument("--layers", type=int, default=-1, help="on the GPU; -1 = all")
    asked = parser.parse_args()
    print(json.dumps(asdict(measure(asked.gguf, asked.layers))))


if __name__ == "__main__":
    main()
