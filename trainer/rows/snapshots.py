"""The training rows of one character, read from the feedback store."""

from pathlib import Path

from feedback_store.frozen_snapshots import turns_of
from feedback_store.selection import Snapshot, select
from feedback_store.store import Store
from trainer.errors import MissingStoreError


def snapshot_of(file: Path, character: str) -> Snapshot:
    """Select the training rows of a character. MissingStoreError, and the store's errors."""
    if not file.is_file():
        raise MissingStoreError(f"no feedback store at {file}; serve first, and let people play")
    with Store.open(file) as store:
        turns, events = store.turns(character), store.events(character)
    return select(character, turns, events)


def still_stored(file: Path, snapshot: Snapshot) -> bool:
    """Whether every row's turn is still in the store, neither forgotten nor expired."""
    with Store.open(file) as store:
        stored = {turn.turn_id for turn in store.turns(snapshot.character)}
    return turns_of(snapshot) <= stored
