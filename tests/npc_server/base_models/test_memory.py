"""The formula of memory, held to what llama.cpp and the slots of adapters really take."""

from __future__ import annotations

import re
from collections import deque
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from npc_server.base_models.catalogue import CATALOGUE, DEFAULT_MODEL
from npc_server.base_models.gguf_file import shape_of
from npc_server.base_models.memory import served_memory
from npc_server.engine import llama_log
from npc_server.engine.llama import ContextShape, Llama
from npc_server.engine.lora.lora_gguf import linear_shapes
from npc_server.engine.lora.slots import SlotArena
from npc_server.engine.settings import EngineSettings
from tests.support import tiny_gguf

MIB = 1 << 20
INFO_LEVEL = 2  # GGML_LOG_LEVEL_INFO
SETTINGS = EngineSettings()


def allocated(gguf: Path, shape: ContextShape, monkeypatch: pytest.MonkeyPatch) -> dict[str, float]:
    """The sizes that llama.cpp logs of its buffers, in MiB, added up by what for."""
    lines: deque[str] = deque()
    monkeypatch.setattr(llama_log, "_WARNING_LEVEL", INFO_LEVEL)
    monkeypatch.setattr(llama_log, "_recent", lines)
    with closing(Llama(gguf, shape)):
        found = [re.search(r"(\w+) buffer size = *([\d.]+) MiB", line) for line in lines]
    sizes: dict[str, float] = {}
    for one in filter(None, found):
        sizes[one[1]] = sizes.get(one[1], 0) + float(one[2])
    return sizes


@pytest.mark.real_model
def test_the_embedded_base_takes_what_the_formula_says(
    real_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shape = CATALOGUE[DEFAULT_MODEL].shape
    assert shape is not None
    said = served_memory(shape, real_model.stat().st_size, SETTINGS)
    took = allocated(real_model, ContextShape(), monkeypatch)
    assert said.weights / MIB == pytest.approx(took["model"], rel=0.1)
    assert said.contexts / MIB == pytest.approx(took["KV"], rel=0.01)
    assert said.buffers / MIB == pytest.approx(took["compute"] + took["output"], rel=0.1)


@pytest.mark.real_model
def test_the_catalogue_and_the_file_state_the_same_shape(real_model: Path) -> None:
    assert shape_of(real_model) == CATALOGUE[DEFAULT_MODEL].shape


@pytest.mark.real_model
def test_slots_of_adapters_take_what_the_formula_says(real_model: Path) -> None:
    shape, linears = shape_of(real_model), linear_shapes(real_model)
    arena = SlotArena(linears, SETTINGS.sequences, SETTINGS.max_rank)
    slots = [x for linear in arena.linears.values() for x in (linear.a, linear.b, linear.beside)]
    carrier = SETTINGS.max_rank * sum(map(sum, linears.values())) * 2
    said = served_memory(shape, 0, SETTINGS).adapters
    assert said == pytest.approx(sum(one.nbytes for one in slots) + carrier, rel=0.01)


@pytest.mark.parametrize("architecture", ["llama", "qwen3", "gemma3", "phi3"])
def test_contexts_take_what_the_formula_says_in_every_family(
    tmp_path: Path, architecture: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tiny_gguf.write_model(tmp_path / "tiny.gguf", architecture=architecture)
    took = allocated(path, ContextShape(4, 4096), monkeypatch)
    settings = replace(SETTINGS, sequences=4, context_tokens=4096)
    said = served_memory(shape_of(path), 0, settings).contexts
    assert said / MIB == pytest.approx(took["KV"], rel=0.02)
