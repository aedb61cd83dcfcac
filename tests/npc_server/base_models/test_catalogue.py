"""The catalogue: every entry is one exact file, its licence and its figures."""

from __future__ import annotations

import re

import pytest

from npc_server.base_models.catalogue import CATALOGUE, DEFAULT_MODEL, NamedModel, require_name
from npc_server.base_models.errors import InvalidModelError
from npc_server.base_models.memory import served_memory
from npc_server.base_models.sources import HubSource, WheelSource, shards
from npc_server.engine.settings import EngineSettings
from tests.support.paths import DOCS

LISTED = pytest.mark.parametrize("model", CATALOGUE.values(), ids=CATALOGUE)


def test_the_default_is_listed_first_and_needs_no_hub() -> None:
    assert next(iter(CATALOGUE)) == DEFAULT_MODEL
    assert isinstance(CATALOGUE[DEFAULT_MODEL].source, WheelSource)


@LISTED
def test_an_entry_is_one_whole_file(model: NamedModel) -> None:
    require_name(model.name)
    assert model.file_name.endswith(".gguf")
    assert shards(model.file_name) == 1
    assert re.fullmatch(r"[0-9a-f]{64}|", model.sha256)
    if isinstance(model.source, HubSource):
        assert re.fullmatch(r"[0-9a-f]{40}|", model.source.revision)


@LISTED
def test_an_entry_says_its_licence_and_what_it_is_good_for(model: NamedModel) -> None:
    assert model.license
    assert model.good_for
    free = {"Apache-2.0", "MIT"}
    assert bool(model.terms) != (model.license in free)


@LISTED
def test_the_shape_of_an_entry_explains_its_size(model: NamedModel) -> None:
    """As 4 to 9 bits a weight, embeddings once: a wrong width or layer count falls out of that."""
    assert model.shape
    assert 4 <= 8 * model.size_bytes / model.shape.weights <= 9


def table_row(model: NamedModel) -> str:
    """How the operators' page lists it, at the default settings."""
    assert model.shape
    taken = served_memory(model.shape.figures(model.size_bytes), EngineSettings()).bytes
    licence = model.license + r"\*" * bool(model.terms)
    mebibytes = f"{model.size_bytes >> 20:,} | {taken >> 20:,}"
    return f"| `{model.name}` | {licence} | {mebibytes} | {model.good_for} |"


@LISTED
def test_the_operators_page_lists_it_as_it_is(model: NamedModel) -> None:
    assert table_row(model) in (DOCS / "operators.md").read_text("utf-8").splitlines()


@pytest.mark.parametrize("name", ["", "Qwen", "a/b", "..", "x" * 65, "-a", "a.gguf", "a b"])
def test_what_can_be_no_name_is_refused(name: str) -> None:
    with pytest.raises(InvalidModelError, match="small letters"):
        require_name(name)
