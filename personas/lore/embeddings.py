"""Static embeddings: what a text means, as the mean of what its tokens mean.

A model is a folder in the format of model2vec: `model.safetensors` with a row per token
(`embeddings`, maybe `weights` and `mapping`), and the `tokenizer.json` that splits texts. It takes
some microseconds per text and no GPU. Nothing is downloaded: the folder is there or is told to be
missing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from personas.errors import EmbeddingModelError
from personas.lore.shelf import Vectors

if TYPE_CHECKING:
    from tokenizers import Tokenizer

_FILES = ("model.safetensors", "tokenizer.json")


@dataclass(frozen=True)
class StaticEmbedder:
    """A loaded model."""

    tokenizer: Tokenizer
    table: NDArray[np.float32]  # a row per token id, times the token's weight
    unknown: int | None  # the id of what the tokenizer does not know

    def vectors(self, texts: Sequence[str]) -> Vectors:
        """A row of length 1 per text; of zeros for one it knows no word of."""
        encoded = self.tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)
        rows = np.stack([self._mean([i for i in one.ids if i != self.unknown]) for one in encoded])
        lengths = np.linalg.norm(rows, axis=1, keepdims=True)
        vectors: Vectors = (rows / np.maximum(lengths, 1e-12)).astype(np.float32)
        return vectors

    def _mean(self, ids: list[int]) -> NDArray[np.float32]:
        if not ids:
            return np.zeros(self.table.shape[1], np.float32)
        mean: NDArray[np.float32] = self.table[ids].mean(axis=0, dtype=np.float32)
        return mean


def load_embedder(folder: Path) -> StaticEmbedder:
    """Load a model. Raises EmbeddingModelError, which says what is missing and what to do."""
    for name in _FILES:
        if not (folder / name).is_file():
            raise EmbeddingModelError(
                f"{folder} has no {name}: an embedding model is a folder in the format of"
                f" model2vec, with {' and '.join(_FILES)}; name one, or leave the setting out"
            )
    tokenizer = _read_tokenizer(folder / "tokenizer.json")
    table = _read_table(folder / "model.safetensors")
    if len(table) < tokenizer.get_vocab_size(with_added_tokens=False):
        raise EmbeddingModelError(
            f"{folder}: the model has {len(table)} rows, and its tokenizer"
            f" {tokenizer.get_vocab_size()} tokens; they are not of the same model"
        )
    return StaticEmbedder(tokenizer, table, _unknown_id(tokenizer))


def _read_tokenizer(file: Path) -> Tokenizer:
    try:
        from tokenizers import Tokenizer
    except ImportError as error:
        what = "embedding models need the extra `embeddings`: pip install 'troupe[embeddings]'"
        raise EmbeddingModelError(what) from error
    try:
        tokenizer = Tokenizer.from_file(str(file))
    except Exception as error:  # tokenizers raises nothing narrower
        raise EmbeddingModelError(f"{file}: no tokenizer: {error}") from error
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def _read_table(file: Path) -> NDArray[np.float32]:
    """A row per token id: the token's own, or the one it shares, times its weight."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        tensors = load_file(file)
    except (SafetensorError, OSError, ValueError) as error:
        raise EmbeddingModelError(f"{file}: cannot be read: {error}") from error
    embeddings = tensors.get("embeddings")
    if embeddings is None or embeddings.ndim != 2:
        known = ", ".join(sorted(tensors)) or "none"
        raise EmbeddingModelError(f"{file}: has no table `embeddings`; its tensors are {known}")
    table = embeddings.astype(np.float32)
    if "mapping" in tensors:
        table = table[tensors["mapping"]]
    if "weights" in tensors:
        table = table * tensors["weights"].astype(np.float32)[:, None]
    return table


def _unknown_id(tokenizer: Tokenizer) -> int | None:
    unknown: Any = getattr(tokenizer.model, "unk_token", None)
    return tokenizer.token_to_id(unknown) if unknown else None
