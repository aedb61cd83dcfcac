"""A PEFT LoRA folder as the GGUF adapter file that llama.cpp loads.

PEFT names tensors after transformers modules; llama.cpp after its own. For llama-architecture
bases the GGUF stores the rows of q and k in another order (rotary halves interleaved), so the rows
of their B matrices are permuted alike: h' = P·B·A·x for a base weight P·W. The scale PEFT applies,
alpha/r or alpha/√r (rsLoRA, arXiv 2312.03732), is written as an alpha that yields the same factor.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from gguf import GGUFWriter
from safetensors import SafetensorError
from safetensors.numpy import load_file

from npc_server.engine.errors import AdapterRejectedError

Array = npt.NDArray[Any]

_KEY = re.compile(
    r"^base_model\.model\.model\.layers\.(?P<layer>\d+)\.(?:self_attn|mlp)\."
    r"(?P<module>\w+)\.lora_(?P<side>[AB])\.weight$"
)
_MODULES = {
    "q_proj": "attn_q",
    "k_proj": "attn_k",
    "v_proj": "attn_v",
    "o_proj": "attn_output",
    "gate_proj": "ffn_gate",
    "up_proj": "ffn_up",
    "down_proj": "ffn_down",
}
#: Options under which PEFT computes something other than scale·B·A·x.
_UNSUPPORTED = ("use_dora", "modules_to_save", "alpha_pattern", "rank_pattern", "lora_bias")
#: Architectures whose GGUF conversion permutes q and k rows.
_PERMUTED_ARCHITECTURES = frozenset({"llama"})


@dataclass(frozen=True)
class BaseShape:
    """What of the base model decides how an adapter is written."""

    architecture: str
    heads: int
    kv_heads: int


@dataclass(frozen=True)
class LoraFile:
    """A parsed PEFT adapter: tensors by llama.cpp name."""

    tensors: Mapping[str, Array]
    rank: int
    scale: float


def write_lora_gguf(folder: Path, base: BaseShape, target: Path) -> LoraFile:
    """Convert the PEFT adapter in `folder` into `target`. Raises AdapterRejectedError."""
    lora = read_peft(folder, base)
    writer = GGUFWriter(target, base.architecture)
    writer.add_type("adapter")
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", lora.scale * lora.rank)
    for name, tensor in lora.tensors.items():
        writer.add_tensor(name, np.ascontiguousarray(tensor, dtype=np.float16))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return lora


def read_peft(folder: Path, base: BaseShape) -> LoraFile:
    """Read and check a PEFT adapter folder. Raises AdapterRejectedError."""
    config = _read_config(folder)
    raw = _read_tensors(folder)
    tensors = {_gguf_name(key, folder): _arrange(key, tensor, base) for key, tensor in raw.items()}
    _check_pairs(tensors, int(config["r"]), folder)
    rank = int(config["r"])
    root = math.sqrt(rank) if config.get("use_rslora") else rank
    return LoraFile(tensors, rank, float(config["lora_alpha"]) / root)


def _read_config(folder: Path) -> dict[str, Any]:
    path = folder / "adapter_config.json"
    try:
        config = json.loads(path.read_text())
        kind, _, _ = config["peft_type"], int(config["r"]), float(config["lora_alpha"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise AdapterRejectedError(f"{path} is unreadable: {error!r}") from error
    if kind != "LORA":
        raise AdapterRejectedError(f"{path}: peft_type is {kind!r}; only LORA adapters are served")
    if used := [name for name in _UNSUPPORTED if config.get(name)]:
        raise AdapterRejectedError(f"{path}: {', '.join(used)} cannot be served; train without")
    if config.get("bias", "none") != "none":
        raise AdapterRejectedError(f"{path}: bias={config['bias']!r} cannot be served; use 'none'")
    return dict(config)


def _read_tensors(folder: Path) -> dict[str, Array]:
    path = folder / "adapter_model.safetensors"
    try:
        tensors: dict[str, Array] = load_file(path)
    except (OSError, SafetensorError, ValueError) as error:
        raise AdapterRejectedError(f"{path} is unreadable: {error}") from error
    if not tensors:
        raise AdapterRejectedError(f"{path} holds no tensors")
    for name, tensor in tensors.items():
        if not np.isfinite(tensor).all():
            raise AdapterRejectedError(f"{path}: {name} holds NaN or infinity")
    return tensors


def _gguf_name(key: str, folder: Path) -> str:
    match = _KEY.match(key)
    if match is None or match["module"] not in _MODULES:
        raise AdapterRejectedError(
            f"{folder}: tensor {key} is not served; target only {', '.join(_MODULES)}"
        )
    side = match["side"].lower()
    return f"blk.{match['layer']}.{_MODULES[match['module']]}.weight.lora_{side}"


def _arrange(key: str, tensor: Array, base: BaseShape) -> Array:
    if base.architecture not in _PERMUTED_ARCHITECTURES or "lora_B" not in key:
        return tensor
    if "q_proj" in key:
        return permute_rotary_rows(tensor, base.heads)
    if "k_proj" in key:
        return permute_rotary_rows(tensor, base.kv_heads)
    return tensor


def permute_rotary_rows(weight: Array, heads: int) -> Array:
    """Rows from the transformers order (halves) to the GGUF order (pairs), head by head."""
    rows, columns = weight.shape
    halves = weight.reshape(heads, 2, rows // heads // 2, columns)
    return halves.swapaxes(1, 2).reshape(rows, columns)


def _check_pairs(tensors: Mapping[str, Array], rank: int, folder: Path) -> None:
    rank_of: dict[str, Callable[[Array], int]] = {
        "a": lambda tensor: tensor.shape[0],
        "b": lambda tensor: tensor.shape[1],
    }
    for name, tensor in tensors.items():
        stem, side = name[:-1], name[-1]
        if f"{stem}{'b' if side == 'a' else 'a'}" not in tensors:
            raise AdapterRejectedError(f"{folder}: {name} has no partner")
        if rank_of[side](tensor) != rank:
            raise AdapterRejectedError(
                f"{folder}: {name} has shape {tensor.shape}, which is not of rank {rank}"
            )
