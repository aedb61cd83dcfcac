"""Keys and values of every type can be saved, restored and cut, as kept prefixes need."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from npc_server.engine.llama import BatchRow, ContextShape, Llama
from npc_server.engine.protocol import KvType
from tests.support import tiny_gguf

PROMPT = tuple(range(40, 72))
CUT = 20

Logits = npt.NDArray[np.float32]


@pytest.fixture(scope="module")
def wide_heads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model whose heads hold a block of every type."""
    return tiny_gguf.write_model(tmp_path_factory.mktemp("m") / "m.gguf", architecture="qwen3")


def open_llama(model: Path, kv_type: KvType) -> Llama:
    return Llama(model, ContextShape(3, 256, 64, threads=1, kv_type=kv_type))


def read(llama: Llama, sequence: int, tokens: tuple[int, ...], first: int = 0) -> Logits:
    """Decode tokens from a position on; the logits after the last."""
    rows = [
        BatchRow(token, first + i, sequence, i == len(tokens) - 1) for i, token in enumerate(tokens)
    ]
    llama.decode(rows)
    return llama.logits(len(rows) - 1).copy()


@pytest.mark.parametrize("kv_type", KvType)
def test_a_restored_sequence_goes_on_as_the_saved_one(wide_heads: Path, kv_type: KvType) -> None:
    llama = open_llama(wide_heads, kv_type)
    read(llama, 0, PROMPT)
    blob = llama.save(0)
    on = read(llama, 0, (50,), len(PROMPT))
    llama.restore(2, blob)
    assert (read(llama, 2, (50,), len(PROMPT)) == on).all()


@pytest.mark.parametrize("kv_type", KvType)
def test_a_cut_sequence_goes_on_as_one_that_was_never_longer(
    wide_heads: Path, kv_type: KvType
) -> None:
    llama = open_llama(wide_heads, kv_type)
    read(llama, 0, PROMPT[:CUT])
    short = read(llama, 0, (50,), CUT)
    read(llama, 1, PROMPT[:CUT])
    read(llama, 1, PROMPT[CUT:], CUT)
    assert llama.trim(1, CUT)
    assert (read(llama, 1, (50,), CUT) == short).all()


@pytest.mark.parametrize("kv_type", [one for one in KvType if one is not KvType.F32])
def test_fewer_bits_change_logits_less_than_another_text_does(
    wide_heads: Path, kv_type: KvType
) -> None:
    full, fewer = open_llama(wide_heads, KvType.F32), open_llama(wide_heads, kv_type)
    exact, other = read(full, 0, PROMPT), read(full, 1, PROMPT[1:])
    change = np.abs(read(fewer, 0, PROMPT) - exact).max()
    assert change < np.abs(other - exact).max() / 2
    assert (kv_type in (KvType.F16, KvType.BF16)) or change > 0
