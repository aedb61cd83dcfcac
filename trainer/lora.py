"""Loads a character's adapter for training, and saves it.

A new adapter starts as zero on the base; a later one continues its parent. Both are trained under
PEFT's name "default", which TRL copies to a frozen "ref": the reference of a night is the character
as it was when the night began. A saved adapter is two files that name no path of this machine and
have the same bytes for the same training, in whatever precision the base was loaded. On a GPU
they hardly ever have: it adds up in another order each time.
"""

import json
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from peft import LoraConfig, PeftModel, get_peft_model, prepare_model_for_kbit_training
from peft.tuners.lora import LoraLayer
from safetensors import SafetensorError
from torch import nn
from transformers import AutoConfig, AutoModelForCausalLM, BitsAndBytesConfig, PreTrainedModel

from personas.render import Tokenizer
from trainer.errors import AdapterError, BaseModelError, ConfigError, MissingLibraryError
from trainer.hardware import find_hardware
from trainer.held import Device, Held, Weights
from trainer.memory import ModelSize
from trainer.memory_plan import voice_place
from trainer.settings import LoraShape

ADAPTER_CONFIG = "adapter_config.json"
ADAPTER_WEIGHTS = "adapter_model.safetensors"
TRAINED = "default"  # TRL makes its reference copy from the adapter of this name only


@dataclass(frozen=True)
class StartingPoint:
    """What a training begins from."""

    base_dir: Path  # dequantised
    tokenizer: Tokenizer  # of the served model, so that what is trained is what is served
    adapter: Path | None  # the parent's folder; None = the bare base


def load_base(
    base_dir: Path,
    weights: Weights = Weights.FLOAT32,
    device: Device = Device.CPU,
    in_bfloat16: bool = False,
) -> PreTrainedModel:
    """Load the base with `weights` onto a device; what stays dense beside four bits follows suit.

    Raises BaseModelError and MissingLibraryError.
    """
    half = in_bfloat16 or weights is Weights.BFLOAT16
    held: dict[str, Any] = {"dtype": torch.bfloat16 if half else torch.float32}
    if weights is Weights.NF4:
        held |= _in_four_bits(held["dtype"])
    if weights is Weights.NF4 or device is not Device.CPU:
        held["device_map"] = {"": "cuda:0" if device is Device.CUDA else str(device)}
    try:
        model = AutoModelForCausalLM.from_pretrained(base_dir, **held)
    except torch.OutOfMemoryError as error:
        raise BaseModelError(
            f"{base_dir} in {weights} does not fit into the memory of {device}; in [training] set"
            ' base = "nf4", or device = "cpu"'
        ) from error
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise BaseModelError(f"{base_dir} cannot be used as a training base: {error}") from error
    except ImportError as error:
        raise MissingLibraryError(f"a base in four bits needs bitsandbytes: {error}") from error
    return cast(PreTrainedModel, model)


def adaptable_layers(base_dir: Path) -> frozenset[str]:
    """The layers that an adapter of "all layers" sits in, without loading a weight.

    Raises BaseModelError.
    """
    return frozenset(name.rpartition(".")[2] for name in _linears(_outline(base_dir)))


def model_size(base_dir: Path) -> ModelSize:
    """The figures of a base, without loading a weight. Raises BaseModelError."""
    model = _outline(base_dir)
    linears = _linears(model).values()
    config: Any = model.config
    return ModelSize(
        weights=sum(weight.numel() for weight in model.parameters() if weight.dim() > 1),
        linears=tuple((linear.in_features, linear.out_features) for linear in linears),
        layers=config.num_hidden_layers,
        width=config.hidden_size,
        vocabulary=config.vocab_size,
    )


def load_policy(start: StartingPoint, shape: LoraShape, held: Held) -> PeftModel:
    """Load the base with a trainable adapter: the parent's, or a new one that changes nothing.

    Raises BaseModelError, ConfigError for a layer that the base does not have, and AdapterError
    when the parent cannot be loaded or has another shape.
    """
    base = load_base(start.base_dir, held.weights, held.device, held.in_bfloat16)
    layers = _adapted_layers(base, shape)
    if held.weights is Weights.NF4 and not held.in_bfloat16:
        # Norms and embeddings in float32. TRL turns checkpointing on and off itself.
        prepare: Callable[..., PreTrainedModel] = prepare_model_for_kbit_training
        base = prepare(base, use_gradient_checkpointing=False)
    if start.adapter is None:
        return cast(PeftModel, get_peft_model(base, _lora_config(shape, layers)))
    return _load_parent(base, start.adapter, shape, layers)


def load_voice(
    base_dir: Path, adapter: Path | None, device: Device = Device.AUTO
) -> PreTrainedModel:
    """Load the base for scoring, with an adapter, or bare for None.

    It computes on `device` where it fits there, else on the CPU. Raises ConfigError when there is
    no such device, BaseModelError and AdapterError.
    """
    place, weights = voice_place(model_size(base_dir), find_hardware(device))
    base = load_base(base_dir, weights, place)
    if adapter is None:
        return base
    voice = _with_adapter(base, adapter, trainable=False)
    if weights is Weights.FLOAT32:
        return cast(PreTrainedModel, voice.merge_and_unload())
    # Merged into 16 bits, most of what an adapter adds would be rounded away.
    return cast(PreTrainedModel, voice.get_base_model())


