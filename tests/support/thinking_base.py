"""A tiny base with the chat template of one that can think."""

from __future__ import annotations

from pathlib import Path

from gguf import GGUFWriter, TokenType

from tests.support import tiny_gguf
from tests.support.chat_templates import NO_THINKING, TURNS

_KINDS = {
    "<|im_start|>": TokenType.CONTROL,
    "<|im_end|>": TokenType.CONTROL,
    "<think>": TokenType.USER_DEFINED,
    "</think>": TokenType.USER_DEFINED,
}


def write_thinker(path: Path) -> Path:
    """Write the base and return its path."""

    def change(writer: GGUFWriter) -> None:
        tiny_gguf.name_tokens(writer, _KINDS)
        writer.add_bos_token_id(1)
        writer.add_eos_token_id(1)
        writer.add_eot_token_id(1)
        writer.add_chat_template(TURNS + NO_THINKING)

    return tiny_gguf.write_model(path, architecture="qwen3", change=change)
