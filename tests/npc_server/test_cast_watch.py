"""Whoever follows the files is woken when they are saved, by the system or by a clock."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from pathlib import Path

import pytest

from npc_server.cast_watch import wakes
from npc_server.config import ReloadSection, Watch
from tests.support.saved_casts import cast_in, save

LONG_S = 60.0


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return cast_in(tmp_path, "mira")


async def test_a_saved_file_wakes(root: Path) -> None:
    section = ReloadSection(settle_ms=10, poll_s=LONG_S)
    async with asyncio.timeout(LONG_S), aclosing(wakes([root], section)) as woken:
        waking = asyncio.ensure_future(anext(woken))
        while not waking.done():  # until the watch is set up, nothing is told
            save(root, "mira", "# Mira", "# Mira")
            await asyncio.sleep(0.05)
        await waking


async def test_a_clock_wakes_where_the_system_tells_nothing(root: Path) -> None:
    section = ReloadSection(watch=Watch.POLL, poll_s=0.01)
    async with asyncio.timeout(LONG_S), aclosing(wakes([root], section)) as woken:
        await anext(woken)
        await anext(woken)  # again and again


async def test_a_folder_that_cannot_be_watched_is_polled_and_told_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    section = ReloadSection(settle_ms=10, poll_s=0.01)
    async with asyncio.timeout(LONG_S), aclosing(wakes([tmp_path / "none"], section)) as woken:
        await anext(woken)
    assert "is looked at every 0.01 s" in caplog.text