@contextmanager
def keep_precision(policy: PeftModel) -> Iterator[None]:
    """Undo TRL's rounding to bfloat16 of an adapter on a quantized base.

    TRL makes its reference copy before, so a parent's policy and reference would differ.
    """
    exact = {
        name: weight.detach().clone()
        for name, weight in policy.named_parameters()
        if weight.requires_grad
    }
    yield
    weights = dict(policy.named_parameters())
    for name, numbers in exact.items():
        weights[name].data = numbers.to(weights[name].device)


def save_adapter(policy: PeftModel, base_dir: Path, out_dir: Path) -> None:
    """Write the trained adapter's two files into `out_dir`; make the folder when absent."""
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
    targets = config["target_modules"]  # an expression, in an adapter that was made elsewhere
    named = {
        **config,
        "base_model_name_or_path": base_name,
        "target_modules": targets if isinstance(targets, str) else sorted(targets),
    }
    return json.dumps(named, indent=2, sort_keys=True) + "\n"


def _in_four_bits(computed: torch.dtype) -> dict[str, Any]:
    """Arguments under which transformers quantizes a base as it loads it."""
    quantization: Callable[..., BitsAndBytesConfig] = BitsAndBytesConfig
    return {
        "quantization_config": quantization(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=computed,
        ),
    }


def _outline(base_dir: Path) -> PreTrainedModel:
    """The model without weights. Raises BaseModelError."""
    make: Callable[[Any], PreTrainedModel] = AutoModelForCausalLM.from_config
    try:
        with torch.device("meta"):
            return make(AutoConfig.from_pretrained(base_dir))
    except (OSError, ValueError, RuntimeError) as error:
        raise BaseModelError(f"{base_dir} cannot be used as a training base: {error}") from error


def _adapted_layers(base: PreTrainedModel, shape: LoraShape) -> frozenset[str]:
    """The names of the layers an adapter of this shape sits in. Raises ConfigError."""
    known = frozenset(name.rpartition(".")[2] for name in _linears(base))
    unknown = sorted(set(shape.targets) - known)
    if unknown:
        raise ConfigError(f"targets {unknown} are not layers of the base; it has {sorted(known)}")
    return frozenset(shape.targets) or known


def _linears(base: PreTrainedModel) -> dict[str, nn.Linear]:
    """The linear layers of the model's body by their whole names."""
    head_of: Callable[[], nn.Module] = base.get_output_embeddings
    head = head_of()
    return {
        name: module
        for name, module in base.named_modules()
        if isinstance(module, nn.Linear) and module is not head
    }


def _lora_config(shape: LoraShape, layers: frozenset[str]) -> LoraConfig:
    return LoraConfig(
        r=shape.rank,
        lora_alpha=shape.alpha,
        lora_dropout=shape.dropout,
        target_modules=sorted(layers),  # PEFT's "all-linear" takes experts, too
        task_type="CAUSAL_LM",
    )


def _load_parent(
    base: PreTrainedModel, parent: Path, shape: LoraShape, layers: frozenset[str]
) -> PeftModel:
    policy = _with_adapter(base, parent, trainable=True, dropout=shape.dropout)
    config = cast(LoraConfig, policy.peft_config[TRAINED])
    if (config.r, config.lora_alpha) != (shape.rank, shape.alpha):
        raise AdapterError(
            f"parent adapter {parent.name} has rank {config.r} and alpha {config.lora_alpha}, but"
            f" the config asks for {shape.rank} and {shape.alpha}; train with the parent's shape,"
            " or without a parent"
        )
    own = {
        name.rpartition(".")[2]
        for name, module in policy.named_modules()
        if isinstance(module, LoraLayer)
    }
    if own != layers:
        raise AdapterError(
            f"parent adapter {parent.name} sits in {sorted(own)}, but the config asks for"
            f" {sorted(layers)}; train with the parent's targets, or without a parent"
        )
    return policy


def _with_adapter(
    base: PreTrainedModel, adapter: Path, trainable: bool, dropout: float = 0.0
) -> PeftModel:
    missing = [name for name in (ADAPTER_CONFIG, ADAPTER_WEIGHTS) if not (adapter / name).is_file()]
    if missing:
        raise AdapterError(f"adapter folder {adapter} lacks {', '.join(missing)}")
    try:
        config = LoraConfig.from_pretrained(str(adapter))
        config.lora_dropout = dropout  # a setting of the training, not of the adapter
        config.base_model_name_or_path = base.name_or_path  # its path on this machine
        loaded = PeftModel.from_pretrained(
            base, str(adapter), adapter_name=TRAINED, is_trainable=trainable, config=config
        )
    except (ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
        raise AdapterError(f"adapter {adapter} does not fit this base: {error}") from error
    return loaded
