"""What a base of the catalogue will take, before it is here."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from npc_server.base_models.catalogue import CATALOGUE, DEFAULT_MODEL
from npc_server.base_models.memory import served_memory
from npc_server.engine.base_figures import BaseFigures, read_figures
from npc_server.engine.llama import ContextShape, Llama
from npc_server.engine.settings import EngineSettings
from tests.support.allocations import allocations

MIB = 1 << 20
SETTINGS = EngineSettings()


EMBEDDED = CATALOGUE[DEFAULT_MODEL]  # the one base of the catalogue that is here


def listed_figures(file_bytes: int = EMBEDDED.size_bytes) -> BaseFigures:
    """What the catalogue says of it."""
    assert EMBEDDED.shape is not None
    return EMBEDDED.shape.figures(file_bytes)


@pytest.mark.real_model
def test_the_embedded_base_takes_what_the_catalogue_says(
    real_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = served_memory(listed_figures(), SETTINGS).host
    context = ContextShape(SETTINGS.sequences, SETTINGS.context_tokens, logit_rows=8)
    with allocations(monkeypatch) as took:
        Llama(real_model, context).close()
    working = took["CPU", "compute"] + took["CPU", "output"]
    assert said.weights / MIB == pytest.approx(took["CPU_Mapped", "model"], rel=0.05)
    assert said.kv / MIB == pytest.approx(took["CPU", "KV"], rel=0.01)
    assert said.working / MIB == pytest.approx(working, rel=0.1)


@pytest.mark.real_model
def test_the_catalogue_says_what_the_file_says(real_model: Path) -> None:
    listed, read = listed_figures(), read_figures(real_model)
    assert listed.weight_bytes == pytest.approx(read.weight_bytes, rel=0.03)
    one, other = listed.layers[0], read.layers[0]
    assert replace(one, weight_bytes=0) == replace(other, weight_bytes=0)
    assert replace(listed, layers=(), input_bytes=0) == replace(
        read, layers=(), input_bytes=0, output_bytes=0
    )


def test_caches_come_on_top() -> None:
    found = served_memory(listed_figures(1000), SETTINGS)
    assert found.caches == (SETTINGS.cache_mib + SETTINGS.adapter_cache_mib) * MIB
    assert found.bytes == found.host.total
