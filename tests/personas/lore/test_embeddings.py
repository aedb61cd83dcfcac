"""Static embedding models: read as model2vec writes them, and refused with what is missing."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from personas.errors import EmbeddingModelError
from personas.lore.embeddings import load_embedder

WORDS = ["[UNK]", "mill", "flour", "bread", "storm"]
VECTORS = np.array([[9, 9], [1, 0], [1, 0.2], [0.8, 0.4], [0, 1]], np.float32)


def write_model(folder: Path, **tensors: np.ndarray[tuple[int, ...], np.dtype[np.generic]]) -> Path:
    """A model of five words, with the files and names of the real ones."""
    folder.mkdir()
    vocabulary = {word: number for number, word in enumerate(WORDS)}
    tokenizer = {
        "version": "1.0",
        "added_tokens": [],
        "normalizer": {"type": "Lowercase"},
        "pre_tokenizer": {"type": "Whitespace"},
        "model": {"type": "WordLevel", "vocab": vocabulary, "unk_token": "[UNK]"},
    }
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    save_file({"embeddings": VECTORS, **tensors}, folder / "model.safetensors")
    return folder


def test_texts_that_mean_alike_are_near(tmp_path: Path) -> None:
    mill, bread, storm = load_embedder(write_model(tmp_path / "m")).vectors(
        ["The mill", "bread and FLOUR", "storm"]
    )
    assert np.linalg.norm(mill) == pytest.approx(1)
    assert mill @ bread > 0.9 > 0.5 > mill @ storm


def test_words_it_does_not_know_count_for_nothing(tmp_path: Path) -> None:
    embedder = load_embedder(write_model(tmp_path / "m"))
    known, mixed, unknown = embedder.vectors(["mill", "xyzzy mill", "xyzzy"])
    assert np.array_equal(known, mixed)
    assert not unknown.any()


def test_tokens_that_share_a_row_and_weights_are_read(tmp_path: Path) -> None:
    mapping, weights = np.array([0, 1, 1, 2, 4]), np.array([1, 1, 0.5, 2, 1], np.float64)
    folder = write_model(tmp_path / "m", mapping=mapping, weights=weights)
    table = load_embedder(folder).table
    assert table[2].tolist() == [0.5, 0]
    assert table[3].tolist() == pytest.approx([2, 0.4])


@pytest.mark.parametrize("missing", ["model.safetensors", "tokenizer.json"])
def test_a_missing_model_is_told_with_what_to_do(tmp_path: Path, missing: str) -> None:
    folder = write_model(tmp_path / "m")
    (folder / missing).unlink()
    with pytest.raises(EmbeddingModelError, match=f"has no {missing}: .* format of model2vec"):
        load_embedder(folder)


@pytest.mark.parametrize(
    ("file", "content", "what"),
    [
        ("tokenizer.json", b"{}", "no tokenizer"),
        ("model.safetensors", b"no tensors", "cannot be read"),
    ],
)
def test_a_file_of_another_kind_is_told(
    tmp_path: Path, file: str, content: bytes, what: str
) -> None:
    folder = write_model(tmp_path / "m")
    (folder / file).write_bytes(content)
    with pytest.raises(EmbeddingModelError, match=what):
        load_embedder(folder)


def test_a_table_of_another_tokenizer_is_told(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "m")
    save_file({"embeddings": VECTORS[:3]}, folder / "model.safetensors")
    with pytest.raises(EmbeddingModelError, match="3 rows, and its tokenizer 5 tokens"):
        load_embedder(folder)
    save_file({"other": VECTORS}, folder / "model.safetensors")
    with pytest.raises(EmbeddingModelError, match="no table `embeddings`; its tensors are other"):
        load_embedder(folder)
