"""Files that llama.cpp would end the process for, or call by another name, are refused by ours."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import pytest
from gguf import GGUFWriter

from npc_server.base_models.errors import InvalidModelError
from npc_server.base_models.gguf_file import require_gguf
from npc_server.engine.base_figures import read_figures
from npc_server.engine.errors import ModelLoadError
from npc_server.engine.gguf_header import HeaderReader
from npc_server.engine.vocab import Vocab
from tests.support import tiny_gguf


def begun_with(model: Path, version: bytes) -> Path:
    """Give a file another version."""
    content = model.read_bytes()
    model.write_bytes(content[:4] + version + content[8:])
    return model


@pytest.mark.parametrize(
    ("version", "why"),
    [
        (struct.pack(">I", 3), "for big-endian machines"),
        (struct.pack("<I", 1), "of version 1, and versions 2 and 3 are read here"),
        (struct.pack("<I", 9), "of version 9"),
    ],
    ids=["big-endian", "old", "new"],
)
def test_a_file_of_another_kind_is_called_by_its_name(
    tmp_path: Path, version: bytes, why: str
) -> None:
    path = begun_with(tiny_gguf.write_model(tmp_path / "m.gguf"), version)
    with pytest.raises(ModelLoadError, match=why):
        Vocab(path)
    with pytest.raises(InvalidModelError, match=why):
        require_gguf(path)


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "m.gguf").mkdir()
    with pytest.raises(InvalidModelError, match="cannot be read: Is a directory"):
        require_gguf(tmp_path / "m.gguf")


def renamed(tokens: dict[int, str]) -> Callable[[GGUFWriter], None]:
    """A vocabulary in which some tokens are spelled otherwise."""
    usual = [*tiny_gguf.CONTROLS, *tiny_gguf.byte_alphabet(), tiny_gguf.MERGED]
    spelled = [tokens.get(number, token) for number, token in enumerate(usual)]
    return lambda writer: writer.add_token_list(spelled)


def test_a_token_that_is_there_twice_does_not_end_the_process(tmp_path: Path) -> None:
    path = tiny_gguf.write_model(tmp_path / "m.gguf", change=renamed({100: "<|im_end|>"}))
    with pytest.raises(ModelLoadError, match=r"the token '<\|im_end\|>' twice"):
        Vocab(path)


def test_empty_tokens_are_no_repetition(tmp_path: Path) -> None:
    path = tiny_gguf.write_model(tmp_path / "m.gguf", change=renamed({100: "", 101: ""}))
    assert HeaderReader(path).repeated_text("tokenizer.ggml.tokens") is None
    assert Vocab(path).encode("Hi")


def test_a_model_without_a_tokenizer_is_refused(tmp_path: Path) -> None:
    def unsay(writer: GGUFWriter) -> None:
        writer.add_tokenizer_model("no_vocab")

    path = tiny_gguf.write_model(tmp_path / "m.gguf", change=unsay)
    with pytest.raises(ModelLoadError, match="without a tokenizer"):
        Vocab(path)


def test_a_vocabulary_alone_is_no_base(tmp_path: Path) -> None:
    writer = GGUFWriter(tmp_path / "v.gguf", "llama")
    tiny_gguf.write_vocab(writer)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    with pytest.raises(InvalidModelError, match="holds no weights"):
        require_gguf(tmp_path / "v.gguf")
    with pytest.raises(ModelLoadError, match="holds no weights"):
        read_figures(tmp_path / "v.gguf")
