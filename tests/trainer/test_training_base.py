"""The training base: refused clearly, unpacked once."""

from pathlib import Path

import pytest
from gguf import GGUFWriter

from trainer.base import dense_folder, ensure_base, file_sha256
from trainer.errors import BaseModelError


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


def _gguf_of(architecture: str, path: Path) -> Path:
    writer = GGUFWriter(path, architecture)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    return path
