"""The audit: what is written in it stays, and a change shows."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from feedback_store.audit import NOTHING, Action, entries, record, verify
from feedback_store.errors import AuditError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "audit.jsonl"


@pytest.fixture
def written(path: Path) -> Path:
    """Of three entries."""
    for character in ("mira", "fenn", "orsolo"):
        record(path, "key k1", Action.PROMOTED, character=character)
    return path


def test_entries_tell_who_did_what(written: Path) -> None:
    told = [(one.number, one.who, one.action, one.about["character"]) for one in entries(written)]
    assert told[0] == (1, "key k1", "promoted", "mira")
    assert [number for number, *_ in told] == [1, 2, 3]
    assert stat.S_IMODE(written.stat().st_mode) == 0o600


def test_the_chain_of_what_was_written_holds(written: Path) -> None:
    verdict = verify(written)
    assert (verdict.entries, verdict.fault) == (3, "")
    assert verdict.head == list(entries(written))[-1].hash


def test_an_empty_audit_holds(path: Path) -> None:
    assert verify(path).head == NOTHING


def _change(lines: list[str]) -> list[str]:
    told = json.loads(lines[1])
    return [lines[0], json.dumps({**told, "who": "nobody"}), lines[2]]


def _take_out(lines: list[str]) -> list[str]:
    return [lines[0], lines[2]]


def _swap(lines: list[str]) -> list[str]:
    return [lines[0], lines[2], lines[1]]


def _spoil(lines: list[str]) -> list[str]:
    return [lines[0], "{", lines[2]]


@pytest.mark.parametrize("alter", [_change, _take_out, _swap, _spoil])
def test_an_altered_line_is_found(written: Path, alter: Callable[[list[str]], list[str]]) -> None:
    written.write_text("".join(f"{line}\n" for line in alter(written.read_text().splitlines())))
    verdict = verify(written)
    assert verdict.entries == 1
    assert verdict.fault


def test_entries_written_at_once_are_one_chain(path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: record(path, f"key {n}", Action.KEY_MADE), range(24)))
    assert verify(path).entries == 24


def test_half_a_line_of_a_killed_writer_is_replaced(written: Path) -> None:
    whole = written.read_text()
    written.write_text(f'{whole}{{"number": 4, "at')
    record(written, "key k1", Action.ROLLED_BACK)
    assert written.read_text().startswith(whole)
    assert verify(written).entries == 4


def test_a_damaged_end_is_not_written_on(written: Path) -> None:
    written.write_text("nonsense\n")
    with pytest.raises(AuditError, match="npc audit verify"):
        record(written, "key k1", Action.PROMOTED)
    assert written.read_text() == "nonsense\n"


def test_a_folder_that_cannot_be_written_to_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(AuditError, match="cannot write"):
        record(tmp_path / "file" / "audit.jsonl", "key k1", Action.PROMOTED)
