"""Bases of random weights: blocks decode to the wanted spread, and a whole file is served."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from gguf import GGMLQuantizationType, GGUFReader, dequantize

from benchmarks.gguf_shape import Shape
from benchmarks.random_base import SHAPES, random_blocks, write_base
from npc_server.base_models.quantization import Quantization
from npc_server.engine.assembly import assemble
from npc_server.engine.llama import ContextShape
from npc_server.engine.protocol import Batching, EngineOptions
from npc_server.engine.vocab import Vocab

#: The shape of each with a fraction of the layers and widths.
SMALL = {
    name: replace(shape, layers=2, width=256, feed_forward=512, vocabulary=300)
    for name, shape in SHAPES.items()
}


@pytest.mark.parametrize("kind", ["Q4_0", "Q8_0", "Q4_K"])
def test_blocks_decode_to_numbers_around_zero_that_keep_a_signal_as_it_is(kind: str) -> None:
    blocks = random_blocks(kind, (64, 512), np.random.default_rng(1))
    weights = dequantize(blocks, GGMLQuantizationType[kind])
    assert weights.shape == (64, 512)
    assert weights.std() * 512**0.5 == pytest.approx(1, abs=0.03)
    assert abs(weights.mean()) < 0.05 * weights.std()


@pytest.mark.parametrize("shape", SMALL.values(), ids=SMALL)
def test_a_base_is_served_with_mixed_batches(
    shape: Shape, tiny_model: Path, tmp_path: Path
) -> None:
    path = write_base(tmp_path / "m.gguf", shape, Quantization.Q4_MIX, tiny_model)
    context = ContextShape(sequences=2, context_tokens=64, batch_tokens=64, threads=1)
    with closing(assemble(path, context, EngineOptions(), lambda *_: None)) as core:
        assert core.stats().batching is Batching.MIXED


def test_the_mixture_is_that_of_a_real_base(tiny_model: Path, tmp_path: Path) -> None:
    path = write_base(tmp_path / "m.gguf", SMALL["llama-1.1b"], Quantization.Q4_MIX, tiny_model)
    kinds = {tensor.name: tensor.tensor_type.name for tensor in GGUFReader(path).tensors}
    assert kinds["token_embd.weight"] == kinds["blk.0.attn_k.weight"] == "Q8_0"
    assert (kinds["blk.0.ffn_down.weight"], kinds["blk.0.attn_q.weight"]) == ("Q4_K", "Q4_0")
    assert kinds["blk.1.attn_q.weight"] == "Q8_0"  # of the last layer


def test_the_vocabulary_is_the_other_files_and_tokens_that_no_text_has(
    tiny_model: Path, tmp_path: Path
) -> None:
    path = write_base(tmp_path / "m.gguf", SMALL["qwen3-0.6b"], Quantization.Q4_0, tiny_model)
    text = "What of <|im_end|> and iron? é"
    assert Vocab(path).encode(text) == Vocab(tiny_model).encode(text)
    assert Vocab(path).decode([299]) == "<unused299>"
    assert GGUFReader(path).fields["tokenizer.ggml.tokens"].contents()[-1] == "<unused299>"


def test_the_same_bytes_each_time(tiny_model: Path, tmp_path: Path) -> None:
    shape = SMALL["qwen3-0.6b"]
    once, again = (
        write_base(tmp_path / name, shape, Quantization.Q4_MIX, tiny_model) for name in "ab"
    )
    assert once.read_bytes() == again.read_bytes()
