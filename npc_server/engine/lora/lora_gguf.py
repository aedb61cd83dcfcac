"""A PEFT LoRA folder, checked against the base model and arranged as llama.cpp wants it.

PEFT names tensors after transformers modules; llama.cpp after its own. For llama-architecture
bases the GGUF stores the rows of q and k in another order (rotary halves interleaved), so the rows
of their B matrices are permuted alike: h' = P·B·A·x for a base weight P·W. The scale PEFT applies
is alpha/r, or alpha/√r for rsLoRA (arXiv 2312.03732), with the rank and alpha that its patterns
give a module. The engine knows one rank and scale for an adapter: smaller ranks are padded with
zeros, and what a module's scale differs by goes into its B.

What `read_peft` returns may be copied into the engine's memory unchecked: every tensor belongs to a
weight of the base, has exactly the shape that weight needs, and holds what 16-bit floats can hold.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import re2  # type: ignore[import-untyped]  # ships no types
from safetensors import SafetensorError, deserialize

from npc_server.engine.errors import AdapterRejectedError, ModelLoadError
from npc_server.engine.gguf_header import UNREADABLE, HeaderReader
from npc_server.engine.lora.adapter_gguf import write_adapter_gguf
from npc_server.engine.plain_files import read_plain

Array = npt.NDArray[np.float32]

_PREFIX = "base_model.model."
_LONGEST_PATTERN = 200
_GREATEST = 1e9  # rank or alpha that a pattern may name
_MAX_CONFIG = 1 << 20  # bytes
_ANY_BYTES = 64 << 20  # of an adapter that may be of another base, so that its shapes are told
_ANY_RANK = 1024
_KEY = re.compile(
    r"base_model\.model\.model\.layers\.(?P<layer>\d+)\."
    r"(?P<module>\w+\.\w+)\.lora_(?P<side>[AB])\.weight"
)
_MODULES = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.qkv_proj": "attn_qkv",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.gate_up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}
_LINEAR = re.compile(rf"blk\.\d+\.({'|'.join(dict.fromkeys(_MODULES.values()))})\.weight")
#: Options under which PEFT computes something other than scale·B·A·x on every token.
_UNSUPPORTED = (
    "use_dora",
    "use_qalora",
    "use_bdlora",
    "modules_to_save",
    "lora_bias",
    "layer_replication",
    "alora_invocation_tokens",
    "arrow_config",
)
#: Initialisations under which PEFT trains on a base whose weights it has changed.
_CHANGED_BASE = ("pissa", "olora", "corda", "loftq", "lora_ga")
#: Architectures whose files keep the rows of q and k in pairs; transformers has them in halves.
ROWS_IN_PAIRS = frozenset({"llama", "smollm3", "mistral3", "granite"})
#: The least magnitude that a 16-bit float rounds to infinity.
_F16_OVERFLOW = 65520.0


@dataclass(frozen=True)
class BaseShape:
    """What decides which adapters fit a base model, and how they are arranged."""

    architecture: str
    heads: int
    kv_heads: int
    linears: Mapping[str, tuple[int, int]]  # weight name -> (columns_in, rows_out)
    rotates_pairs: bool = False  # neighbouring rows of q and k, where others rotate halves


@dataclass(frozen=True)
class LoraFile:
    """A checked PEFT adapter: tensors by llama.cpp name, C-contiguous."""

    tensors: Mapping[str, Array]  # NAME.lora_a: (rank, columns_in); NAME.lora_b: (rows_out, rank)
    rank: int  # of the module with the greatest
    scale: float


@dataclass(frozen=True)
class _Strength:
    """How a module is adapted."""

    rank: int
    scale: float


@dataclass(frozen=True)
class _Tensor:
    """A tensor as the folder holds it."""

    folder: Path
    key: str
    dtype: str
    shape: tuple[int, ...]
    data: bytes

    def rejection(self, why: str) -> AdapterRejectedError:
        return AdapterRejectedError(f"{self.folder}: tensor {self.key} {why}")


def write_lora_gguf(folder: Path, base: BaseShape, target: Path) -> LoraFile:
    """Convert the PEFT adapter in `folder` into `target`. Raises AdapterRejectedError."""
    lora = read_peft(folder, base)
    alpha = lora.scale * lora.rank
    write_adapter_gguf(target, base.architecture, lora.tensors, alpha)
    return lora


def read_peft(folder: Path, base: BaseShape, max_rank: int | None = None) -> LoraFile:
    """Read a PEFT adapter folder and check all of it; `max_rank` None is any rank.

    Raises AdapterRejectedError.
    """
    config = _read_config(folder)
    tensors: dict[str, Array] = {}
    strengths: dict[str, _Strength] = {}  # by weight
    for tensor in _read_tensors(folder, _most_bytes(base, max_rank)):
        weight, side = _target(tensor, base)
        strength = _strength(tensor, config, max_rank)
        _check_shape(tensor, weight, base.linears[weight], side, strength.rank)
        values = _floats(tensor)
        _check_values(tensor, values)
        name = f"{weight}.lora_{side}"
        if name in tensors:
            raise tensor.rejection(f"is a second one for {name}")
        _check_order(tensor, weight, base)
        tensors[name] = _arrange(weight, side, values, base)
        strengths[weight] = strength
    _check_pairs(tensors, folder)
    return _alike(tensors, strengths, folder)


def _alike(
    tensors: Mapping[str, Array], strengths: Mapping[str, _Strength], folder: Path
) -> LoraFile:
    """The adapter with one rank and one scale for all of its modules."""
    rank = max(strength.rank for strength in strengths.values())
    scale = next(iter(strengths.values())).scale
    alike = {}
    for name, values in tensors.items():
        weight, _, side = name.rpartition(".lora_")
        own = strengths[weight]
        if side == "b" and own.scale != scale:
            values = values * np.float32(own.scale / scale)
            if not np.abs(values).max(initial=0) < _F16_OVERFLOW:
                raise AdapterRejectedError(
                    f"{folder}: {name}, scaled by {own.scale:g}, exceeds 16-bit floats"
                )
        missing = rank - own.rank
        padding = ((0, missing), (0, 0)) if side == "a" else ((0, 0), (0, missing))
        alike[name] = np.ascontiguousarray(np.pad(values, padding)) if missing else values
    return LoraFile(alike, rank, scale)


def _read_config(folder: Path) -> dict[str, Any]:
    path = folder / "adapter_config.json"
    try:
        config = json.loads(read_plain(path, _MAX_CONFIG))
        kind, _, _ = config["peft_type"], float(int(config["r"])), float(config["lora_alpha"])
    except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise AdapterRejectedError(f"{path} is unreadable: {error!r}") from error
    if kind != "LORA":
        raise AdapterRejectedError(f"{path}: peft_type is {kind!r}; only LORA adapters are served")
    _check_patterns(config, path)
    if used := [name for name in _UNSUPPORTED if config.get(name)]:
        raise AdapterRejectedError(f"{path}: {', '.join(used)} cannot be served; train without")
    if str(init := config.get("init_lora_weights")).startswith(_CHANGED_BASE):
        raise AdapterRejectedError(
            f"{path}: init_lora_weights={init!r} changes the base; save it converted to plain LoRA"
        )
    if config.get("bias", "none") != "none":
        raise AdapterRejectedError(f"{path}: bias={config['bias']!r} cannot be served; use 'none'")
    return dict(config)


def _strength(tensor: _Tensor, config: Mapping[str, Any], max_rank: int | None) -> _Strength:
    """The rank and scale of the module that a tensor belongs to."""
    module = tensor.key.removeprefix(_PREFIX).rpartition(".lora_")[0]
    rank = _for_module("rank_pattern", module, config, int(config["r"]))
    alpha = _for_module("alpha_pattern", module, config, float(config["lora_alpha"]))
    if rank < 1:
        raise AdapterRejectedError(f"{tensor.folder}: rank {rank:g} is not at least 1")
    if max_rank is not None and rank > max_rank:
        raise AdapterRejectedError(
            f"{tensor.folder}: rank {rank:g} is above the slots' {max_rank}; train with a smaller"
            " rank or raise engine.max_rank"
        )
    scale = alpha / (math.sqrt(rank) if config.get("use_rslora") else rank)
    if not 0 < abs(scale) < _F16_OVERFLOW:  # llama.cpp reads an alpha of 0 as "scale 1"
        raise AdapterRejectedError(
            f"{tensor.folder}: lora_alpha {alpha} gives no usable scale: {scale}"
        )
    return _Strength(int(rank), scale)


def _for_module(name: str, module: str, config: Mapping[str, Any], usual: float) -> float:
    """The value of the first pattern that fits a module, as PEFT looks for it."""
    patterns = config.get(name) or {}
    fitting = (value for key, value in patterns.items() if _fits(key, module))
    return float(next(fitting, usual))


@lru_cache(maxsize=4096)
def _fits(pattern: str, module: str) -> bool:
    return _expression_of(pattern).match(module) is not None


def _check_patterns(config: Mapping[str, Any], path: Path) -> None:
    """Raise AdapterRejectedError for patterns that are none, or could be matched without end."""
    for name, kinds in (("rank_pattern", (int,)), ("alpha_pattern", (int, float))):
        patterns = config.get(name) or {}
        if not isinstance(patterns, dict) or not all(
            type(value) in kinds and abs(value) < _GREATEST for value in patterns.values()
        ):
            raise AdapterRejectedError(f"{path}: {name} is no object of numbers by module")
        if bad := next((key for key in patterns if not _is_pattern(key)), None):
            raise AdapterRejectedError(
                f"{path}: {name} has {bad!r}; name a module, or write an expression of at most"
                f" {_LONGEST_PATTERN} signs that neither looks around nor refers back"
            )


def _is_pattern(key: str) -> bool:
    try:
        _expression_of(key)
    except (re2.error, UnicodeEncodeError):
        return False
    return len(key) <= _LONGEST_PATTERN


def _expression_of(pattern: str) -> Any:
    """A pattern as PEFT looks for it, by RE2: its time is in proportion to a module's name."""
    options = re2.Options()
    options.log_errors = False
    return re2.compile(rf"(.*\.)?({pattern})$", options)


