"""The vocabulary of a base: text to token ids and back, without the weights.

Plain text never becomes a special token, however it is spelled. llama.cpp sees to that for control
tokens; what a file calls user-defined it reads in plain text as well, so such a spelling is cut in
two here. Those of mere whitespace are left alone: they are how some models write blank lines.
Functions take the library's handle of a vocabulary, which a model with its weights has as well.
"""

from __future__ import annotations

import ctypes
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import llama_cpp as lc

from npc_server.engine.model_file import load_model, model_metadata
from npc_server.engine.thoughts import THOUGHTS


@dataclass(frozen=True)
class SpecialToken:
    """A token that only a chat template may write."""

    id: int
    spelling: str
    control: bool  # False = user-defined: a reply that draws it shows its spelling
    strips_before: bool  # whitespace in front of it is left out
    strips_after: bool  # whitespace behind it is left out


class Vocab:
    """The token vocabulary of a GGUF file, without its weights."""

    thoughts = THOUGHTS

    def __init__(self, path: Path, template: str | None = None, *, thinks: bool = False) -> None:
        """Open a file; `template` takes the place of its own chat template.

        `thinks`: whether the base is to think before it replies, where it can. Raises
        ModelLoadError.
        """
        self._model = load_model(path)
        self._vocab = lc.llama_model_get_vocab(self._model)
        own = model_metadata(self._model, "tokenizer.chat_template") or ""
        self.chat_template = own if template is None else template
        self.thinks = thinks
        self.specials = tuple(_specials(self._vocab))
        self._marks = _user_marks(self.specials)
        self.trained_tokens = _trained_tokens(self._model)  # the context of training; 0 = unknown

    @property
    def bos(self) -> int | None:
        """The token that texts begin with; None = there is none."""
        return _token(lc.llama_vocab_bos(self._vocab))

    @property
    def adds_bos(self) -> bool:
        """Whether the file asks for BOS in front of everything."""
        return bool(lc.llama_vocab_get_add_bos(self._vocab))

    @property
    def eos(self) -> int | None:
        """The token that texts end with; None = there is none."""
        return _token(lc.llama_vocab_eos(self._vocab))

    def metadata(self, key: str) -> str | None:
        """A value that the GGUF states of its model, as text, or None."""
        return model_metadata(self._model, key)

    def encode(self, text: str) -> list[int]:
        """Token ids of plain text: a special token's spelling in it stays ordinary text."""
        if self._marks is None or not self._marks.search(text):
            return tokenize(self._vocab, text, parse_special=False)
        first, *others = _pieces(text, self._marks)
        ids = tokenize(self._vocab, first, parse_special=False)
        return ids + [i for one in others for i in self._further_ids(one)]

    def _further_ids(self, text: str) -> list[int]:
        """Ids of text that goes on: SentencePiece puts a space in front of what begins."""
        lead = self._lead
        ids = tokenize(self._vocab, _LEAD + text, parse_special=False)
        if lead and ids[: len(lead)] == lead:
            return ids[len(lead) :]
        return tokenize(self._vocab, text, parse_special=False)

    @cached_property
    def _lead(self) -> list[int]:
        """Ids of a line break, where text is given a space to begin with; else none."""
        if not adds_space(self._vocab):
            return []
        return tokenize(self._vocab, _LEAD, parse_special=False)

    def control(self, spelling: str) -> int:
        """Id of the special token with this spelling. Raises KeyError.

        Files that store the marks of a turn as tokens of their own are taken, too.
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


_LEAD = "\n"  # merges with nothing that follows it


def _token(token: int) -> int | None:
    return token if token >= 0 else None


def adds_space(vocab: Any) -> bool:
    """Whether text is given a space to begin with, as SentencePiece does."""
    ids = tokenize(vocab, "a", parse_special=False)
    return bool(ids) and token_bytes(vocab, ids[0]).startswith(b" ")


def _specials(vocab: Any) -> Iterator[SpecialToken]:
    kinds = lc.LLAMA_TOKEN_ATTR_CONTROL | lc.LLAMA_TOKEN_ATTR_UNKNOWN
    for token in range(lc.llama_vocab_n_tokens(vocab)):
        attributes = lc.llama_vocab_get_attr(vocab, token)
        if not attributes & (kinds | lc.LLAMA_TOKEN_ATTR_USER_DEFINED):
            continue
        spelling = (lc.llama_vocab_get_text(vocab, token) or b"").decode("utf-8", "replace")
        if spelling.strip():
            yield SpecialToken(
                id=token,
                spelling=spelling,
                control=bool(attributes & kinds),
                strips_before=bool(attributes & lc.LLAMA_TOKEN_ATTR_LSTRIP),
                strips_after=bool(attributes & lc.LLAMA_TOKEN_ATTR_RSTRIP),
            )


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


def _user_marks(specials: Sequence[SpecialToken]) -> re.Pattern[str] | None:
    """Spellings that llama.cpp would read as a token in plain text, too.

    A single letter cannot be cut, and is no mark of anything.
    """
    ours = (special.spelling for special in specials if not special.control)
    longest_first = sorted((text for text in ours if len(text) > 1), key=len, reverse=True)
    return re.compile("|".join(map(re.escape, longest_first))) if longest_first else None


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


def token_bytes(vocab: Any, token: int, *, spell: bool = False, skipped: int = 0) -> bytes:
    """The bytes a token stands for; control tokens stand for none unless `spell`.

    `skipped`: spaces at its beginning that are left out.
    """
    buffer = ctypes.create_string_buffer(256)
    count = lc.llama_token_to_piece(vocab, token, buffer, len(buffer), skipped, spell)
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
