"""A trained base as a GGUF: the served file with other weights.

Everything but the weights is copied, tokenizer and chat template included. Names differ on both
sides, and llama-architecture files keep the rows of q and k in another order. An output layer that
shares the embeddings' weight is not written twice. The file is written beside its final name, read
back as any base is, and renamed only when every weight came back as it was trained.
"""

import struct
import tempfile
from collections.abc import Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from gguf import (
    MODEL_ARCH_NAMES,
    GGUFReader,
    GGUFValueType,
    GGUFWriter,
    LlamaFileType,
    get_tensor_name_map,
)
from transformers import PreTrainedModel

from npc_server.engine.lora.lora_gguf import permute_rotary_rows
from trainer.base import ensure_base
from trainer.errors import BaseModelError
from trainer.lora import load_base

Array = npt.NDArray[Any]

#: Architectures that store each weight as transformers has it, llama's rotary rows aside.
WRITABLE = ("llama", "qwen2")
#: Tensors that follow from the shape and are never trained.
_DERIVED = ("rope_freqs.weight", "rope_factors_long.weight", "rope_factors_short.weight")
_F16_ROUNDING = 2.0**-11  # relative


class Precision(StrEnum):
    """How the weights of a written base are stored."""

    F32 = "f32"
    """Exactly as trained."""
    F16 = "f16"
    """Matrices rounded to half the size; norms and biases stay exact."""


_FILE_TYPE = {Precision.F32: LlamaFileType.ALL_F32, Precision.F16: LlamaFileType.MOSTLY_F16}


def require_writable(served: Path) -> None:
    """Raise BaseModelError for a base that could be trained but not written back."""
    architecture = _text(_read(served), "general.architecture")
    if architecture not in WRITABLE:
        raise BaseModelError(
            f"{served.name} has architecture {architecture!r}, which cannot be written back; all"
            f" weights can be trained for {', '.join(WRITABLE)}. Train an adapter instead"
        )


def write_base(model: PreTrainedModel, served: Path, out: Path, precision: Precision) -> None:
    """Write `model`, which was trained from `served`, as the new GGUF `out`.

    Raises BaseModelError; `out` then does not exist.
    """
    require_writable(served)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{out.name}-", dir=out.parent) as scratch:
            beside = Path(scratch) / out.name
            _write(beside, _read(served), model, precision)
            _require_equal(model, beside, Path(scratch), precision)
            beside.rename(out)
    except OSError as error:
        raise BaseModelError(f"{out} cannot be written: {error}") from error


def _read(path: Path) -> GGUFReader:
    try:
        return GGUFReader(path)
    except (OSError, ValueError, KeyError, IndexError, struct.error) as error:
        raise BaseModelError(f"{path} is no readable GGUF: {error}") from error


def _write(path: Path, served: GGUFReader, model: PreTrainedModel, precision: Precision) -> None:
    writer = GGUFWriter(path, _text(served, "general.architecture"))
    _copy_metadata(served, writer)
    writer.add_file_type(_FILE_TYPE[precision])
    for name, weight in _weights(served, model):
        half = precision is Precision.F16 and weight.ndim > 1
        writer.add_tensor(name, np.ascontiguousarray(weight, np.float16 if half else np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _copy_metadata(served: GGUFReader, writer: GGUFWriter) -> None:
    own = ("general.architecture", "general.file_type", "general.alignment")  # the writer's
    for field in served.fields.values():
        if field.name in own or field.name.startswith("GGUF."):
            continue
        kind, items = field.types[0], field.types[-1]
        of_items = items if kind is GGUFValueType.ARRAY else None
        writer.add_key_value(field.name, field.contents(), kind, of_items)


def _weights(served: GGUFReader, model: PreTrainedModel) -> Iterator[tuple[str, Array]]:
    """The trained weights under the served file's names, in its order."""
    trained = _by_gguf_name(served, model)
    for tensor in served.tensors:
        if tensor.name in _DERIVED:
            yield tensor.name, tensor.data
        elif tensor.name not in trained:
            raise BaseModelError(f"no trained weight belongs to tensor {tensor.name}")
        else:
            yield tensor.name, _in_file_order(tensor.name, trained[tensor.name].numpy(), served)


def _by_gguf_name(served: GGUFReader, model: PreTrainedModel) -> Mapping[str, torch.Tensor]:
    architecture = _text(served, "general.architecture")
    kinds = {name: kind for kind, name in MODEL_ARCH_NAMES.items()}
    names = get_tensor_name_map(kinds[architecture], _number(served, "block_count"))
    split = {name: name.rpartition(".") for name in model.state_dict()}
    return {
        f"{names.get_name(stem)}.{suffix}": weight.detach().float().cpu()
        for (stem, _, suffix), weight in zip(
            split.values(), model.state_dict().values(), strict=True
        )
    }


def _in_file_order(name: str, weight: Array, served: GGUFReader) -> Array:
    if _text(served, "general.architecture") != "llama":
        return weight
    heads = {".attn_q.": "attention.head_count", ".attn_k.": "attention.head_count_kv"}
    for part, count in heads.items():
        if part in name:
            rows = permute_rotary_rows(weight.reshape(len(weight), -1), _number(served, count))
            return rows.reshape(weight.shape)
    return weight


def _require_equal(
    model: PreTrainedModel, written: Path, scratch: Path, precision: Precision
) -> None:
    trained, tolerance = model.state_dict(), _F16_ROUNDING if precision is Precision.F16 else 0.0
    for name, weight in load_base(ensure_base(written, scratch)).state_dict().items():
        if not torch.allclose(weight, trained[name].float().cpu(), rtol=tolerance, atol=1e-7):
            raise BaseModelError(f"{name} does not come back from the written GGUF as it was")


def _text(served: GGUFReader, key: str) -> str:
    field = served.get_field(key)
    if field is None:
        raise BaseModelError(f"the served GGUF has no {key}")
    return str(field.contents())


def _number(served: GGUFReader, key: str) -> int:
    return int(_text(served, f"{_text(served, 'general.architecture')}.{key}"))
