"""Tiny random models of every family we answer for, from transformers to a GGUF.

The files say what llama.cpp's converter says of a model, in the order it writes weights: rows of q
and k in pairs where it permutes them, Gemma's norms one greater, experts apart. The code that reads
such files for training has no part in this, so one can be held against the other.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from gguf import MODEL_ARCH_NAMES, GGUFWriter, RopeScalingType, get_tensor_name_map
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel

from tests.support import tiny_gguf

WINDOW = 16  # tokens that a layer with a sliding window sees
LONGROPE = tuple(1.0 + pair / 4 for pair in range(6))

MINISTRAL_ROPE: dict[str, Any] = {
    "rope_type": "yarn",
    "rope_theta": 1e6,
    "factor": 16.0,
    "beta_fast": 24.0,
    "beta_slow": 1.0,
    "mscale": 1.0,
    "mscale_all_dim": 1.0,
    "original_max_position_embeddings": 32,
    "llama_4_scaling_beta": 0.5,
}

Array = npt.NDArray[np.float32]
Values = Mapping[str, Any]


@dataclass(frozen=True)
class Family:
    """A family of models, by its smallest member."""

    name: str  # as people say
    architecture: str  # as a GGUF says
    model_type: str  # as transformers says
    config: Values  # what differs from other families
    say: Callable[[GGUFWriter, Any], None] = lambda writer, config: None  # what its files say more
    layers: int = 2
    rows_in_pairs: bool = False  # of q and k
    norms_above_one: bool = False


def _width(writer: GGUFWriter, config: Any) -> None:
    writer.add_key_length(config.head_dim)
    writer.add_value_length(config.head_dim)


def _llama(writer: GGUFWriter, config: Any) -> None:
    _width(writer, config)
    writer.add_vocab_size(config.vocab_size)
    writer.add_rope_dimension_count(config.head_dim)


def _ministral3(writer: GGUFWriter, config: Any) -> None:
    rope = config.rope_parameters
    _llama(writer, config)
    writer.add_rope_scaling_type(RopeScalingType.YARN)
    writer.add_rope_scaling_factor(rope["factor"])
    writer.add_rope_scaling_orig_ctx_len(rope["original_max_position_embeddings"])
    writer.add_rope_scaling_yarn_beta_fast(rope["beta_fast"])
    writer.add_rope_scaling_yarn_beta_slow(rope["beta_slow"])
    writer.add_rope_scaling_yarn_log_mul(rope["mscale_all_dim"])
    writer.add_attn_temperature_scale(rope["llama_4_scaling_beta"])


def _smollm3(writer: GGUFWriter, config: Any) -> None:
    writer.add_vocab_size(config.vocab_size)
    writer.add_rope_dimension_count(config.hidden_size // config.num_attention_heads)


def _gemma2(writer: GGUFWriter, config: Any) -> None:
    _width(writer, config)
    writer.add_attn_logit_softcapping(config.attn_logit_softcapping)
    writer.add_final_logit_softcapping(config.final_logit_softcapping)
    writer.add_sliding_window(config.sliding_window)


def _gemma3(writer: GGUFWriter, config: Any) -> None:
    _width(writer, config)
    full, local = (config.rope_parameters[f"{kind}_attention"] for kind in ("full", "sliding"))
    writer.add_rope_scaling_type(RopeScalingType.LINEAR)
    writer.add_rope_scaling_factor(full["factor"])
    writer.add_rope_freq_base_swa(local["rope_theta"])
    writer.add_sliding_window(config.sliding_window)


def _phi3(writer: GGUFWriter, config: Any) -> None:
    rope = config.rope_parameters
    head = config.hidden_size // config.num_attention_heads
    writer.add_rope_dimension_count(int(rope["partial_rotary_factor"] * head))
    original = rope["original_max_position_embeddings"]
    longer = config.max_position_embeddings / original
    writer.add_rope_scaling_orig_ctx_len(original)
    writer.add_rope_scaling_attn_factors(math.sqrt(1 + math.log(longer) / math.log(original)))
    writer.add_sliding_window(0)


def _qwen3moe(writer: GGUFWriter, config: Any) -> None:
    _width(writer, config)
    writer.add_expert_count(config.num_experts)
    writer.add_expert_used_count(config.num_experts_per_tok)
    writer.add_expert_feed_forward_length(config.moe_intermediate_size)


FAMILIES = {
    family.name: family
    for family in (
        Family("Llama", "llama", "llama", {"head_dim": 16}, _llama, rows_in_pairs=True),
        # As Mistral Nemo: heads are wider than their share of the model.
        Family(
            "Mistral", "llama", "mistral",
            {"head_dim": 24, "rope_theta": 1e6, "sliding_window": None},
            _llama, rows_in_pairs=True,
        ),
        # Attention gets sharper with every so many tokens.
        Family(
            "Ministral 3", "mistral3", "ministral3",
            {"head_dim": 24, "rope_parameters": MINISTRAL_ROPE},
            _ministral3, rows_in_pairs=True,
        ),
        Family("Qwen 2", "qwen2", "qwen2", {"tie_word_embeddings": True}),
        Family("Qwen 3", "qwen3", "qwen3", {"head_dim": 32, "tie_word_embeddings": True}, _width),
        Family(
            "Gemma 2", "gemma2", "gemma2",
            {"head_dim": 24, "query_pre_attn_scalar": 24, "sliding_window": WINDOW,
             "attn_logit_softcapping": 2.0, "final_logit_softcapping": 5.0},
            _gemma2, layers=3, norms_above_one=True,
        ),
        Family(
            "Gemma 3", "gemma3", "gemma3_text",
            {"head_dim": 24, "query_pre_attn_scalar": 24, "sliding_window": WINDOW,
             "rope_parameters": {
                 "full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 1e6},
                 "sliding_attention": {"rope_type": "default", "rope_theta": 1e4},
             }},
            _gemma3, layers=7, norms_above_one=True,
        ),
        # As Phi-4-mini: a part of a head is rotated, by factors of its own.
        Family(
            "Phi 3", "phi3", "phi3",
            {"tie_word_embeddings": True, "original_max_position_embeddings": 256,
             "rope_parameters": {
                 "rope_type": "longrope", "rope_theta": 1e4, "partial_rotary_factor": 0.75,
                 "short_factor": [*LONGROPE], "long_factor": [*LONGROPE],
                 "original_max_position_embeddings": 256,
             }},
            _phi3,
        ),
        # Its fourth layer has no rotary positions.
        Family(
            "SmolLM 3", "smollm3", "smollm3", {"tie_word_embeddings": True},
            _smollm3, layers=5, rows_in_pairs=True,
        ),
        Family(
            "Qwen 3 MoE", "qwen3moe", "qwen3_moe",
            {"head_dim": 32, "num_experts": 4, "num_experts_per_tok": 2,
             "moe_intermediate_size": 48, "norm_topk_prob": True},
            _qwen3moe,
        ),
    )
}  # fmt: skip


def make_model(family: Family, seed: int = 0) -> PreTrainedModel:
    """A random model that says something else after every token."""
    values: dict[str, Any] = {
        "vocab_size": tiny_gguf.VOCABULARY,
        "hidden_size": tiny_gguf.WIDTH,
        "intermediate_size": tiny_gguf.FEED_FORWARD,
        "num_hidden_layers": family.layers,
        "num_attention_heads": tiny_gguf.HEADS,
        "num_key_value_heads": tiny_gguf.KV_HEADS,
        "max_position_embeddings": tiny_gguf.CONTEXT_TOKENS,
        **dict.fromkeys(("bos_token_id", "eos_token_id", "pad_token_id"), 0),
    }
    config = AutoConfig.for_model(family.model_type, **{**values, **family.config})
    make: Callable[..., Any] = AutoModelForCausalLM.from_config
    model: PreTrainedModel = make(config, attn_implementation="eager")
    torch.manual_seed(seed)
    for name, weight in model.state_dict().items():
        torch.nn.init.normal_(weight, std=0.15)
        if name.endswith("norm.weight"):
            weight += _centre(name, family)
    model.train(mode=False)
    return model


def _centre(name: str, family: Family) -> float:
    if not family.norms_above_one:
        return 1.0
    # Gemma multiplies embeddings by √width: layers must speak up, or each token predicts itself.
    return 2.0 if "post_" in name else 0.0


def write_gguf(path: Path, model: PreTrainedModel, family: Family) -> Path:
    """Write the model as llama.cpp's converter does, in F32."""
    writer = GGUFWriter(path, family.architecture)
    _write_shape(writer, model.config)
    family.say(writer, model.config)
    tiny_gguf.write_vocab(writer)
    for name, weight in _stored(model, family):
        writer.add_tensor(name, np.ascontiguousarray(weight))
    if family.architecture == "phi3":
        for length in ("long", "short"):
            writer.add_tensor(f"rope_factors_{length}.weight", np.array(LONGROPE, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _write_shape(writer: GGUFWriter, config: Any) -> None:
    rope = config.rope_parameters
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    if config.model_type != "gemma2":  # whose converter leaves it out
        writer.add_rope_freq_base(rope.get("full_attention", rope)["rope_theta"])
    writer.add_file_type(0)


def _stored(model: PreTrainedModel, family: Family) -> Iterator[tuple[str, Array]]:
    kinds = {name: kind for kind, name in MODEL_ARCH_NAMES.items()}
    known = get_tensor_name_map(kinds[family.architecture], family.layers)
    for name, weight in model.state_dict().items():
        if name == "lm_head.weight" and model.config.tie_word_embeddings:
            continue
        for part, values in _parts(name, weight.numpy()):
            stem, _, suffix = part.rpartition(".")
            whole = suffix not in ("weight", "bias")
            found = known.get_name(part if whole else stem)
            assert found, part
            yield f"{found}.{'weight' if whole else suffix}", _arranged(name, values, model, family)


def _parts(name: str, weight: Array) -> Iterator[tuple[str, Array]]:
    if name.endswith("experts.gate_up_proj"):
        for side, half in zip(("gate_proj", "up_proj"), np.split(weight, 2, axis=1), strict=True):
            yield name.replace("gate_up_proj", side), half
    else:
        yield name, weight


def _arranged(name: str, weight: Array, model: PreTrainedModel, family: Family) -> Array:
    if family.norms_above_one and name.endswith("norm.weight"):
        return weight + np.float32(1)
    heads = {"q_proj": "num_attention_heads", "k_proj": "num_key_value_heads"}
    count = next((key for part, key in heads.items() if part in name), "")
    if not family.rows_in_pairs or not count:
        return weight
    halves = weight.reshape(getattr(model.config, count), 2, -1, weight.shape[-1])
    return halves.swapaxes(1, 2).reshape(weight.shape)
