"""How well a version still reads a general text, in the engine that serves it.

The text is the one that quantizations are judge by; it knows nothing of the characters.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from pathlib import Path

import numpy as np

from benchmarks.serving.cast import open_base
from npc_server.base_models.own_process import Report
from npc_server.base_models.quantization_trial import TEXT, log_softmax, surprise
from npc_server.engine.llama import BatchRow, ContextShape, Llama
from npc_server.engine.lora.lora_gguf import write_lora_gguf

_WINDOW_TOKENS = 256  # read together; all but the first are predicted


def perplexity(report: Report, gguf: Path, adapter: Path | None) -> float:
    """Of the text under an adapter folder; None = the bare base. Raises EngineError.

    Run it in a process of its own, for the memory.
    """
    base = open_base(gguf)
    tokens = base.vocab.encode(TEXT.read_text())
    shape = ContextShape(1, _WINDOW_TOKENS, _WINDOW_TOKENS, len(os.sched_getaffinity(0)))
    surprises: list[float] = []
    with ExitStack() as stack:
        llama = stack.enter_context(closing(Llama(gguf, shape)))
        if adapter is not None:
            file = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "adapter.gguf"
            write_lora_gguf(adapter, base.shape, file)
            stack.enter_context(llama.adapter(file))
        for start, window in _windows(tokens):
            report("reading a general text", start, len(tokens))
            surprises += _surprises(llama, window)
    return float(np.exp(np.mean(surprises)))


def _windows(tokens: Sequence[int]) -> Iterator[tuple[int, Sequence[int]]]:
    for start in range(0, len(tokens) - 1, _WINDOW_TOKENS):
        yield start, tokens[start : start + _WINDOW_TOKENS]


def _surprises(llama: Llama, window: Sequence[int]) -> list[float]:
    """Nats by which each token but the first surprised."""
    llama.clear(0)
    llama.decode([BatchRow(token, place, 0, True) for place, token in enumerate(window)])
    logits = np.stack([llama.logits(place) for place in range(len(window) - 1)])
    return surprise(log_softmax(logits), window[1:])