def _most_bytes(base: BaseShape, max_rank: int | None) -> int:
    """What is read of a file: far more than an adapter of this base has, as its shapes tell."""
    sides = sum(rows + columns for rows, columns in base.linears.values())
    return _ANY_BYTES + 8 * sides * (max_rank or _ANY_RANK)


def _read_tensors(folder: Path, most_bytes: int) -> list[_Tensor]:
    path = folder / "adapter_model.safetensors"
    try:
        # Checks that shapes, types and the file's length agree.
        found = deserialize(read_plain(path, most_bytes))  # type: ignore[no-untyped-call]
    except (OSError, SafetensorError, ValueError) as error:
        raise AdapterRejectedError(f"{path} is unreadable: {error}") from error
    if not found:
        raise AdapterRejectedError(f"{path} holds no tensors")
    found.sort()  # it comes in a random order; names are unique
    return [_Tensor(folder, key, x["dtype"], tuple(x["shape"]), x["data"]) for key, x in found]


def _target(tensor: _Tensor, base: BaseShape) -> tuple[str, str]:
    """The base weight a tensor adapts, and which factor it is: "a" or "b"."""
    match = _KEY.fullmatch(tensor.key)
    if match is None or match["module"] not in _MODULES:
        raise tensor.rejection(f"is not served; target only {', '.join(_modules(base.linears))}")
    weight = f"blk.{match['layer']}.{_MODULES[match['module']]}.weight"
    if weight not in base.linears:
        raise tensor.rejection(f"adapts {weight}, which the base lacks; it has {_summary(base)}")
    return weight, match["side"].lower()


