"""llama.cpp's start in a process, and what it logged last: its calls return null and no reason."""

from __future__ import annotations

import ctypes
from collections import deque

import llama_cpp as lc

from npc_server.engine.amx import leave_out_amx

_recent: deque[str] = deque(maxlen=30)
_WARNING_LEVEL = 3  # GGML_LOG_LEVEL_WARN


def _on_log(level: int, text: bytes, _user_data: object) -> None:
    if level >= _WARNING_LEVEL:
        _recent.append(text.decode("utf-8", "replace").strip())


_callback = lc.llama_log_callback(_on_log)  # must outlive the library's use of it


def init_library() -> None:
    """Start llama.cpp in this process, once or again, and listen to its log."""
    lc.llama_log_set(_callback, ctypes.c_void_p(0))
    lc.llama_backend_init()
    leave_out_amx()


def last_words() -> str:
    """What llama.cpp warned of since the last call, the last lines of it."""
    lines = [line for line in _recent if line and line != "."]
    _recent.clear()
    return "; ".join(lines[-3:]) or "llama.cpp gave no reason"
