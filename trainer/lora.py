"""A character's adapter between disk and training.

A new adapter starts as zero on the base; a later one goes on from its parent. Both are trained
under PEFT's name "default", which TRL copies to a frozen "ref": the reference of a night is what
the character was when the night began. A saved adapter is two files that name no path of this
machine and are the same bytes for the same training.
"""

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors import SafetensorError
from transformers import AutoModelForCausalLM, PreTrainedModel

from personas.render import Tokenizer
from trainer.errors import AdapterError, BaseModelError
from trainer.settings import LoraShape

ADAPTER_CONFIG = "adapter_config.json"
ADAPTER_WEIGHTS = "adapter_model.safetensors"
TRAINED = "default"  # TRL makes its reference copy from the adapter of this name only


@dataclass(frozen=True)
class StartingPoint:
    """What a training begins from."""

    base_dir: Path  # dequantised
    tokenizer: Tokenizer  # the served model's own: what it feeds is what is trained
    adapter: Path | None  # the parent's folder; None = the bare base


def load_base(base_dir: Path) -> PreTrainedModel:
    """The dense base in float32. Raises BaseModelError."""
    try:
        model = AutoModelForCausalLM.from_pretrained(base_dir, dtype=torch.float32)
    except (OSError, ValueError, SafetensorError) as error:
        raise BaseModelError(f"{base_dir} is no usable training base: {error}") from error
    return cast(PreTrainedModel, model)


def load_policy(base_dir: Path, parent: Path | None, shape: LoraShape) -> PeftModel:
    """The base with a trainable adapter: the parent's weights, or a new one that changes nothing.

    Raises BaseModelError, and AdapterError when the parent cannot be loaded or has another shape.
    """
    base = load_base(base_dir)
    if parent is None:
        return cast(PeftModel, get_peft_model(base, _lora_config(shape)))
    return _continued(base, parent, shape)


def load_voice(base_dir: Path, adapter: Path | None) -> PreTrainedModel:
    """The base for scoring, speaking with an adapter, or bare for None."""
    base = load_base(base_dir)
    if adapter is None:
        return base
    voice = _with_adapter(base, adapter, trainable=False)
    return cast(PreTrainedModel, voice.merge_and_unload())


def save_adapter(policy: PeftModel, base_dir: Path, out_dir: Path) -> None:
    """Write the trained adapter's two files into `out_dir`, which is made when absent."""
    out_dir.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out_dir.parent) as scratch:
        policy.save_pretrained(scratch, selected_adapters=[TRAINED], save_embedding_layers=False)
        written = json.loads((Path(scratch) / ADAPTER_CONFIG).read_text())
        (Path(scratch) / ADAPTER_WEIGHTS).rename(out_dir / ADAPTER_WEIGHTS)
    (out_dir / ADAPTER_CONFIG).write_text(_portable(written, base_dir.name))


def _portable(config: dict[str, Any], base_name: str) -> str:
    """The adapter's config with the base's digest for its path, in one order.

    PEFT keeps module names in a set, whose order differs between processes.
    """
    named = {
        **config,
        "base_model_name_or_path": base_name,
        "target_modules": sorted(config["target_modules"]),
    }
    return json.dumps(named, indent=2, sort_keys=True) + "\n"


def _lora_config(shape: LoraShape) -> LoraConfig:
    # No dropout: TRL switches it off in policy and reference anyway.
    return LoraConfig(
        r=shape.rank, lora_alpha=shape.alpha, target_modules="all-linear", task_type="CAUSAL_LM"
    )


def _continued(base: PreTrainedModel, parent: Path, shape: LoraShape) -> PeftModel:
    policy = _with_adapter(base, parent, trainable=True)
    config = cast(LoraConfig, policy.peft_config[TRAINED])
    if (config.r, config.lora_alpha) != (shape.rank, shape.alpha):
        raise AdapterError(
            f"parent adapter {parent.name} has rank {config.r} and alpha {config.lora_alpha}, but"
            f" the config asks for {shape.rank} and {shape.alpha}; train with the parent's shape,"
            " or without a parent"
        )
    return policy


def _with_adapter(base: PreTrainedModel, adapter: Path, trainable: bool) -> PeftModel:
    missing = [name for name in (ADAPTER_CONFIG, ADAPTER_WEIGHTS) if not (adapter / name).is_file()]
    if missing:
        raise AdapterError(f"adapter folder {adapter} lacks {', '.join(missing)}")
    try:
        loaded = PeftModel.from_pretrained(
            base, str(adapter), adapter_name=TRAINED, is_trainable=trainable
        )
    except (ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
        raise AdapterError(f"adapter {adapter} does not fit this base: {error}") from error
    return loaded