def _summary(base: BaseShape) -> str:
    names = [name.split(".") for name in base.linears]
    layers, kinds = {name[1] for name in names}, dict.fromkeys(name[2] for name in names)
    return f"{len(layers)} layers, counted from 0, with {', '.join(kinds)}"


def _check_shape(
    tensor: _Tensor, weight: str, linear: tuple[int, int], side: str, rank: int
) -> None:
    columns_in, rows_out = linear
    needed = (rank, columns_in) if side == "a" else (rows_out, rank)
    if tensor.shape != needed:
        raise tensor.rejection(
            f"has shape {tensor.shape}; {weight} of this base needs {needed}:"
            f" it is not of rank {rank}, or was trained for another base"
        )


def _floats(tensor: _Tensor) -> Array:
    if tensor.dtype == "F32":
        values = np.frombuffer(tensor.data, np.float32)
    elif tensor.dtype == "F16":
        values = np.frombuffer(tensor.data, np.float16).astype(np.float32)
    elif tensor.dtype == "BF16":  # the upper half of a float32; numpy has no such type
        widened = np.frombuffer(tensor.data, np.uint16).astype(np.uint32) << 16
        values = widened.view(np.float32)
    else:
        raise tensor.rejection(f"is stored as {tensor.dtype}; save it as F32, F16 or BF16")
    return values.reshape(tensor.shape)


