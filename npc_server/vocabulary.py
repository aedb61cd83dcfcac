"""The vocabulary of the base that serves, and the chat format that hangs on it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from npc_server.base_models.resolution import resolve
from npc_server.config import Config
from npc_server.engine.protocol import ChatTokens
from npc_server.engine.vocab import Vocab
from npc_server.errors import ConfigError
from personas.chat_ids import chat_of
from personas.chat_template import read_template
from personas.chat_thoughts import thinking_of
from personas.errors import ChatFormatError


def open_vocab(config: Config) -> tuple[Path, Vocab]:
    """Open the vocabulary of the configured base, and name the base's file.

    Raises ModelUnavailableError, ModelLoadError, and ConfigError for a base that cannot be
    prompted.
    """
    path = resolve(config.model.base, config.paths.models)
    file = config.model.chat_template
    try:
        template = read_template(file) if file else None
        vocab = Vocab(path, template, thinks=config.model.thinking == "on")
        chat_of(vocab)
        if vocab.thinks:
            thinking_of(vocab)
    except ChatFormatError as error:
        raise ConfigError(f"{file or path}: {error}") from error
    return path, vocab


def chat_tokens(vocab: Vocab) -> ChatTokens:
    """What the chat format makes of special tokens, as the engine takes it."""
    marks = chat_of(vocab).reply_marks()
    return ChatTokens(marks.ends, marks.masked)


def prompts_of(vocab: Vocab) -> Iterator[str]:
    """How a conversation is written for a base, and what its template does not take as it is."""
    chat = chat_of(vocab)
    yield "in ChatML" if chat.is_chatml else "in its own chat format"
    if chat.bos:
        yield "begun with BOS"
    if not chat.manner.has_system:
        yield "without a system role: the persona stands before the player's first line"
    if not chat.manner.repeats:
        yield "in strict turns: lines of one speaker in a row are joined"
    if not chat.manner.assistant_first:
        yield "begun by the player: before a greeting they are silent"
    if not chat.manner.keeps_blanks:
        yield "without blanks around what is said"


def doubts_about(path: Path, vocab: Vocab, context_tokens: int) -> Iterator[str]:
    """What may go wrong with a base, and does not keep it from serving."""
    trained = vocab.trained_tokens
    if 0 < trained < context_tokens:
        yield (
            f"[engine] context_tokens is {context_tokens}, but {path.name} was trained on"
            f" {trained}: once a conversation is longer, replies can turn into gibberish; set"
            f" context_tokens to at most {trained}"
        )
