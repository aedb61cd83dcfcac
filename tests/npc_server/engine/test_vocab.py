"""Token ids of the served vocabulary: plain text is only ever text."""

import os
from collections.abc import Mapping
from operator import methodcaller
from pathlib import Path

import pytest
from gguf import GGUFValueType, GGUFWriter, TokenType

from npc_server.engine.errors import ModelLoadError
from npc_server.engine.llama import ContextShape, Llama
from npc_server.engine.vocab import Vocab
from tests.support import tiny_gguf
from tests.support.chat_templates import CHATML

START = "<|im_start|>"
TYPES = {
    str: GGUFValueType.STRING,
    float: GGUFValueType.FLOAT32,
    int: GGUFValueType.UINT32,
}


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


def test_what_the_file_says_of_bos_is_told(tmp_path: Path) -> None:
    model = tiny_gguf.write_model(tmp_path / "m.gguf", change=lambda w: w.add_add_bos_token(True))
    assert (Vocab(model).bos, Vocab(model).adds_bos, Vocab(model).eos) == (0, True, 2)


def test_a_given_template_takes_the_place_of_the_files_own(tmp_path: Path) -> None:
    change = methodcaller("add_chat_template", CHATML)
    model = tiny_gguf.write_model(tmp_path / "m.gguf", change=change)
    assert (Vocab(model).chat_template, Vocab(model, "other").chat_template) == (CHATML, "other")


def marked(path: Path, kinds: Mapping[str, TokenType]) -> Path:
    """Write a model with these special tokens."""
    return tiny_gguf.write_model(path, change=lambda w: tiny_gguf.name_tokens(w, kinds))


def test_turn_marks_that_are_stored_as_added_tokens_are_taken(tmp_path: Path) -> None:
    kinds = dict.fromkeys(["<|endoftext|>", START, "<|im_end|>"], TokenType.USER_DEFINED)
    vocab = Vocab(marked(tmp_path / "m.gguf", kinds))
    assert (vocab.control(START), vocab.control("<|im_end|>")) == (1, 2)
    assert {1, 2}.isdisjoint(vocab.encode(f"<{START}system<|im_end|>{START}{START}"))


def test_a_path_that_is_not_utf8_is_a_path(tiny_model: Path, tmp_path: Path) -> None:
    odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/b\xff.gguf"))
    odd.symlink_to(tiny_model)
    assert Vocab(odd).control(START) == 1


@pytest.mark.parametrize("mark", ["<think>", "[TOOL]", "|x|", "\u2581\u2581", "ab"])
def test_text_never_becomes_a_token_of_the_users_own(tmp_path: Path, mark: str) -> None:
    kinds = {"<|endoftext|>": TokenType.CONTROL, mark: TokenType.USER_DEFINED}
    vocab = Vocab(marked(tmp_path / "m.gguf", kinds))
    for text in (mark, f"{mark}{mark}", f"a{mark[0]}{mark}{mark[-1]} {mark}"):
        assert (1 not in vocab.encode(text), vocab.decode(vocab.encode(text))) == (True, text)


def test_blank_lines_may_be_a_token_of_the_models_own(tmp_path: Path) -> None:
    kinds = {"<|endoftext|>": TokenType.CONTROL, "\n\n": TokenType.USER_DEFINED}
    vocab = Vocab(marked(tmp_path / "m.gguf", kinds))
    assert vocab.encode("a\n\nb") == [*vocab.encode("a"), 1, *vocab.encode("b")]
    assert [special.spelling for special in vocab.specials] == ["<|endoftext|>"]


def test_a_reply_of_sentencepiece_begins_without_the_space_put_before_it(tmp_path: Path) -> None:
    model = tiny_gguf.write_model(tmp_path / "m.gguf", change=tiny_gguf.speak_sentencepiece)
    llama, ids = Llama(model, ContextShape(1, 64, 64, 1)), Vocab(model).encode("a b")
    spoken = [llama.token_bytes(token, begins=not at) for at, token in enumerate(ids)]
    assert b"".join(spoken) == b"a b"
    llama.close()


@pytest.mark.parametrize(
    ("scaling", "tokens"),
    [
        pytest.param({}, 512, id="none"),
        pytest.param({"type": "none", "factor": 4.0}, 512, id="switched-off"),
        pytest.param({"type": "linear", "factor": 2.0}, 1024, id="linear"),
        pytest.param({"factor": 2.0}, 1024, id="linear-unsaid"),
        pytest.param({"type": "yarn", "factor": 4.0}, 2048, id="yarn"),
        pytest.param(
            {"type": "yarn", "factor": 4.0, "original_context_length": 128}, 512, id="yarn-in-it"
        ),
        pytest.param({"type": "longrope", "original_context_length": 64}, 512, id="longrope"),
    ],
)
def test_the_context_of_training_counts_scaled_positions(
    tmp_path: Path, scaling: Mapping[str, str | float | int], tokens: int
) -> None:
    def change(writer: GGUFWriter) -> None:
        for key, value in scaling.items():
            writer.add_key_value(f"llama.rope.scaling.{key}", value, TYPES[type(value)])

    model = tiny_gguf.write_model(tmp_path / "m.gguf", change=change)
    assert Vocab(model).trained_tokens == tokens


def test_a_scaling_that_would_end_the_process_is_refused(tmp_path: Path) -> None:
    change = methodcaller("add_string", "llama.rope.scaling.type", "dynamic")
    with pytest.raises(ModelLoadError, match="'dynamic'"):
        Vocab(tiny_gguf.write_model(tmp_path / "m.gguf", change=change))
