"""The training base: refused clearly, unpacked once."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from gguf import GGUFWriter

from tests.support import tiny_gguf
from trainer.base import dense_folder, ensure_base, file_sha256
from trainer.errors import BaseModelError
from trainer.lora import load_base


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(BaseModelError, match=r"nowhere\.gguf does not exist"):
        ensure_base(tmp_path / "nowhere.gguf", tmp_path)


def test_a_file_that_is_no_gguf_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.gguf").write_text("hello")
    with pytest.raises(BaseModelError, match="is not a GGUF file: it begins with b'hell'"):
        ensure_base(tmp_path / "notes.gguf", tmp_path)


def test_an_unknown_architecture_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    gguf = _gguf_of("abacus", tmp_path / "odd.gguf")
    with pytest.raises(BaseModelError, match="cannot be unpacked"):
        ensure_base(gguf, tmp_path / "cache")
    assert list((tmp_path / "cache" / "dequantised").iterdir()) == []


def test_a_complete_folder_is_reused(tmp_path: Path) -> None:
    gguf = _gguf_of("abacus", tmp_path / "odd.gguf")
    kept = dense_folder(tmp_path / "cache", file_sha256(gguf))
    kept.mkdir(parents=True)
    assert ensure_base(gguf, tmp_path / "cache") == kept


def test_a_known_digest_is_not_computed_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gguf = _gguf_of("abacus", tmp_path / "odd.gguf")
    digest = file_sha256(gguf)
    kept = dense_folder(tmp_path / "cache", digest)
    kept.mkdir(parents=True)
    monkeypatch.delattr("trainer.base.file_sha256")
    assert ensure_base(gguf, tmp_path / "cache", digest) == kept


@pytest.mark.parametrize(
    ("biases", "why"),
    [
        (["attn_q", "attn_k", "attn_v"], r"lacks blk\.0\.attn_output\.bias and 1 more"),
        (["attn_output"], r"has blk\.0\.attn_output\.bias and 1 more.* no place in the model"),
    ],
    ids=["some are missing", "some are left over"],
)
def test_weights_that_training_has_no_place_for_are_refused_by_name(
    tmp_path: Path, biases: list[str], why: str
) -> None:
    widths = {"attn_q": 64, "attn_k": 32, "attn_v": 32, "attn_output": 64}
    more = {
        f"blk.{layer}.{name}.bias": np.ones(widths[name], np.float32)
        for layer in range(tiny_gguf.LAYERS)
        for name in biases
    }
    gguf = tiny_gguf.write_model(tmp_path / "m.gguf", more_tensors=more)
    with pytest.raises(BaseModelError, match=rf"m\.gguf {why}"):
        ensure_base(gguf, tmp_path / "cache")


def test_experts_of_an_architecture_that_is_trained_without_are_refused(tmp_path: Path) -> None:
    gguf = tiny_gguf.write_model(tmp_path / "m.gguf", change=lambda w: w.add_expert_count(8))
    with pytest.raises(BaseModelError, match="has experts in an architecture"):
        ensure_base(gguf, tmp_path / "cache")


def test_heads_that_differ_by_layer_are_refused(tmp_path: Path) -> None:
    gguf = tiny_gguf.write_model(tmp_path / "m.gguf", change=lambda w: w.add_head_count([4, 2]))
    with pytest.raises(
        BaseModelError, match=r"does not say llama\.attention\.head_count as one number"
    ):
        ensure_base(gguf, tmp_path / "cache")


#: What a file may say wrongly, and what is told.
WRONG: dict[str, tuple[Callable[[GGUFWriter], None], str]] = {
    "no heads": (lambda writer: writer.add_head_count(0), "cannot be unpacked"),
    "more layers": (lambda writer: writer.add_block_count(3), r"lacks blk\.2\.attn_k\.weight"),
    "fewer layers": (lambda writer: writer.add_block_count(1), r"has blk\.1\.attn_k\.weight"),
    "another width": (lambda writer: writer.add_embedding_length(60), r"shape \(260, 64\) where"),
    "no width": (lambda writer: writer.add_embedding_length(0), r"shape \(260, 64\) where"),
    "other heads": (lambda writer: writer.add_head_count_kv(3), "cannot be unpacked"),
    "text for a number": (
        lambda writer: writer.add_string("llama.feed_forward_length", "wide"),
        r"does not say llama\.feed_forward_length as one number",
    ),
}


@pytest.mark.parametrize(("change", "told"), WRONG.values(), ids=WRONG)
def test_a_file_that_contradicts_itself_is_refused_in_a_line(
    tmp_path: Path, change: Callable[[GGUFWriter], None], told: str
) -> None:
    gguf = tiny_gguf.write_model(tmp_path / "m.gguf", change=change)
    with pytest.raises(BaseModelError, match=rf"m\.gguf:? .*{told}.*$"):
        ensure_base(gguf, tmp_path / "cache")
    assert list((tmp_path / "cache" / "dequantised").iterdir()) == []


def test_a_large_base_is_unpacked_in_portions(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = load_base(ensure_base(tiny_model, tmp_path / "whole")).state_dict()
    monkeypatch.setattr("trainer.base_weights._SHARD_BYTES", 100_000)
    folder = ensure_base(tiny_model, tmp_path / "portions")
    assert len(list(folder.glob("*.safetensors"))) > 2
    for name, weight in load_base(folder).state_dict().items():
        assert torch.equal(weight, whole[name])


def _gguf_of(architecture: str, path: Path) -> Path:
    writer = GGUFWriter(path, architecture)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    return path
