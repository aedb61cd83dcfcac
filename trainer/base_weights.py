"""The weights of a served GGUF under the names and in the order of a transformers model.

Nothing is left over and nothing is missing: a weight that the model has no place for would be
served and not trained. Three things differ between both sides. Files of some architectures keep
the rows of q and k in pairs; Gemma's keep norms that are one greater; and of experts they keep gate
and up apart, which transformers has as one.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from gguf import MODEL_ARCH_NAMES, dequantize, get_tensor_name_map
from safetensors.torch import save_file
from torch import Tensor
from transformers import AutoModelForCausalLM, PretrainedConfig, PreTrainedModel

from npc_server.engine.gguf_header import HeaderReader
from npc_server.engine.lora.lora_gguf import ROWS_IN_PAIRS
from trainer.errors import BaseModelError

Array = npt.NDArray[np.float32]

#: Tensors that follow from the shape: transformers computes them.
DERIVED = ("rope_freqs.weight", "rope_factors_long.weight", "rope_factors_short.weight")
NORMS_ABOVE_ONE = ("gemma2", "gemma3")
_SHARD_BYTES = 2 << 30  # of weights in memory while a base is unpacked
_INDEX = "model.safetensors.index.json"


def write_weights(gguf: Path, config: PretrainedConfig, folder: Path) -> None:
    """Write every weight of `gguf`, dequantised, for the model that `config` describes.

    Raises BaseModelError for weights that do not fit it.
    """
    shard_of: dict[str, str] = {}
    for number, shard in enumerate(_in_shards(_weights(gguf, config)), 1):
        name = f"model-{number:05}.safetensors"
        save_file(shard, folder / name, metadata={"format": "pt"})
        shard_of |= dict.fromkeys(shard, name)
    (folder / _INDEX).write_text(json.dumps({"metadata": {}, "weight_map": shard_of}, indent=1))


def file_names(architecture: str, layers: int, names: Iterable[str]) -> Mapping[str, Sequence[str]]:
    """The tensors of a GGUF that make up each of these weights of a transformers model."""
    kinds = {name: kind for kind, name in MODEL_ARCH_NAMES.items()}
    known = get_tensor_name_map(kinds[architecture], layers)

    def tensor(name: str) -> str:
        stem, _, suffix = name.rpartition(".")
        of_experts = suffix not in ("weight", "bias")
        return (
            f"{known.get_name(name)}.weight" if of_experts else f"{known.get_name(stem)}.{suffix}"
        )

    return {
        name: [tensor(name.replace("gate_up_proj", side)) for side in ("gate_proj", "up_proj")]
        if name.endswith("experts.gate_up_proj")
        else [tensor(name)]
        for name in names
    }


def _weights(gguf: Path, config: PretrainedConfig) -> Iterator[tuple[str, Tensor]]:
    header = HeaderReader(gguf)
    architecture = header.text("general.architecture") or ""
    stored = {tensor.name: tensor for tensor in header.tensors if tensor.name not in DERIVED}
    shapes = _shapes(config)
    sources = file_names(architecture, config.num_hidden_layers, shapes)
    _require_places(gguf, set(stored), {name for names in sources.values() for name in names})
    for name, shape in shapes.items():
        parts = [
            in_training_order(architecture, config, one, _floats(gguf, stored[one]))
            for one in sources[name]
        ]
        weight = np.concatenate(parts, axis=1) if len(parts) > 1 else parts[0]
        if weight.shape != shape:
            raise BaseModelError(
                f"{gguf}: {', '.join(sources[name])} makes a weight of shape {weight.shape} where"
                f" its model needs {shape}; use another GGUF of the model"
            )
        yield name, torch.from_numpy(weight)


def _shapes(config: PretrainedConfig) -> Mapping[str, tuple[int, ...]]:
    """The weights that the model needs, without what it shares with its embeddings."""
    make: Callable[[Any], PreTrainedModel] = AutoModelForCausalLM.from_config
    with torch.device("meta"):
        state = make(config).state_dict()
    if config.tie_word_embeddings:
        del state["lm_head.weight"]
    return {name: tuple(weight.shape) for name, weight in state.items()}


def _require_places(gguf: Path, stored: set[str], needed: set[str]) -> None:
    if lacking := sorted(needed - stored):
        raise BaseModelError(
            f"{gguf} lacks {_some(lacking)}, which its model is trained with; use another GGUF of"
            " the model"
        )
    if surplus := sorted(stored - needed):
        raise BaseModelError(
            f"{gguf} has {_some(surplus)}, which is served and has no place in the model that is"
            " trained; use another GGUF of the model"
        )


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return f"{names[0]}{more}"


def _floats(gguf: Path, tensor: Any) -> Array:
    try:
        return np.array(dequantize(tensor.data, tensor.tensor_type), np.float32)
    except NotImplementedError as error:
        kind = tensor.tensor_type.name
        raise BaseModelError(
            f"{gguf}: {tensor.name} is stored as {kind}, which cannot be unpacked for training; use"
            " another quantization"
        ) from error


def in_training_order(
    architecture: str, config: PretrainedConfig, tensor: str, weight: Array
) -> Array:
    """A tensor of the file as transformers has it."""
    if architecture in NORMS_ABOVE_ONE and tensor.endswith("norm.weight"):
        return weight - np.float32(1)
    if architecture in ROWS_IN_PAIRS and ".attn_q." in tensor:
        return _in_halves(weight, config.num_attention_heads)
    if architecture in ROWS_IN_PAIRS and ".attn_k." in tensor:
        return _in_halves(weight, config.num_key_value_heads)
    return weight


def _in_halves(weight: Array, heads: int) -> Array:
    """Undo `permute_rotary_rows`, for weights and for biases."""
    pairs = weight.reshape(heads, len(weight) // heads // 2, 2, -1)
    return np.ascontiguousarray(pairs.swapaxes(1, 2)).reshape(weight.shape)


def _in_shards(weights: Iterable[tuple[str, Tensor]]) -> Iterator[dict[str, Tensor]]:
    shard: dict[str, Tensor] = {}
    for name, weight in weights:
        if shard and sum(w.nbytes for w in shard.values()) + weight.nbytes > _SHARD_BYTES:
            yield shard
            shard = {}
        shard[name] = weight
    yield shard
