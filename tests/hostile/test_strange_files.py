"""Pipes, devices and links out of a folder, in the place of every file that strangers send."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from personas import yaml_file
from personas.adapter_repo import AdapterRepo
from personas.cards.card_files import read_value
from personas.errors import AdapterRepoError, CorruptAdapterError
from tests.support.hostile_readers import READERS, Reader

Put = Callable[[Path], None]

PLACES: dict[str, Put] = {
    "pipe": os.mkfifo,
    "device": lambda path: path.symlink_to("/dev/zero"),
    "folder": Path.mkdir,
    "itself": lambda path: path.symlink_to(path),
    "nothing": lambda path: path.symlink_to("nowhere"),
}
#: What reads text that a caller read before, and not the file.
_OF_TEXT = ("persona.yaml", "lore.yaml", "probes.yaml")


@pytest.mark.timeout(60)
@pytest.mark.parametrize("put", PLACES.values(), ids=PLACES)
@pytest.mark.parametrize(
    "reader", [one for one in READERS if one.name not in _OF_TEXT], ids=lambda one: one.name
)
def test_what_is_no_plain_file_is_not_waited_for(reader: Reader, put: Put, tmp_path: Path) -> None:
    file = reader.make(tmp_path)
    file.unlink()
    put(file)
    with suppress(OSError):  # told by the command
        reader.read(file)


@pytest.mark.parametrize("put", [PLACES["pipe"], PLACES["device"]], ids=["pipe", "device"])
def test_a_card_that_is_no_file_is_told_by_its_name(put: Put, tmp_path: Path) -> None:
    put(tmp_path / "mira.png")
    with pytest.raises(OSError, match="not a plain file"):
        read_value(tmp_path / "mira.png", tmp_path)


@pytest.mark.parametrize("name", ["adapter_config.json", "adapter_model.safetensors"])
def test_a_version_does_not_lead_out_of_the_adapters(tmp_path: Path, name: str) -> None:
    manifest = next(one for one in READERS if one.name == "manifest").make(tmp_path / "adapters")
    outside = (manifest.parent / name).rename(tmp_path / "secret")
    (manifest.parent / name).symlink_to(outside)
    with pytest.raises(CorruptAdapterError, match="leads out of"):
        AdapterRepo(tmp_path / "adapters").path("mira", manifest.parent.name)


def test_a_manifest_does_not_lead_out_of_the_adapters(tmp_path: Path) -> None:
    manifest = next(one for one in READERS if one.name == "manifest").make(tmp_path / "adapters")
    outside = manifest.rename(tmp_path / "secret")
    manifest.symlink_to(outside)
    repo = AdapterRepo(tmp_path / "adapters")
    assert repo.versions("mira") == []
    with pytest.raises(AdapterRepoError, match="leads out of"):
        repo.verify("mira", manifest.parent.name)


def test_a_persona_does_not_lead_out_of_its_cast(tmp_path: Path) -> None:
    (tmp_path / "cast" / "mira").mkdir(parents=True)
    file = tmp_path / "cast" / "mira" / "persona.yaml"
    file.symlink_to("/etc/passwd")
    assert "leads out of" in yaml_file.read(file, tmp_path / "cast").problems[0].what
