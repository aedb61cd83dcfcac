"""Stamps tell that files were saved, however an editor does it."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from personas.cast_stamps import changed_names, stamps
from personas.errors import PersonaError
from personas.world_files import Worlds

NO_WORLDS = Worlds(Path("none"))


def write_in_place(file: Path) -> None:
    file.write_text(file.read_text() + "#")


def put_another_in_its_place(file: Path) -> None:
    beside = file.with_name(".saving")
    beside.write_bytes(file.read_bytes())
    times = file.stat()
    os.utime(beside, ns=(times.st_atime_ns, times.st_mtime_ns))
    beside.rename(file)


def delete(file: Path) -> None:
    file.unlink()


@pytest.mark.parametrize("save", [write_in_place, put_another_in_its_place, delete])
@pytest.mark.parametrize("name", ["persona.yaml", "lore.yaml", "probes.yaml"])
def test_a_file_that_was_saved_changes_the_stamp_of_its_folder(
    write_character: Callable[..., Path], save: Callable[[Path], None], name: str
) -> None:
    root = write_character().parent
    before = stamps(root, NO_WORLDS)
    assert changed_names(before, stamps(root, NO_WORLDS)) == []
    save(root / "ada" / name)
    assert changed_names(before, stamps(root, NO_WORLDS)) == ["ada"]


def test_a_file_behind_a_link_counts(write_character: Callable[..., Path]) -> None:
    folder = write_character()
    shared = folder.parent / "_shared.yaml"
    (folder / "lore.yaml").rename(shared)
    (folder / "lore.yaml").symlink_to(shared)
    before = stamps(folder.parent, NO_WORLDS)
    write_in_place(shared)
    assert changed_names(before, stamps(folder.parent, NO_WORLDS)) == ["ada"]


def test_a_new_folder_is_a_change(write_character: Callable[..., Path]) -> None:
    root = write_character().parent
    assert changed_names({}, stamps(root, NO_WORLDS)) == ["ada"]


def test_a_folder_without_characters_has_no_stamps(tmp_path: Path) -> None:
    with pytest.raises(PersonaError, match="holds no characters"):
        stamps(tmp_path, NO_WORLDS)
