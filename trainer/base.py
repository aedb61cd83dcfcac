"""The training base: the served GGUF, unpacked to dense float32 weights.

What is trained is what is served, so an adapter is fitted to the numbers the engine multiplies
with: the quantised ones, dequantised. Unpacking takes about 15 s for a 135M model, so the result
is kept under the sha256 of the GGUF. A folder is written beside its final name and renamed, so one
that exists is complete and is never changed.
"""

import hashlib
import shutil
import tempfile
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

from trainer.errors import BaseModelError

GGUF_MAGIC = b"GGUF"


def ensure_base(gguf: Path, cache_dir: Path, sha256: str = "") -> Path:
    """The folder with `gguf` as a dense Hugging Face model and tokenizer, made when absent.

    Pass the file's `sha256` where it is known: computing it reads the whole file. Raises
    BaseModelError when the file is missing, is not a GGUF, or cannot be unpacked.
    """
    _check_is_gguf(gguf)
    final = dense_folder(cache_dir, sha256 or file_sha256(gguf))
    if not final.exists():
        final.parent.mkdir(parents=True, exist_ok=True)
        _publish(gguf, final)
    return final


def dense_folder(cache_dir: Path, sha256: str) -> Path:
    """Where `ensure_base` keeps the dense copy of the GGUF with this sha256."""
    return cache_dir / "dequantised" / sha256[:16]


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


def _publish(gguf: Path, final: Path) -> None:
    beside = Path(tempfile.mkdtemp(prefix=f".{final.name}-", dir=final.parent))
    try:
        _dequantise(gguf, beside)
        _rename_unless_there(beside, final)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _dequantise(gguf: Path, out: Path) -> None:
    try:
        model = AutoModelForCausalLM.from_pretrained(
            gguf.parent,
            gguf_file=gguf.name,
            quantization_config=GgufConfig(dequantize=True),
            dtype=torch.float32,
        )
        tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
    except Exception as error:  # readers of foreign files raise anything, even Exception
        raise BaseModelError(f"{gguf} cannot be unpacked for training: {error}") from error
    model.save_pretrained(out)
    tokenizer.save_pretrained(out)


def _rename_unless_there(beside: Path, final: Path) -> None:
    try:
        beside.rename(final)
    except OSError:
        if not final.exists():  # another process was faster: its folder has the same content
            raise
