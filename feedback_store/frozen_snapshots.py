"""Snapshots kept beside an unfinished training, so that a killed one goes on with the same rows.

They hold players' words, so they are of this package: only their owner can read the file, damage is
reported without quoting it, and a snapshot is removed when a player it names is forgotten or a turn
of it expires. A training whose snapshot is gone cannot go on.
"""

from collections.abc import Callable, Set
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from feedback_store.errors import StoreCorruptError
from feedback_store.publishing import publish, workplace
from feedback_store.selection import Edited, Labelled, Pair, Snapshot

FILE = "snapshot.json"  # in the folder of each run

_SNAPSHOT = TypeAdapter(Snapshot)


def freeze(snapshot: Snapshot, file: Path) -> None:
    """Write a snapshot, whole or not at all. Raises OSError."""
    with workplace(file) as folder:
        written = folder / "snapshot"
        written.touch(mode=0o600)
        written.write_bytes(_SNAPSHOT.dump_json(snapshot))
        publish(written, file)


def thaw(file: Path) -> Snapshot:
    """Read a frozen snapshot. Raises FileNotFoundError, StoreCorruptError."""
    try:
        return _SNAPSHOT.validate_json(file.read_bytes())
    except FileNotFoundError:
        raise
    except OSError as error:
        raise StoreCorruptError(f"{file} cannot be read: {error}") from error
    except ValidationError:
        # Without its cause, which quotes what players said.
        raise StoreCorruptError(f"{file} is damaged: it is no frozen snapshot") from None


def names_player(snapshot: Snapshot, player_id: str) -> bool:
    """Whether any row, trained on or held out, is of the player."""
    pairs = (*snapshot.train_pairs, *snapshot.held_out_pairs)
    disliking = {pair.rejected_by for pair in pairs}
    return player_id in disliking | {row.player_id for row in _rows(snapshot)}


def drop_player(runs: Path, player_id: str) -> list[Path]:
    """Remove the snapshots of trainings that name a player; returns which. Raises OSError.

    One that cannot be read may name anybody and is removed too.
    """
    return _drop(runs, lambda snapshot: names_player(snapshot, player_id))


def drop_expired(runs: Path, stored: Callable[[str], Set[str]]) -> list[Path]:
    """Remove the snapshots with a turn that is not stored any more; returns which. Raises OSError.

    `stored` gives a character's turns by id. One that cannot be read is removed too.
    """
    return _drop(runs, lambda snapshot: not turns_of(snapshot) <= stored(snapshot.character))


def _drop(runs: Path, unwanted: Callable[[Snapshot], bool]) -> list[Path]:
    dropped = []
    for file in sorted(runs.glob(f"*/{FILE}")):
        try:
            goes = unwanted(thaw(file))
        except FileNotFoundError:
            continue
        except StoreCorruptError:
            goes = True
        if goes:
            file.unlink(missing_ok=True)
            dropped.append(file)
    return dropped


def turns_of(snapshot: Snapshot) -> set[str]:
    """The turns that its rows were made from, trained on or held out."""
    return {row.turn_id for row in _rows(snapshot)}


def _rows(snapshot: Snapshot) -> tuple[Pair | Labelled | Edited, ...]:
    return (
        *snapshot.train_pairs,
        *snapshot.held_out_pairs,
        *snapshot.train_labels,
        *snapshot.held_out_labels,
        *snapshot.train_edits,
        *snapshot.held_out_edits,
    )
