"""How long turns are kept: older ones are deleted, a few at a time.

Deleting shares the store's one writer with everything else, so it goes in portions with pauses.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path

from feedback_store.errors import FeedbackStoreError
from feedback_store.store import Store
from npc_server.config import PrivacySection

logger = logging.getLogger(__name__)

SWEEP_EVERY_S = 3600.0
PORTION = 500  # turns
PAUSE_S = 0.1


async def sweep_hourly(store: Store, privacy: PrivacySection, runs: Path) -> None:
    """Delete expired turns at once, then every hour, until cancelled."""
    while True:
        await sweep(store, privacy, runs)
        await asyncio.sleep(SWEEP_EVERY_S)


async def sweep(store: Store, privacy: PrivacySection, runs: Path) -> None:
    """Delete expired turns; consent to training decides which limit a turn has.

    Unfinished trainings in `runs` lose the rows made of deleted turns, and end.
    """
    deleted = 0
    for consent, days in ((True, privacy.retention_days), (False, privacy.serving_retention_days)):
        if days:
            deleted += await _sweep(store, consent, days)
    if deleted:
        try:
            await asyncio.to_thread(drop_frozen, store, runs)
        except (FeedbackStoreError, OSError) as error:
            logger.error("unfinished trainings in %s keep expired rows: %s", runs, error)


def drop_frozen(store: Store, runs: Path) -> list[str]:
    """Remove the rows of deleted turns from unfinished trainings; returns the trainings' names."""
    from feedback_store.frozen_snapshots import drop_expired  # takes half a second to load

    def turn_ids_of(character: str) -> set[str]:
        return {turn.turn_id for turn in store.turns(character)}

    dropped = drop_expired(runs, turn_ids_of)
    return [file.parent.name for file in dropped]


async def _sweep(store: Store, consent: bool, days: int) -> int:
    moment = datetime.now(UTC) - timedelta(days=days)
    deleted = 0
    try:
        while portion := await asyncio.wrap_future(store.delete_older(moment, consent, PORTION)):
            deleted += portion
            await asyncio.sleep(PAUSE_S)
    except FeedbackStoreError as error:
        logger.error("turns older than %d days could not be deleted: %s", days, error)
    if deleted:
        logger.info("deleted %d turns older than %d days", deleted, days)
    return deleted
