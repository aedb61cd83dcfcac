"""What conversion for training leaves out is found before anything is trained."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from npc_server.engine.settings import EngineSettings
from tests.support import tiny_gguf
from tests.support.watching import ignore
from trainer import base_comparison
from trainer.base import ensure_base, file_sha256
from trainer.base_comparison import Band, Bases, compare, explain, require_same
from trainer.errors import BaseModelError

TOKENS = 400


def bases(gguf: Path, cache: Path, tokens: int = TOKENS) -> Bases:
    """Unpack a base to be compared."""
    engine = EngineSettings(context_tokens=512)
    return Bases(gguf, file_sha256(gguf), ensure_base(gguf, cache), engine, tokens)


@pytest.fixture
def tiny(tiny_model: Path, tmp_path: Path) -> Bases:
    """The tiny model, unpacked."""
    return bases(tiny_model, tmp_path / "cache")


@pytest.mark.parametrize("architecture", ["llama", "qwen2", "qwen3"])
def test_a_faithful_copy_is_the_same_near_and_far(architecture: str, tmp_path: Path) -> None:
    gguf = tiny_gguf.write_model(tmp_path / "m.gguf", architecture=architecture)
    bands = require_same(bases(gguf, tmp_path / "cache"), ignore)
    assert (bands[0].first, bands[-1].last) == (32, TOKENS - 1)
    assert min(band.cosine for band in bands) > 0.999


BIASES = {
    "attention": {"attn_q.bias": 64, "attn_k.bias": 32, "attn_v.bias": 32, "attn_output.bias": 64},
    "feed-forward": {"ffn_gate.bias": 96, "ffn_up.bias": 96, "ffn_down.bias": 64},
}


def with_biases(path: Path, widths: Mapping[str, int]) -> Path:
    """Write the tiny model with random biases in every layer."""
    noise = np.random.default_rng(0)
    biases = {
        f"blk.{layer}.{name}": noise.normal(0, 0.7, width).astype(np.float32)
        for layer in range(tiny_gguf.LAYERS)
        for name, width in widths.items()
    }
    return tiny_gguf.write_model(path, more_tensors=biases)


@pytest.mark.parametrize("widths", BIASES.values(), ids=BIASES.keys())
def test_biases_are_trained_as_they_are_served(widths: Mapping[str, int], tmp_path: Path) -> None:
    gguf = with_biases(tmp_path / "m.gguf", widths)
    bands = require_same(bases(gguf, tmp_path / "cache"), ignore)
    assert min(band.cosine for band in bands) > 0.999


def test_what_only_the_served_model_adds_is_found(tmp_path: Path) -> None:
    gguf = with_biases(tmp_path / "m.gguf", BIASES["feed-forward"])
    other = replace(
        bases(gguf, tmp_path / "cache"), gguf=tiny_gguf.write_model(tmp_path / "n.gguf")
    )
    with pytest.raises(BaseModelError, match=r"not what is served: .* at positions 32 to"):
        require_same(other, ignore)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("rms_norm_eps", 0.5),
        ("num_key_value_heads", 4),
        ("rope_parameters", {"rope_type": "default", "rope_theta": 500000.0}),
        ("tie_word_embeddings", False),
        ("hidden_act", "gelu"),
    ],
)
def test_a_copy_with_another_config_is_refused(tiny: Bases, key: str, value: object) -> None:
    config = tiny.base_dir / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), key: value}))
    with pytest.raises(BaseModelError):
        require_same(tiny, ignore)


def test_a_comparison_is_paid_once(tiny: Bases, monkeypatch: pytest.MonkeyPatch) -> None:
    first = require_same(tiny, ignore)
    monkeypatch.setattr(base_comparison, "compare", None)
    assert require_same(tiny, ignore) == first


def test_a_changed_copy_is_compared_again(tiny: Bases) -> None:
    require_same(tiny, ignore)
    config = tiny.base_dir / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "rms_norm_eps": 0.5}))
    with pytest.raises(BaseModelError):
        require_same(tiny, ignore)


def test_a_longer_training_is_compared_as_far_as_it_reads(tiny: Bases) -> None:
    assert require_same(tiny, ignore)[-1].last == TOKENS - 1
    assert require_same(replace(tiny, max_tokens=500), ignore)[-1].last == 499


def test_nothing_is_compared_beyond_the_served_context(tiny: Bases) -> None:
    assert compare(replace(tiny, max_tokens=9000), ignore)[-1].last == 510


def test_a_damaged_record_is_no_record(tiny: Bases) -> None:
    first = require_same(tiny, ignore)
    (record,) = (tiny.base_dir.parent.parent / "compared").iterdir()
    record.write_text('{"key": ')
    assert require_same(tiny, ignore) == first


def test_rounding_explains_a_difference_of_its_own_size_alone() -> None:
    noisy = Band(512, 1023, cosine=0.995, noise=0.002)
    assert not noisy.differs
    exact = replace(noisy, noise=0.001)
    assert exact.differs
    assert "0.9950 at positions 512 to 1023 (rounding explains 0.9960)" in explain([exact])


def test_exact_weights_keep_the_bar_of_three_nines() -> None:
    assert not Band(32, 63, cosine=0.9991, noise=0.0).differs
    assert Band(32, 63, cosine=0.9989, noise=0.0).differs
    assert Band(32, 63, cosine=float(np.nan), noise=0.0).differs
