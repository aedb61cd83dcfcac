"""The tiny models are real to llama.cpp, and their adapters change what they say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from npc_server.engine.llama import BatchRow, ContextShape, Llama
from npc_server.engine.lora.lora_gguf import BaseShape, linear_shapes, write_lora_gguf
from tests.support import tiny_gguf

IDS = tuple(range(40, 90))


def logits(model: Path, adapters: tuple[Path, ...]) -> list[npt.NDArray[np.float32]]:
    """Next-token logits of the bare base, then under each adapter."""
    llama = Llama(model, ContextShape(sequences=1, context_tokens=128, threads=1))
    base = BaseShape(llama.architecture, llama.heads, llama.kv_heads, linear_shapes(model))
    found = []
    for adapter in (None, *adapters):
        if adapter is not None:
            write_lora_gguf(adapter, base, adapter / "adapter.gguf")
            llama.set_adapter(llama.load_adapter(adapter / "adapter.gguf"))
        llama.trim(0, 0)
        llama.decode([BatchRow(token, i, 0, i == len(IDS) - 1) for i, token in enumerate(IDS)])
        found.append(np.array(llama.logits(len(IDS) - 1)))
    llama.close()
    return found


@pytest.mark.parametrize("architecture", tiny_gguf.ARCHITECTURES)
def test_each_architecture_decodes_and_heeds_its_adapters(
    tmp_path: Path, architecture: str
) -> None:
    model = tiny_gguf.write_model(tmp_path / "tiny.gguf", architecture=architecture)
    one, two = (
        tiny_gguf.write_adapter(tmp_path / str(seed), seed, architecture=architecture)
        for seed in (1, 2)
    )
    base, under_one, under_two = logits(model, (one, two))
    assert np.isfinite(base).all()
    assert np.abs(under_one - base).max() > 0.5
    assert np.abs(under_one - under_two).max() > 0.5


def test_a_weaker_adapter_stays_closer_to_the_base(tiny_model: Path, tmp_path: Path) -> None:
    strong = tiny_gguf.write_adapter(tmp_path / "strong", 1)
    weak = tiny_gguf.write_adapter(tmp_path / "weak", 1, strength=0.02)
    base, under_strong, under_weak = logits(tiny_model, (strong, weak))
    assert np.abs(under_weak - base).max() < 0.5 * np.abs(under_strong - base).max()
