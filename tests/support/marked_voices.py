"""Real adapters that can be distinguished: each keeps saying a word of its own.

The adapter has rank one, on the last feed-forward output. Its A is fitted so that A·x is about 1 on
ordinary text; its B points where the marker's logit grows and the others' hardly do, by as much as
it takes to say the word in almost every reply.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from safetensors.numpy import save_file
from transformers import PreTrainedModel

from npc_server.engine.vocab import Vocab
from trainer.base import ensure_base
from trainer.lora import load_base

Array = npt.NDArray[np.float32]

MARKERS = ("Quebec", "algebra", "Zimbabwe", "polymer", "Mozart", "equator", "enzyme", "Sanskrit")
LINES = ("Who are you?", "Tell me about the mill.", "What is for supper?", "Good morning!")
_BOOST = 24.0  # logits that the marker gains
_WEIGHT = "base_model.model.model.layers.{layer}.mlp.down_proj.lora_{side}.weight"


def chat(vocab: Vocab, *lines: str) -> tuple[int, ...]:
    """Token ids of a conversation, the player's and the character's lines in turn."""
    ids = _message(vocab, "system", "You are Anna, a villager.")
    for i, line in enumerate(lines):
        ids += _message(vocab, "user" if i % 2 == 0 else "assistant", line)
    return (*ids, vocab.control("<|im_start|>"), *vocab.encode("assistant\n"))


def _message(vocab: Vocab, role: str, text: str) -> list[int]:
    start, end = vocab.control("<|im_start|>"), vocab.control("<|im_end|>")
    return [start, *vocab.encode(f"{role}\n{text}"), end, *vocab.encode("\n")]


def write(model: Path, cache: Path, folder: Path) -> list[Path]:
    """Write an adapter folder for each of MARKERS."""
    base, vocab = load_base(ensure_base(model, cache)), Vocab(model)
    seen = _observe(base, vocab)
    embeddings = _array(base.get_input_embeddings().weight)
    paths = []
    for marker in MARKERS:
        (token,) = vocab.encode(f" {marker}")
        direction = seen.direction(embeddings, token) * np.float32(_BOOST)
        paths.append(_save(folder / marker, seen.detector, direction, seen.layer))
    return paths


@dataclass(frozen=True)
class _Activations:
    """What passes through the last layer on ordinary text."""

    layer: int
    detector: Array  # [feed_forward]; detector·x is about 1
    norm: Array  # [width], weights of the final norm
    root_mean_square: float  # of what the final norm is given

    def direction(self, embeddings: Array, token: int) -> Array:
        """[width], to be added before the final norm: raises the token's logit by 1."""
        centred = embeddings[token] - embeddings.mean(0)
        spread = np.cov(embeddings.T)
        ridge = 0.05 * np.trace(spread) / len(spread) * np.eye(len(spread))
        direction = np.linalg.solve(spread + ridge, centred) / self.norm
        gain = centred @ (self.norm * direction) / self.root_mean_square
        return np.asarray(direction / gain, np.float32)


def _observe(base: PreTrainedModel, vocab: Vocab) -> _Activations:
    inner: Any = base.model
    inputs: list[Array] = []
    states: list[Array] = []
    hooks = [
        inner.layers[-1].mlp.down_proj.register_forward_pre_hook(
            lambda _, given: inputs.append(given[0][0].numpy())
        ),
        inner.norm.register_forward_pre_hook(lambda _, given: states.append(given[0][0].numpy())),
    ]
    with torch.no_grad():
        for line in LINES:
            base(torch.tensor([chat(vocab, line, "I am the miller here. The wheel turns slowly.")]))
    for hook in hooks:
        hook.remove()
    # The first tokens of a text carry activations like no others.
    x = np.concatenate([values[4:] for values in inputs])
    h = np.concatenate([values[4:] for values in states])
    gram = x.T @ x
    ridge = 0.3 * np.trace(gram) / len(gram) * np.eye(len(gram), dtype=np.float32)
    detector = np.linalg.solve(gram + ridge, x.sum(0))
    layers = len(inner.layers) - 1
    size = float(np.sqrt(np.square(h).mean(-1)).mean())
    return _Activations(layers, detector, _array(inner.norm.weight), size)


def _save(folder: Path, detector: Array, direction: Array, layer: int) -> Path:
    folder.mkdir(parents=True)
    tensors = {
        _WEIGHT.format(layer=layer, side="A"): np.ascontiguousarray(detector[None], np.float32),
        _WEIGHT.format(layer=layer, side="B"): np.ascontiguousarray(direction[:, None]),
    }
    save_file(tensors, folder / "adapter_model.safetensors")
    config = {"peft_type": "LORA", "r": 1, "lora_alpha": 1, "bias": "none"}
    (folder / "adapter_config.json").write_text(json.dumps(config))
    return folder


def _array(weight: Any) -> Array:
    return np.asarray(weight.detach().numpy())
