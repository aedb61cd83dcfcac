"""GGUF files as llama.cpp opens them: loading, what they state, and why one was refused."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path
from typing import Any

import llama_cpp as lc

from npc_server.engine.devices import handle_of
from npc_server.engine.errors import ModelLoadError
from npc_server.engine.gguf_header import UNREADABLE, HeaderReader, kind_fault
from npc_server.engine.llama_log import init_library, last_words
from npc_server.engine.placement import Placement

#: Ways to scale rotary positions that llama.cpp knows.
ROPE_SCALINGS = ("none", "linear", "yarn", "longrope")


def load_model(path: Path, placement: Placement | None = None) -> Any:
    """The library's handle of a GGUF file where it is placed, or, without, of its vocabulary alone.

    Raises ModelLoadError.
    """
    if not path.is_file():
        raise ModelLoadError(f"no model file at {path}; `npc model pull` fetches the default one")
    _require_survivable(path)
    init_library()
    place = placement or Placement()
    # A list of no devices is the CPU alone: left unsaid, every GPU would be taken into use.
    handles = [*(handle_of(device.name) for device in place.devices), None]
    devices = (ctypes.c_void_p * len(handles))(*handles)
    params = lc.llama_model_default_params()
    params.devices = ctypes.addressof(devices)
    params.tensor_split = (ctypes.c_float * lc.llama_max_devices())(*place.shares)
    params.n_gpu_layers = place.gpu_layers
    params.vocab_only = placement is None
    model = lc.llama_model_load_from_file(os.fsencode(path), params)
    if not model:
        raise ModelLoadError(f"llama.cpp cannot load {path}: {last_words()}")
    if lc.llama_vocab_type(lc.llama_model_get_vocab(model)) == lc.LLAMA_VOCAB_TYPE_NONE:
        lc.llama_model_free(model)
        raise ModelLoadError(f"{path} comes without a tokenizer, and nothing can be said to it")
    return model


def _require_survivable(path: Path) -> None:
    """Raise ModelLoadError for what llama.cpp calls by another name, or would end the process for.

    What else is wrong with a file it says itself.
    """
    if fault := kind_fault(path):
        raise ModelLoadError(f"{path} {fault}")
    try:
        header = HeaderReader(path)
        twice = header.repeated_text("tokenizer.ggml.tokens")
    except UNREADABLE:
        return
    if twice is not None:
        raise ModelLoadError(
            f"{path} has the token {twice!r} twice in its vocabulary, which llama.cpp does not"
            " take; convert the model anew, or use another file of it"
        )
    _require_known_scaling(path, header)


def _require_known_scaling(path: Path, header: HeaderReader) -> None:
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
