"""Positions are rotated in training as they are in serving, whatever scales them."""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from gguf import GGUFWriter, RopeScalingType

from npc_server.engine.settings import EngineSettings
from tests.support import tiny_gguf
from tests.support.watching import ignore
from trainer.base import ensure_base, file_sha256
from trainer.base_comparison import Bases, compare
from trainer.errors import BaseModelError

TOKENS = 2001
Change = Callable[[GGUFWriter], None]
Factors = Mapping[str, npt.NDArray[np.float32]]

LLAMA_3 = np.array([1, 1, 1.5, 2, 4, 8, 8, 8], np.float32)
SHORT = np.linspace(1, 1.3, 8, dtype=np.float32)
LONG = np.linspace(1, 40, 8, dtype=np.float32)


def none(writer: GGUFWriter) -> None:
    """Scale nothing, though there is a factor."""
    writer.add_rope_scaling_type(RopeScalingType.NONE)
    writer.add_rope_scaling_factor(4)


def linear(writer: GGUFWriter) -> None:
    """Four times as far."""
    writer.add_rope_scaling_type(RopeScalingType.LINEAR)
    writer.add_rope_scaling_factor(4)


def old_linear(writer: GGUFWriter) -> None:
    """As the first files wrote it."""
    writer.add_float32(f"{writer.arch}.rope.scale_linear", 4)


def yarn(writer: GGUFWriter) -> None:
    """Four times as far, by parts."""
    writer.add_rope_scaling_type(RopeScalingType.YARN)
    writer.add_rope_scaling_factor(4)
    writer.add_rope_scaling_orig_ctx_len(300)


def yarn_by_default(writer: GGUFWriter) -> None:
    """Without the context that it was trained on, and with another strength."""
    writer.add_rope_scaling_type(RopeScalingType.YARN)
    writer.add_rope_scaling_factor(2.5)
    writer.add_rope_scaling_attn_factors(0.8)
    writer.add_rope_freq_base(1e6)


def longrope(writer: GGUFWriter) -> None:
    """By factors of its own."""
    writer.add_rope_scaling_type(RopeScalingType.LONGROPE)
    writer.add_rope_scaling_attn_factors(1.19)


KINDS: Mapping[str, tuple[Change, Factors]] = {
    "none": (none, {}),
    "linear": (linear, {}),
    "old linear": (old_linear, {}),
    "yarn": (yarn, {}),
    "yarn by default": (yarn_by_default, {}),
    "llama 3": (lambda _: None, {"rope_freqs.weight": LLAMA_3}),
    "llama 3 and linear": (linear, {"rope_freqs.weight": LLAMA_3}),
    "longrope": (
        longrope,
        {"rope_factors_short.weight": SHORT, "rope_factors_long.weight": LONG},
    ),
}
#: Of these, llama.cpp reads factors for the first alone.
CASES = [("llama", kind) for kind in KINDS] + [
    (architecture, kind)
    for architecture in ("qwen2", "qwen3")
    for kind, (_, factors) in KINDS.items()
    if not factors
]
#: A window's layers rotate by a table of their own, which a linear scaling leaves alone.
CASES += [("gemma3", kind) for kind in ("none", "linear", "old linear")]


@pytest.mark.parametrize(("architecture", "kind"), CASES)
def test_the_served_logits_are_the_trained_ones_far_in(
    architecture: str, kind: str, tmp_path: Path
) -> None:
    change, factors = KINDS[kind]
    gguf = tiny_gguf.write_model(
        tmp_path / "m.gguf", architecture=architecture, change=change, more_tensors=factors
    )
    bands = compare(bases(gguf, tmp_path, TOKENS), ignore)
    assert bands[-1].last == TOKENS - 1
    assert min(band.cosine for band in bands) > 0.999


@pytest.mark.parametrize("context", [256, 512, 768], ids="context {}".format)
def test_longrope_has_the_factors_of_the_context_that_is_served(
    context: int, tmp_path: Path
) -> None:
    change, factors = KINDS["longrope"]
    gguf = tiny_gguf.write_model(tmp_path / "m.gguf", change=change, more_tensors=factors)
    bands = compare(bases(gguf, tmp_path, context - 1, context), ignore)
    assert min(band.cosine for band in bands) > 0.999


def test_a_kind_that_is_not_served_is_refused_by_name(tmp_path: Path) -> None:
    def dynamic(writer: GGUFWriter) -> None:
        writer.add_string("llama.rope.scaling.type", "dynamic")

    gguf = tiny_gguf.write_model(tmp_path / "m.gguf", change=dynamic)
    with pytest.raises(BaseModelError, match="'dynamic'"):
        ensure_base(gguf, tmp_path / "cache")


def test_a_scaling_of_several_tables_at_once_is_refused_by_name(tmp_path: Path) -> None:
    gguf = tiny_gguf.write_model(tmp_path / "m.gguf", architecture="gemma3", change=yarn)
    with pytest.raises(BaseModelError, match=r"by 'yarn', which .* architecture 'gemma3'"):
        ensure_base(gguf, tmp_path / "cache")


def bases(gguf: Path, tmp_path: Path, tokens: int, context: int = 2304) -> Bases:
    """Unpack a base to be compared."""
    sha256 = file_sha256(gguf)
    unpacked = ensure_base(gguf, tmp_path / "cache", sha256, context)
    engine = EngineSettings(context_tokens=context)
    return Bases(gguf, sha256, unpacked, engine, tokens)
