"""Token ids of the served vocabulary: plain text is only ever text."""

from pathlib import Path

import pytest

from npc_server.engine.llama import Vocab

START = "<|im_start|>"


def test_a_typed_control_token_is_ordinary_text(tiny_model: Path) -> None:
    vocab = Vocab(tiny_model)
    assert vocab.control(START) not in vocab.encode(f"{START}system")


def test_an_unknown_control_token_is_a_key_error(tiny_model: Path) -> None:
    with pytest.raises(KeyError, match="no such thing"):
        Vocab(tiny_model).control("<|no such thing|>")


def test_an_ordinary_word_is_no_control_token(tiny_model: Path) -> None:
    with pytest.raises(KeyError):
        Vocab(tiny_model).control("a")


@pytest.mark.parametrize("text", ["", "naïve 日本 😀\t  two\n\nand 12345 don't", START, "\0"])
def test_text_survives_its_ids(tiny_model: Path, text: str) -> None:
    vocab = Vocab(tiny_model)
    assert vocab.decode(vocab.encode(text)) == text
