"""The vocabulary of the base that serves: what sizes are counted with, and what is told of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from npc_server.base_models.resolution import resolve
from npc_server.config import Config
from npc_server.engine.llama import Vocab
from npc_server.errors import ConfigError


def open_vocab(config: Config) -> tuple[Path, Vocab]:
    """Open the vocabulary of the configured base, and name the base's file.

    Raises ModelUnavailableError, ModelLoadError, and ConfigError for a base that is no ChatML one.
    """
    path = resolve(config.model.base, config.paths.models)
    vocab = Vocab(path)
    if vocab.misfit:
        raise ConfigError(
            f"{path} {vocab.misfit}; that is the one that is rendered."
            " Use a ChatML model, such as the SmolLM2 or Qwen families"
        )
    return path, vocab


def doubts_about(path: Path, vocab: Vocab, context_tokens: int) -> Iterator[str]:
    """What may go wrong with a base, and does not keep it from serving."""
    if vocab.chat_format.doubt:
        yield f"{path}: {vocab.chat_format.doubt}; it is prompted in plain ChatML all the same"
    trained = vocab.trained_tokens
    if 0 < trained < context_tokens:
        yield (
            f"[engine] context_tokens is {context_tokens}, but {path.name} was trained on"
            f" {trained}: once a conversation is longer, replies can turn into gibberish; set"
            f" context_tokens to at most {trained}"
        )
