"""When to look at the files of the cast: the kernel tells of what was saved, or a clock does.

Whoever is woken compares all files with what is known, so it does not matter who woke them, or that
several savings woke them once.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from pathlib import Path

from npc_server.config import ReloadSection, Watch

logger = logging.getLogger(__name__)

#: Where the kernel tells of changes it may still miss some: of links that lead elsewhere, of a
#: folder that is put in place of the whole cast.
SAFETY_S = 5.0
_LONGEST_GROUP_MS = 1600  # of savings that follow one another


async def wakes(roots: Iterable[Path], section: ReloadSection) -> AsyncGenerator[None]:
    """Yield whenever something below `roots` may have been saved, once it is quiet again."""
    if section.watch is Watch.NOTIFY:
        there = [root for root in roots if root.is_dir()] or list(roots)
        async with aclosing(_told_by_kernel(there, section)) as told:
            async for _ in told:
                yield
    while True:  # as set, or because the kernel does not tell
        await asyncio.sleep(section.poll_s)
        yield


async def _told_by_kernel(roots: list[Path], section: ReloadSection) -> AsyncGenerator[None]:
    """End, with a word in the log, where nothing is told."""
    from watchfiles import awatch

    settle_ms, timeout_ms = int(section.settle_ms), int(SAFETY_S * 1e3)
    changes = awatch(
        *roots,
        watch_filter=None,
        step=settle_ms,
        debounce=max(settle_ms, _LONGEST_GROUP_MS),
        rust_timeout=timeout_ms,
        yield_on_timeout=True,
    )
    try:
        async with aclosing(changes):
            async for _ in changes:
                yield
    except (OSError, RuntimeError) as error:  # no watches left, no folder, a system without them
        logger.warning(
            "%s is looked at every %g s, as the system does not tell of changes: %s",
            ", ".join(map(str, roots)),
            section.poll_s,
            error,
        )
