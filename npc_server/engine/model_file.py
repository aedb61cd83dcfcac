"""GGUF files as llama.cpp opens them: loading, what they state, and why one was refused."""

from __future__ import annotations

import ctypes
import os
from collections import deque
from pathlib import Path
from typing import Any

import llama_cpp as lc

from npc_server.engine.errors import ModelLoadError
from npc_server.engine.gguf_header import UNREADABLE, HeaderReader

#: Last lines llama.cpp logged, kept to explain a failure: its calls only return null.
_recent_log: deque[str] = deque(maxlen=30)
#: Ways to scale rotary positions that llama.cpp knows.
ROPE_SCALINGS = ("none", "linear", "yarn", "longrope")
_WARNING_LEVEL = 3  # GGML_LOG_LEVEL_WARN


def _on_log(level: int, text: bytes, _user_data: object) -> None:
    if level >= _WARNING_LEVEL:
        _recent_log.append(text.decode("utf-8", "replace").strip())


_log_callback = lc.llama_log_callback(_on_log)  # must outlive the library's use of it


def _init_library() -> None:
    lc.llama_log_set(_log_callback, ctypes.c_void_p(0))
    lc.llama_backend_init()


def last_words() -> str:
    """What llama.cpp logged last, for its calls only return null."""
    lines = [line for line in _recent_log if line and line != "."]
    _recent_log.clear()
    return "; ".join(lines[-3:]) or "llama.cpp gave no reason"


def load_model(path: Path, *, vocab_only: bool) -> Any:
    """The library's handle of a GGUF file, or of its vocabulary alone. Raises ModelLoadError."""
    if not path.is_file():
        raise ModelLoadError(f"no model file at {path}; `npc model pull` fetches the default one")
    _require_known_scaling(path)
    _init_library()
    params = lc.llama_model_default_params()
    params.n_gpu_layers = 0
    params.vocab_only = vocab_only
    model = lc.llama_model_load_from_file(os.fsencode(path), params)
    if not model:
        raise ModelLoadError(f"llama.cpp cannot load {path}: {last_words()}")
    return model


def _require_known_scaling(path: Path) -> None:
    """Raise ModelLoadError for a scaling that llama.cpp would end the process for."""
    try:
        header = HeaderReader(path)
    except UNREADABLE:
        return  # llama.cpp says what is wrong with the file
    architecture = header.text("general.architecture")
    kind = header.text(f"{architecture}.rope.scaling.type")
    if kind is not None and kind not in ROPE_SCALINGS:
        raise ModelLoadError(
            f"{path} scales its rotary positions by {kind!r}, which llama.cpp does not know;"
            f" known are {', '.join(ROPE_SCALINGS)}"
        )


def model_metadata(model: Any, key: str) -> str | None:
    """A GGUF metadata value as text, or None."""
    size = lc.llama_model_meta_val_str(model, key.encode(), ctypes.create_string_buffer(1), 1)
    if size < 0:
        return None
    buffer = ctypes.create_string_buffer(size + 1)
    lc.llama_model_meta_val_str(model, key.encode(), buffer, len(buffer))
    return buffer.value.decode("utf-8", "replace")
