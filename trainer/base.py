"""The training base: the served GGUF, unpacked to dense float32 weights.

What is trained is what is served, so an adapter is fitted to the numbers the engine multiplies
with: the quantised ones, dequantised. Unpacking takes about 15 s for a 135M model, so the result
is kept under the sha256 of the GGUF. A folder is written beside its final name and renamed, so one
that exists is complete and is never changed.
"""

import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from transformers import AutoConfig, AutoModelForCausalLM, GgufConfig, PreTrainedTokenizerFast

from npc_server.engine.gguf_header import HeaderReader
from trainer.base_config import read_config
from trainer.base_weights import write_weights
from trainer.errors import BaseModelError
from trainer.rope_scaling import RopeScaling, head_width, read_rope_scaling

GGUF_MAGIC = b"GGUF"
_MISFIT = "ignore_mismatched_sizes"  # transformers' advice where shapes differ


def ensure_base(gguf: Path, cache_dir: Path, sha256: str = "", context_tokens: int = 0) -> Path:
    """The folder with `gguf` as a dense Hugging Face model and tokenizer, made when absent.

    Pass the file's `sha256` where it is known: computing it reads the whole file. A few bases
    rotate positions by other numbers when they serve a long context: `context_tokens` is that of a
    turn. Raises BaseModelError when the file is missing, is not a GGUF, or cannot be unpacked.
    """
    _check_is_gguf(gguf)
    scaling = read_rope_scaling(gguf, context_tokens)
    final = dense_folder(cache_dir, sha256 or file_sha256(gguf), scaling)
    if not final.exists():
        final.parent.mkdir(parents=True, exist_ok=True)
        _publish(gguf, final, scaling)
    return final


def dense_folder(cache_dir: Path, sha256: str, scaling: RopeScaling | None = None) -> Path:
    """Where `ensure_base` keeps the dense copy of the GGUF with this sha256 and scaling."""
    return cache_dir / "dequantised" / f"{sha256[:16]}{scaling.tag if scaling else ''}"


def file_sha256(path: Path) -> str:
    """The sha256 of a file's bytes, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _check_is_gguf(gguf: Path) -> None:
    if not gguf.is_file():
        raise BaseModelError(f"base model {gguf} does not exist; fetch it with `npc model pull`")
    with gguf.open("rb") as file:
        magic = file.read(4)
    if magic != GGUF_MAGIC:
        raise BaseModelError(f"{gguf} is not a GGUF file: it begins with {magic!r}, not 'GGUF'")


def _publish(gguf: Path, final: Path, scaling: RopeScaling) -> None:
    beside = Path(tempfile.mkdtemp(prefix=f".{final.name}-", dir=final.parent))
    try:
        _unpack(gguf, beside, scaling)
        _rename_unless_there(beside, final)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _unpack(gguf: Path, out: Path, scaling: RopeScaling) -> None:
    try:
        config = read_config(gguf, scaling)
        if config is None:
            _read_by_transformers(gguf, out, scaling)
        else:
            write_weights(gguf, config, out)
            config.save_pretrained(out)
        _write_tokenizer(gguf, out)
    except BaseModelError:
        raise
    except Exception as error:  # what foreign files say may make anything fail, in any way
        told = " ".join(str(error).split())
        why = "transformers expects weights of other shapes" if _MISFIT in told else told
        raise BaseModelError(f"{gguf} cannot be unpacked for training: {why}") from error


def _write_tokenizer(gguf: Path, out: Path) -> None:
    """Write what TRL asks for, a token to pad with: what is encoded, the served model encodes."""
    end = int(HeaderReader(gguf).number("tokenizer.ggml.eos_token_id") or 0)
    only = Tokenizer(WordLevel({"<end>": end}, "<end>"))
    make: Callable[..., Any] = PreTrainedTokenizerFast
    make(tokenizer_object=only, eos_token="<end>", pad_token="<end>").save_pretrained(out)


def _read_by_transformers(gguf: Path, out: Path, scaling: RopeScaling) -> None:
    """Unpack an architecture that we have no table of."""
    model = AutoModelForCausalLM.from_pretrained(
        gguf.parent,
        config=_config_of(gguf),
        gguf_file=gguf.name,
        quantization_config=GgufConfig(dequantize=True),
        dtype=torch.float32,
    )
    model.save_pretrained(out)
    if scaling.tag:
        _scale_positions(out / "config.json", scaling)


def _config_of(gguf: Path) -> Any:
    """The config of the converted model, with the width of a head, which conversion leaves out."""
    config: Any = AutoConfig.from_pretrained(gguf.parent, gguf_file=gguf.name)
    width = head_width(gguf)
    if width and hasattr(config, "head_dim"):
        config.head_dim = width
    return config


def _scale_positions(config: Path, scaling: RopeScaling) -> None:
    """Write into a model's config what its conversion from the GGUF leaves out."""
    written = json.loads(config.read_text("utf-8"))
    theta = written["rope_parameters"]["rope_theta"]
    written["rope_parameters"] = scaling.parameters(theta, written["max_position_embeddings"])
    config.write_text(json.dumps(written, indent=2) + "\n")


def _rename_unless_there(beside: Path, final: Path) -> None:
    try:
        beside.rename(final)
    except OSError:
        if not final.exists():  # another process was faster: its folder has the same content
            raise
