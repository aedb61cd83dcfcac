"""Disk space of runs: how much one will need, and how much finished ones may keep.

Records and reports are small and stay. Candidates take the space: those of finished runs are copies
of published versions, or were rejected, and are removed when they are too many or too large, the
oldest first, each with its reward head.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from gguf import GGUFReader

from trainer.errors import DiskError
from trainer.recipes.recipe import Upkeep
from trainer.records import runs

GIB = 1 << 30
MIB = 1 << 20
#: Adapter-sized files that a run writes: the candidate, its publication, the reward head, and two
#: checkpoints of weights, reference and two moments each. The head's follow when these are gone.
PIECES = 11
FLOAT_BYTES = 4


def run_bytes(base: Path, rank: int) -> int:
    """The bytes that a run may write, for adapters of this rank on all layers."""
    # The vocabulary counts too, though no adapter adapts it: that errs on the safe side.
    return PIECES * FLOAT_BYTES * sum(rank * (rows + columns) for rows, columns in _shapes(base))


def dense_bytes(base: Path) -> int:
    """The bytes of the base, unpacked to float32."""
    return FLOAT_BYTES * sum(rows * columns for rows, columns in _shapes(base))


def require_room(folder: Path, needed: int, what: str) -> None:
    """Raise DiskError unless the disk of `folder`, which may not exist yet, has room."""
    for shortage in shortages([(folder, needed, what)]):
        raise shortage


def shortages(wanted: Sequence[tuple[Path, int, str]]) -> Iterator[DiskError]:
    """What does not fit: (folder, bytes, what for), those on one disk together.

    A folder need not exist yet.
    """
    disks: dict[int, list[tuple[Path, int, str]]] = {}
    for folder, needed, what in wanted:
        disks.setdefault(_existing(folder).stat().st_dev, []).append((folder, needed, what))
    for together in disks.values():
        folder, needed = together[0][0], sum(one[1] for one in together)
        free = shutil.disk_usage(_existing(folder)).free
        if free < needed:
            what = " and ".join(one[2] for one in together)
            yield DiskError(
                f"disk: {what} may need {needed / MIB:.0f} MiB, and {folder} has"
                f" {free / MIB:.0f} MiB left; make room there"
            )


def _existing(folder: Path) -> Path:
    return next(place for place in (folder, *folder.parents) if place.is_dir())


def make_room(root: Path, upkeep: Upkeep) -> None:
    """Remove candidates of finished runs until all runs are within the budget."""
    finished = [run for run in runs.every(root) if runs.has_ended(run) and run.candidate.is_dir()]
    surplus = len(finished) - upkeep.kept_runs
    for index, run in enumerate(finished):
        if index < surplus or size_bytes(root) > upkeep.disk_gib * GIB:
            shutil.rmtree(run.head, ignore_errors=True)
            shutil.rmtree(
                run.candidate, ignore_errors=True
            )  # last: while it is there, this is repeated


def size_bytes(folder: Path) -> int:
    """The bytes of all files below `folder`."""
    return sum(_bytes(file) for file in folder.rglob("*"))


def _bytes(file: Path) -> int:
    try:
        return file.lstat().st_size
    except FileNotFoundError:  # another process's temporary file
        return 0


def _shapes(base: Path) -> list[tuple[int, int]]:
    tensors = (tensor.shape for tensor in GGUFReader(base).tensors)
    return [(int(shape[0]), int(shape[1])) for shape in tensors if len(shape) == 2]
