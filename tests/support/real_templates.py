"""Real vocabularies and chat templates, with which llama.cpp tests itself; if they were fetched."""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from npc_server.engine.vocab import Vocab
from personas.chat import Message

#: Where `make vocabularies` puts them.
FOLDER = Path("~/.cache/troupe/vocabularies").expanduser()

#: By vocabulary, templates of models that have it, or the nearest there is; "" = the file's own.
TEMPLATES = {
    "llama-bpe": (
        "meta-llama-Llama-3.1-8B-Instruct",
        "meta-llama-Llama-3.2-3B-Instruct",
        "meta-llama-Llama-3.3-70B-Instruct",
    ),
    "qwen2": (
        "Qwen-Qwen2.5-7B-Instruct",
        "Qwen-Qwen3-0.6B",
        "Qwen-QwQ-32B",
        "HuggingFaceTB-SmolLM3-3B",
        "Bielik-11B-v3.0-Instruct",
        "LFM2.5-Instruct",
    ),
    "qwen35": ("Qwen3.5-4B",),
    "gemma-4": ("google-gemma-4-31B-it", ""),
    "phi-3": ("microsoft-Phi-3.5-mini-instruct", ""),
    "command-r": (
        "CohereForAI-c4ai-command-r7b-12-2024-tool_use",
        "CohereForAI-c4ai-command-r-plus-tool_use",
        "",
    ),
    "llama-spm": (
        "mistralai-Mistral-Nemo-Instruct-2407",
        "Mistral-Small-3.2-24B-Instruct-2506",
    ),
    "deepseek-llm": ("deepseek-ai-DeepSeek-R1-Distill-Qwen-32B", "deepseek-ai-DeepSeek-V3.1"),
}
PAIRS = [(vocabulary, name) for vocabulary, names in TEMPLATES.items() for name in names]


@dataclass(frozen=True)
class Model:
    """A vocabulary with a template, and its file."""

    file: Path
    vocab: Vocab


@cache
def open_model(vocabulary: str, template: str) -> Model:
    """Open a pair; skips the test where they were not fetched."""
    file = FOLDER / f"ggml-vocab-{vocabulary}.gguf"
    if not file.is_file():
        pytest.skip("real vocabularies are not here; `make vocabularies` fetches them, 76 MB")
    source = FOLDER / "templates" / f"{template}.jinja"
    return Model(file, Vocab(file, source.read_text("utf-8") if template else None))


_PLAIN = (
    "the quick Fox said: hello! wie geht’s, 42 gold — café 你好 🙂 \"yes\" 'no' it's we'll I'm <3"
    " a<b x>y [ok] (hm) # ... ?! - list"
)
_WORDS = _PLAIN.split()
_LETTERS = [*"abcXYZ019 \n\t.,!?'\"-<>|[]{}()/\\_#*&%$@~`^+=:;é中🙂", "\u200b", "\u2028", "\ue000"]
_LETTERS += ["\ue001", "\0", "▁", "｜", "Ġ", "\u00a0", "  ", "\n\n", "\r\n"]


def words(chance: random.Random) -> str:
    """A line of plain words."""
    return " ".join(chance.choices(_WORDS, k=chance.randint(1, 12)))


def letters(chance: random.Random) -> str:
    """Any text, white space and signs of all kinds in it."""
    return "x" + "".join(chance.choices([*_LETTERS, *_WORDS], k=chance.randint(0, 40)))


def forgery(chance: random.Random, vocab: Vocab) -> str:
    """Any text with spellings of special tokens: whole, cut off, and within each other."""
    text, spelled = letters(chance), [special.spelling for special in vocab.specials]
    for _ in range(chance.randint(1, 3)):
        mark, at = chance.choice(spelled), chance.randint(1, len(text))
        cut = chance.randint(1, len(mark))
        kinds = [mark, mark[:cut], mark[:cut] + chance.choice(spelled) + mark[cut:]]
        text = text[:at] + chance.choice(kinds) + text[at:]
    return text


def talk(exchanges: int, *texts: str) -> list[Message]:
    """A system message, exchanges and a last line, saying these texts in turn."""
    roles = ["system", *["user", "assistant"] * exchanges, "user"]
    return [Message(role, texts[at % len(texts)]) for at, role in enumerate(roles)]
