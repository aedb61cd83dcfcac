"""What is said of a name that does not exist."""

from pathlib import Path

import pytest

from personas.known_names import nearest, no_such, no_such_file


def test_a_wrong_name_gets_the_nearest_one_and_all() -> None:
    said = no_such("character", "mria", {"orsolo", "mira", "fenn"})
    assert said == "no character 'mria'; known: fenn, mira, orsolo. Did you mean 'mira'?"


def test_nothing_is_proposed_where_nothing_is_like_it() -> None:
    assert no_such("character", "zzz", ["mira"]) == "no character 'zzz'; known: mira"
    assert no_such("character", "zzz", []) == "no character 'zzz'; there is none"


@pytest.mark.parametrize(
    ("name", "meant"),
    [("MIRA", "mira"), ("mia", "mira"), ("v0003", "v0003-9c1d2e4f"), ("", ""), ("xyz", "")],
)
def test_case_slips_and_beginnings_are_understood(name: str, meant: str) -> None:
    assert nearest(name, ["mira", "orsolo", "v0003-9c1d2e4f"]) == meant


def test_of_many_names_the_last_are_listed() -> None:
    said = no_such("run", 77, range(1, 15))
    known = "3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14 and 2 more"
    assert said == f"no run 77; known: {known}. Did you mean '7'?"


def test_a_wrong_file_gets_the_nearest_one_beside_it(tmp_path: Path) -> None:
    (tmp_path / "2026-march.db").touch()
    said = no_such_file("backup", tmp_path / "2026-mach.db")
    assert said == f"no backup {tmp_path}/2026-mach.db; did you mean {tmp_path}/2026-march.db?"
    assert no_such_file("backup", tmp_path / "no/folder") == f"no backup {tmp_path}/no/folder"
