"""The vocabulary of a base: text to token ids and back, without the weights.

Plain text never becomes a special token, however it is spelled. Functions take the library's
handle of a vocabulary, which a model with its weights has as well.
"""

from __future__ import annotations

import ctypes
import re
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import llama_cpp as lc

from npc_server.engine.chat_template import START, STOP, THOUGHTS, ChatFormat, read_template
from npc_server.engine.model_file import load_model, model_metadata


class Vocab:
    """The token vocabulary of a GGUF file, without its weights."""

    def __init__(self, path: Path) -> None:
        self._model = load_model(path, vocab_only=True)
        self._vocab = lc.llama_model_get_vocab(self._model)
        self.chat_template = model_metadata(self._model, "tokenizer.chat_template") or ""
        self._marks = _user_marks(self._vocab)
        self.trained_tokens = _trained_tokens(self._model)  # the context of training; 0 = unknown

    @cached_property
    def chat_format(self) -> ChatFormat:
        """What the chat template asks for."""
        bos = lc.llama_vocab_bos(self._vocab)
        spelling = lc.llama_vocab_get_text(self._vocab, bos) or b"" if bos >= 0 else b""
        return read_template(
            self.chat_template,
            bos=spelling.decode("utf-8", "replace"),
            thinks=bool(thought_ids(self._vocab)),
        )

    @property
    def misfit(self) -> str:
        """Why this base cannot be prompted in ChatML; "" = it can."""
        missing = [mark for mark in (START, STOP) if mark_id(self._vocab, mark) is None]
        if missing:
            return f"has no {' and no '.join(missing)} token: its chat format is not ChatML"
        if self.chat_format.misfit:
            return f"is not ChatML: {self.chat_format.misfit}"
        return ""

    @cached_property
    def beginning(self) -> tuple[int, ...]:
        """Ids before everything: BOS, if the GGUF or its template asks for it, else none."""
        bos = lc.llama_vocab_bos(self._vocab)
        asked = lc.llama_vocab_get_add_bos(self._vocab) or self.chat_format.begins_with_bos
        # Some files call the mark of a turn BOS: a prompt begins with that anyway.
        return (bos,) if asked and bos >= 0 and bos != mark_id(self._vocab, START) else ()

    @cached_property
    def before_reply(self) -> tuple[int, ...]:
        """Ids between the assistant's mark and a reply: an empty thought, or none."""
        return tuple(tokenize(self._vocab, self.chat_format.after_assistant, parse_special=True))

    def metadata(self, key: str) -> str | None:
        """A value that the GGUF states of its model, as text, or None."""
        return model_metadata(self._model, key)

    def encode(self, text: str) -> list[int]:
        """Token ids of plain text: a control token's spelling in it stays ordinary text."""
        if self._marks is None:
            return tokenize(self._vocab, text, parse_special=False)
        pieces = _pieces(text, self._marks)
        return [i for one in pieces for i in tokenize(self._vocab, one, parse_special=False)]

    def control(self, spelling: str) -> int:
        """Id of the control token with this spelling. Raises KeyError.

        Files that store the marks of a turn as other tokens of their own are taken, too.
        """
        found = mark_id(self._vocab, spelling)
        if found is None:
            raise KeyError(f"{spelling!r} is no control token of this model")
        return found

    def decode(self, ids: Sequence[int]) -> str:
        """Text of token ids, control tokens left out."""
        return b"".join(token_bytes(self._vocab, i) for i in ids).decode("utf-8", "replace")

    def close(self) -> None:
        """Free the vocabulary; the object is of no use afterwards."""
        lc.llama_model_free(self._model)


def mark_id(vocab: Any, spelling: str) -> int | None:
    """Id of the special token with this spelling; None when it is ordinary text."""
    ids = tokenize(vocab, spelling, parse_special=True)
    special = lc.LLAMA_TOKEN_ATTR_CONTROL | lc.LLAMA_TOKEN_ATTR_USER_DEFINED
    if len(ids) != 1 or not lc.llama_vocab_get_attr(vocab, ids[0]) & special:
        return None
    return ids[0]


def thought_ids(vocab: Any) -> frozenset[int]:
    """Ids of the marks of a thought; none unless a thought can begin and end with a token."""
    for pair in THOUGHTS:
        ids = [mark_id(vocab, mark) for mark in pair]
        if None not in ids:
            return frozenset(i for i in ids if i is not None)
    return frozenset()


def _user_marks(vocab: Any) -> re.Pattern[str] | None:
    """Spellings in angle brackets that llama.cpp would read as a token in plain text, too."""
    spellings = []
    for token in range(lc.llama_vocab_n_tokens(vocab)):
        if lc.llama_vocab_get_attr(vocab, token) & lc.LLAMA_TOKEN_ATTR_USER_DEFINED:
            text = (lc.llama_vocab_get_text(vocab, token) or b"").decode("utf-8", "replace")
            if text.startswith("<") and text.endswith(">") and len(text) > 2:
                spellings.append(text)
    longest_first = sorted(spellings, key=len, reverse=True)
    return re.compile("|".join(map(re.escape, longest_first))) if spellings else None


def _pieces(text: str, marks: re.Pattern[str]) -> Iterator[str]:
    """The text in pieces, so that no piece holds a whole mark."""
    while found := marks.search(text):
        cut = found.start() + 1
        yield text[:cut]
        text = text[cut:]
    yield text


def tokenize(vocab: Any, text: str, *, parse_special: bool) -> list[int]:
    """Token ids of `text`, without BOS or EOS."""
    data = text.encode()
    room = len(data) + 8  # a token covers at least one byte
    buffer = (lc.llama_token * room)()
    count = lc.llama_tokenize(vocab, data, len(data), buffer, room, False, parse_special)
    return list(buffer[:count])


def token_bytes(vocab: Any, token: int, *, spell: bool = False) -> bytes:
    """The bytes a token stands for; control tokens stand for none unless `spell`."""
    buffer = ctypes.create_string_buffer(256)
    count = lc.llama_token_to_piece(vocab, token, buffer, len(buffer), 0, spell)
    return buffer.raw[: max(count, 0)]


def _trained_tokens(model: Any) -> int:
    """Tokens of context that the model was made for, scaled positions included."""
    prefix = model_metadata(model, "general.architecture") or ""
    trained = _number(model, f"{prefix}.context_length")
    scaling = f"{prefix}.rope.scaling"
    if model_metadata(model, f"{scaling}.type") == "none":
        return int(trained)
    older = _number(model, f"{prefix}.rope.scale_linear")  # how older files give the factor
    factor = _number(model, f"{scaling}.factor") or older
    original = _number(model, f"{scaling}.original_context_length") or trained
    return int(max(trained, original * factor))


def _number(model: Any, key: str) -> float:
    """A number of the metadata; 0 where there is none."""
    try:
        return float(model_metadata(model, key) or 0)
    except ValueError:
        return 0.0
