"""The transformers model that computes what llama.cpp serves, as read from the header of a GGUF.

Each architecture is a function from what a file says to the values of a config. What llama.cpp has
built in and no file says stands here: which layers have a window, how one size scales attention,
that experts share out a whole. Architectures that are not here are left to transformers' own
reader, which knows fewer of these things; what it gets wrong is found when bases are compared.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from transformers import AutoConfig, PretrainedConfig

from npc_server.engine.gguf_header import UNREADABLE, HeaderReader
from trainer.errors import BaseModelError
from trainer.rope_scaling import RopeScaling, head_width

Values = dict[str, Any]

_FULL, _WINDOW = "full_attention", "sliding_attention"
#: Layers of the Gemma sizes that scale attention by the width of the model, not of a head.
_GEMMA_2_27B, _GEMMA_3_27B = 46, 62


def read_config(gguf: Path, scaling: RopeScaling) -> PretrainedConfig | None:
    """The config of a base whose positions are scaled so; None = transformers has to read it.

    Raises BaseModelError.
    """
    file = _File(gguf, scaling)
    if file.architecture not in _READERS:
        return None
    values = _common(file) | _READERS[file.architecture](file)
    kind = values.pop("model_type", file.architecture)
    config: PretrainedConfig = AutoConfig.for_model(kind, **values)
    return config


class _File:
    """What the header of a GGUF says."""

    def __init__(self, gguf: Path, scaling: RopeScaling) -> None:
        try:
            self._header = HeaderReader(gguf)
        except UNREADABLE as error:
            raise BaseModelError(f"{gguf} is no readable GGUF: {error}") from error
        self.gguf, self.scaling = gguf, scaling
        self.architecture = self._header.text("general.architecture") or "unknown"
        self.tensors = {tensor.name: tensor for tensor in self._header.tensors}

    def value(self, key: str, default: float | None = None) -> float:
        """A number of this architecture. Raises BaseModelError."""
        found = self._header.number(f"{self.architecture}.{key}")
        if found is None and default is None:
            raise BaseModelError(
                f"{self.gguf} does not say {self.architecture}.{key} as one number for all layers;"
                " it cannot be trained"
            )
        return default if found is None else found  # type: ignore[return-value] # checked above

    def count(self, key: str, default: float | None = None) -> int:
        """A whole number of this architecture. Raises BaseModelError."""
        return int(self.value(key, default))

    def list(self, key: str) -> Sequence[float]:
        """The numbers of a list, one per layer; () = there is none."""
        return self._header.numbers(f"{self.architecture}.{key}")

    def token(self, name: str) -> int | None:
        """The id of a special token, or None."""
        found = self._header.number(f"tokenizer.ggml.{name}_token_id")
        return None if found is None else int(found)

    @property
    def layers(self) -> int:
        return self.count("block_count")

    @property
    def theta(self) -> float:
        return self.value("rope.freq_base", 10000.0)


def _common(file: _File) -> Values:
    if "token_embd.weight" not in file.tensors:
        raise BaseModelError(f"{file.gguf} has no token_embd.weight: it holds no whole model")
    heads = file.count("attention.head_count")
    return {
        "vocab_size": int(file.tensors["token_embd.weight"].shape[1]),
        "hidden_size": file.count("embedding_length"),
        "intermediate_size": file.count("feed_forward_length"),
        "num_hidden_layers": file.layers,
        "num_attention_heads": heads,
        "num_key_value_heads": file.count("attention.head_count_kv", heads),
        "head_dim": head_width(file.gguf),
        "rms_norm_eps": file.value("attention.layer_norm_rms_epsilon"),
        "max_position_embeddings": file.count("context_length"),
        "rope_parameters": _rope(file),
        "tie_word_embeddings": "output.weight" not in file.tensors,
        "bos_token_id": file.token("bos"),
        "eos_token_id": file.token("eos"),
        "pad_token_id": file.token("padding"),
    }


def _rope(file: _File) -> Values:
    if file.scaling.tag:
        return file.scaling.parameters(file.theta, file.count("context_length"))
    return {"rope_type": "default", "rope_theta": file.theta}


def _llama(file: _File) -> Values:
    _require_dense(file)
    return _biases(file)


def _require_dense(file: _File) -> None:
    if file.count("expert_count", 0):
        raise BaseModelError(
            f"{file.gguf} has experts in an architecture that is trained without; use another base"
        )


def _mistral3(file: _File) -> Values:
    own = {
        "llama_4_scaling_beta": file.value("attention.temperature_scale", 0.0),
        "original_max_position_embeddings": file.count(
            "rope.scaling.original_context_length", file.count("context_length")
        ),
    }
    _require_dense(file)
    return {"model_type": "ministral3", "rope_parameters": _rope(file) | own}


def _smollm3(file: _File) -> Values:
    return {"no_rope_layer_interval": 4, **_biases(file)}


def _biases(file: _File) -> Values:
    return {
        "attention_bias": "blk.0.attn_q.bias" in file.tensors,
        "mlp_bias": "blk.0.ffn_down.bias" in file.tensors,
    }


def _qwen3_moe(file: _File) -> Values:
    used = file.count("expert_used_count")
    width = file.count("expert_feed_forward_length", file.count("feed_forward_length") // used)
    return {
        "model_type": "qwen3_moe",
        "num_experts": file.count("expert_count"),
        "num_experts_per_tok": used,
        "moe_intermediate_size": width,
        "norm_topk_prob": True,
        "router_aux_loss_coef": 0.0,  # an adapter leaves the router alone
    }


def _gemma2(file: _File) -> Values:
    return {
        **_windows(file, tokens=file.count("attention.sliding_window", 4096), pattern=2),
        "query_pre_attn_scalar": _attention_scale(file, _GEMMA_2_27B),
        "attn_logit_softcapping": file.value("attn_logit_softcapping", 50.0),
        "final_logit_softcapping": file.value("final_logit_softcapping", 30.0),
    }


def _gemma3(file: _File) -> Values:
    local = {"rope_type": "default", "rope_theta": file.value("rope.freq_base_swa", 10000.0)}
    return {
        **_windows(file, tokens=file.count("attention.sliding_window", 0), pattern=6),
        "model_type": "gemma3_text",
        "query_pre_attn_scalar": _attention_scale(file, _GEMMA_3_27B),
        "final_logit_softcapping": file.value("final_logit_softcapping", 0.0) or None,
        "rope_parameters": {_FULL: _rope(file), _WINDOW: local},
    }


def _attention_scale(file: _File, layers_of_27b: int) -> int:
    """What queries are divided by the root of."""
    if file.layers == layers_of_27b:
        return file.count("embedding_length") // file.count("attention.head_count")
    return head_width(file.gguf)


def _windows(file: _File, tokens: int, pattern: int) -> Values:
    """Which layers see so many tokens back; 0 tokens = none. Of `pattern` layers one sees all."""
    listed = file.list("attention.sliding_window_pattern")
    every = file.count("attention.sliding_window_pattern", pattern)
    by_rule = [every == 0 or layer % every < every - 1 for layer in range(file.layers)]
    kinds = [_WINDOW if tokens and one else _FULL for one in listed or by_rule]
    # transformers wants a window even where no layer has one.
    return {"sliding_window": tokens or file.count("context_length"), "layer_types": kinds}


_READERS: Mapping[str, Callable[[_File], Values]] = {
    "llama": _llama,
    "qwen2": lambda _: {},
    "qwen3": lambda _: {},
    "qwen3moe": _qwen3_moe,
    "gemma2": _gemma2,
    "gemma3": _gemma3,
    "phi3": lambda _: {},
    "smollm3": _smollm3,
    "mistral3": _mistral3,
}
