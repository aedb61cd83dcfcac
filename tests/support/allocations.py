"""What llama.cpp says that it has allocated, line by line of its log."""

from __future__ import annotations

import ctypes
import re
from collections.abc import Iterator
from contextlib import contextmanager

import llama_cpp as lc
import pytest

from npc_server.engine import devices, llama_log, model_file

_LINE = re.compile(r"(\S+) +(model|KV|compute|output) buffer size = +([\d.]+) MiB")


@contextmanager
def allocations(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[tuple[str, str], float]]:
    """MiB by what allocates ("CPU", "CPU_REPACK", "Vulkan0" ...) and what for, the last said."""
    found: dict[tuple[str, str], float] = {}

    def listen(_level: int, text: bytes, _data: object) -> None:
        for buffer, purpose, size in _LINE.findall(text.decode("utf-8", "replace")):
            found[buffer, purpose] = float(size)

    llama_log.init_library()
    for module in (model_file, devices):  # they would listen themselves
        monkeypatch.setattr(module, "init_library", lambda: None)
    callback = lc.llama_log_callback(listen)
    lc.llama_log_set(callback, ctypes.c_void_p(0))
    try:
        yield found
    finally:
        llama_log.init_library()
