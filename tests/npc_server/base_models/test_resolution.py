"""From a name or a path to the file that serves."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from npc_server.base_models.catalogue import CATALOGUE, DEFAULT_MODEL, NamedModel
from npc_server.base_models.errors import ModelUnavailableError
from npc_server.base_models.model_records import ModelRecords
from npc_server.base_models.resolution import ModelPlaces, find, names, resolve
from npc_server.base_models.sources import FileSource, HubSource


@pytest.fixture
def places(tmp_path: Path) -> ModelPlaces:
    """Empty places."""
    return ModelPlaces(tmp_path / "cache", tmp_path / "models", tmp_path / "bases")


def record(places: ModelPlaces, model: NamedModel) -> None:
    """Give a model its name."""
    assert places.records is not None
    ModelRecords(places.records).record(model)


def test_a_name_that_was_never_fetched_says_how_to(places: ModelPlaces) -> None:
    with pytest.raises(ModelUnavailableError, match=r"run: npc model pull$"):
        resolve(DEFAULT_MODEL, places)
    with pytest.raises(ModelUnavailableError, match=r"run: npc model pull qwen3-4b$"):
        resolve("qwen3-4b", places)


def test_any_gguf_is_named_by_its_path(places: ModelPlaces, tmp_path: Path) -> None:
    (tmp_path / "my.gguf").write_bytes(b"x")
    assert resolve(str(tmp_path / "my.gguf"), places) == tmp_path / "my.gguf"


def test_what_is_neither_name_nor_file_is_refused_with_the_names(places: ModelPlaces) -> None:
    with pytest.raises(ModelUnavailableError, match=", ".join(CATALOGUE)):
        resolve("smollm3", places)


def test_a_file_goes_by_the_name_it_was_given(places: ModelPlaces, tmp_path: Path) -> None:
    path = tmp_path / "my.gguf"
    path.write_bytes(b"four")
    record(places, NamedModel("mine", FileSource(path), "0" * 64, 4))
    assert names(places)[-1] == "mine"
    assert resolve("mine", places) == path


@pytest.mark.parametrize("content", [b"longer", None], ids=["changed", "lost"])
def test_a_named_file_that_is_another_by_now_is_not_served(
    places: ModelPlaces, tmp_path: Path, content: bytes | None
) -> None:
    path = tmp_path / "my.gguf"
    record(places, NamedModel("mine", FileSource(path), "0" * 64, 4))
    if content:
        path.write_bytes(content)
    with pytest.raises(ModelUnavailableError, match="npc model remove mine, then npc model add"):
        resolve("mine", places)


def test_a_hubs_file_of_the_wrong_size_is_not_served(places: ModelPlaces) -> None:
    record(places, NamedModel("crier", HubSource("a/b", "c.gguf", "r"), "0" * 64, 4))
    path = places.cache / "models" / "crier" / "c.gguf"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"half")
    assert resolve("crier", places) == path
    path.write_bytes(b"ha")
    with pytest.raises(ModelUnavailableError, match="fetch it again with: npc model pull crier"):
        resolve("crier", places)


def test_what_was_pinned_here_outweighs_the_catalogue(places: ModelPlaces) -> None:
    pinned = HubSource("Qwen/Qwen3-4B-GGUF", "Qwen3-4B-Q4_K_M.gguf", "0" * 40)
    record(places, NamedModel("qwen3-4b", pinned, "1" * 64, 5))
    found = find("qwen3-4b", places)
    assert found is not None
    assert (found.source, found.sha256) == (pinned, "1" * 64)
    assert found.shape == CATALOGUE["qwen3-4b"].shape
    assert names(places) == list(CATALOGUE)


def test_a_base_that_was_trained_here_goes_by_its_name(places: ModelPlaces) -> None:
    assert places.own_bases is not None
    folder = places.own_bases / "town"
    folder.mkdir(parents=True)
    (folder / "town.gguf").write_bytes(b"own")
    (folder / "manifest.json").write_text(json.dumps({"sha256": "2" * 64}))
    assert resolve("town", places) == folder / "town.gguf"
    assert names(places)[-1] == "town"


def test_a_damaged_record_keeps_from_its_own_name_alone(places: ModelPlaces) -> None:
    assert places.records is not None
    places.records.mkdir()
    (places.records / "broken.json").write_text("{")
    with pytest.raises(ModelUnavailableError, match="npc model remove broken"):
        resolve("broken", places)
    assert find("qwen3-4b", places) is not None


def test_accepted_terms_are_not_asked_for_again(places: ModelPlaces) -> None:
    assert places.records is not None
    model = CATALOGUE["gemma-3-1b"]
    ModelRecords(places.records).record(model, terms_accepted=True)
    found = find(model.name, places)
    assert found is not None
    assert (found.terms, found.license) == ("", model.license)
