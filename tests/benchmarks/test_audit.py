"""Licences pass by the list alone, and a database that is not reached calls nothing sound."""

from __future__ import annotations

import pytest

from benchmarks.audit import (
    Finding,
    Known,
    Package,
    exit_code_of,
    finding_of,
    installed,
    is_allowed,
)

MIT = Package("a", "1", "MIT")


@pytest.mark.parametrize(
    "stated",
    [
        "MIT",
        "3-Clause BSD License",
        "Apache License, Version 2.0",
        "GPL-3.0 OR MIT",
        "0BSD AND MIT",
    ],
)
def test_a_listed_licence_is_allowed_however_it_is_written(stated: str) -> None:
    assert is_allowed(stated)


@pytest.mark.parametrize(
    "stated", ["", "GPL-3.0-only", "MIT AND GPL-3.0", "Proprietary", "AGPL-3.0; MIT License"]
)
def test_any_other_is_not(stated: str) -> None:
    assert not is_allowed(stated)


def test_what_is_installed_here_may_be_used() -> None:
    assert [one for one in installed() if not is_allowed(one.license)] == []


def test_a_database_that_is_not_reached_calls_nothing_sound() -> None:
    finding = finding_of(1, "", "ConnectionError: no route")
    assert finding == Finding(Known.NOTHING, "ConnectionError: no route")
    assert exit_code_of([MIT], finding) == 2


def test_a_vulnerability_or_a_strange_licence_fails() -> None:
    some = finding_of(1, "Name Version ID Fix Versions\na 1 X-1 2", "Found 1")
    assert exit_code_of([MIT], some) == 1
    assert exit_code_of([Package("b", "1", "")], Finding(Known.NONE, "")) == 1
