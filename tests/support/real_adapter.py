"""A small adapter of the real base."""

import json
from functools import cache
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from npc_server.base_models.model_files import file_sha256
from personas.adapter_repo import AdapterRepo, Draft

_sha256 = cache(file_sha256)  # of one base, which takes a while


def publish_random(
    root: Path, source: Path, base: Path, character: str = "mira", seed: int = 1
) -> str:
    """Make a small random adapter of the real base live for a character; returns its version."""
    source.mkdir()
    config = {"peft_type": "LORA", "r": 4, "lora_alpha": 4, "target_modules": ["down_proj"]}
    name = "base_model.model.model.layers.0.mlp.down_proj.lora"
    noise = np.random.default_rng(seed)
    a = noise.normal(0, 0.02, (4, 1536)).astype(np.float32)
    b = noise.normal(0, 0.02, (576, 4)).astype(np.float32)
    tensors = {f"{name}_A.weight": a, f"{name}_B.weight": b}
    save_file(tensors, source / "adapter_model.safetensors")
    (source / "adapter_config.json").write_text(json.dumps(config))
    repo = AdapterRepo(root)
    draft = Draft(character, None, _sha256(base), "dpo", {}, "", (), {})
    version = repo.publish(draft, source).version
    repo.promote(character, version)
    return version