def _check_values(tensor: _Tensor, values: Array) -> None:
    least, greatest = float(values.min()), float(values.max())
    if least > -_F16_OVERFLOW and greatest < _F16_OVERFLOW:  # false for NaN
        return
    if not math.isfinite(least) or not math.isfinite(greatest):
        raise tensor.rejection("holds NaN or infinity")
    raise tensor.rejection(
        f"holds {max(least, greatest, key=abs):g}, which overflows the 16-bit floats adapters are"
        " served in (at most 65504)"
    )


def _check_order(tensor: _Tensor, weight: str, base: BaseShape) -> None:
    """Raise AdapterRejectedError where nobody knows how the file orders the rows of q and k."""
    rotated = weight.endswith(("attn_q.weight", "attn_k.weight"))
    if rotated and base.rotates_pairs and base.architecture not in ROWS_IN_PAIRS:
        raise tensor.rejection(
            f"adapts {weight}: in which order files of the architecture {base.architecture!r} keep"
            " its rows is not known; train without q_proj and k_proj, or use another base"
        )


def _arrange(weight: str, side: str, values: Array, base: BaseShape) -> Array:
    if side == "a" or base.architecture not in ROWS_IN_PAIRS:
        return values
    if weight.endswith("attn_q.weight"):
        return permute_rotary_rows(values, base.heads)
    if weight.endswith("attn_k.weight"):
        return permute_rotary_rows(values, base.kv_heads)
    return values


def permute_rotary_rows(weight: Array, heads: int) -> Array:
    """Reorder rows from transformers' order (halves) to GGUF's (pairs), head by head."""
    rows, columns = weight.shape
    halves = weight.reshape(heads, 2, rows // heads // 2, columns)
    return halves.swapaxes(1, 2).reshape(rows, columns)


def _check_pairs(tensors: Mapping[str, Array], folder: Path) -> None:
    for name in tensors:
        partner = f"{name[:-1]}{'b' if name[-1] == 'a' else 'a'}"
        if partner not in tensors:
            raise AdapterRejectedError(f"{folder}: {name} has no partner {partner}")


def module_names(linears: Iterable[str]) -> frozenset[str]:
    """The layers, by PEFT's short names such as "q_proj", that these weights belong to."""
    return frozenset(module.rpartition(".")[2] for module in _modules(linears))


def _modules(linears: Iterable[str]) -> list[str]:
    """The same by names such as "self_attn.q_proj"."""
    kinds = {name.split(".")[2] for name in linears}
    fused = "ffn_gate" not in kinds  # gate and up are then one weight, which is called up
    other = "mlp.up_proj" if fused else "mlp.gate_up_proj"
    return [module for module, kind in _MODULES.items() if kind in kinds and module != other]


def linear_shapes(path: Path) -> Mapping[str, tuple[int, int]]:
    """Every weight of a base GGUF that adapters may adapt, with its (columns_in, rows_out).

    Raises ModelLoadError.
    """
    try:
        tensors = HeaderReader(path).tensors
    except UNREADABLE as error:
        raise ModelLoadError(f"{path} is no readable GGUF file: {error}") from error
    return {
        tensor.name: (int(tensor.shape[0]), int(tensor.shape[1]))
        for tensor in tensors
        if _LINEAR.fullmatch(tensor.name) and len(tensor.shape) == 2
    }
