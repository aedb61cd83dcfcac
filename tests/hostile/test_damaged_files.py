"""Damaged files are read, or refused by the one error of their reader; nothing is left behind."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.damage import damaged
from tests.support.hostile_readers import READERS, Reader

_SECONDS = 20  # what one file may take beside busy processes
_SOAK_S = 60  # for each reader
_BY_NAME = pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.name)


def read_damaged(reader: Reader, file: Path, valid: bytes, seed: int) -> None:
    """Read a file that is damaged by this seed; it may not take long."""
    file.write_bytes(damaged(valid, reader.words, reader.head, seed))
    began = time.monotonic()
    reader.read(file)
    assert time.monotonic() - began < _SECONDS


@_BY_NAME
def test_a_file_that_is_whole_is_read(reader: Reader, tmp_path: Path) -> None:
    reader.read(reader.make(tmp_path))


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 1 << 32))
@_BY_NAME
def test_damage_is_refused_or_read(
    reader: Reader, seed: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    file = reader.make(tmp_path_factory.mktemp("file"))
    read_damaged(reader, file, file.read_bytes(), seed)


@pytest.mark.soak
@_BY_NAME
def test_much_damage_is_refused_or_read(reader: Reader, tmp_path: Path) -> None:
    file = reader.make(tmp_path)
    valid, end = file.read_bytes(), time.monotonic() + _SOAK_S
    while time.monotonic() < end:
        seed = random.randrange(1 << 32)
        print(seed)  # shown when it fails
        read_damaged(reader, file, valid, seed)
