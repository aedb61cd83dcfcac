"""The vocabulary of the served base, as training opens it: with the chat format that serves."""

from __future__ import annotations

from pathlib import Path

from npc_server.engine.errors import ModelLoadError
from npc_server.engine.protocol import ChatTokens
from npc_server.engine.vocab import Vocab
from personas.chat_ids import chat_of
from personas.chat_template import read_template
from personas.errors import ChatFormatError
from trainer.errors import BaseModelError


def open_vocab(base: Path, chat_template: Path | None) -> Vocab:
    """Open a base's vocabulary; `chat_template`: a file in place of its own, as in `[model]`.

    Raises BaseModelError for a base that cannot be prompted.
    """
    try:
        vocab = Vocab(base, read_template(chat_template) if chat_template else None)
        chat_of(vocab)
    except ModelLoadError as error:
        raise BaseModelError(str(error)) from error
    except ChatFormatError as error:
        raise BaseModelError(f"{chat_template or base}: {error}") from error
    return vocab


def chat_tokens(vocab: Vocab) -> ChatTokens:
    """What the chat format makes of special tokens, as the engine takes it."""
    marks = chat_of(vocab).reply_marks()
    return ChatTokens(marks.ends, marks.masked)
