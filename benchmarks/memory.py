"""Memory of a process and everything it started, as Linux counts it."""

from __future__ import annotations

import os
from pathlib import Path

_PROC = Path("/proc")


def anonymous_bytes(pid: int) -> int:
    """Resident memory that no file backs: a mapped model does not count."""
    return sum(_anonymous_bytes(member) for member in family(pid))


def resident_bytes(pid: int) -> int:
    """Resident memory of one process, files included."""
    return _status_bytes(pid, "VmRSS")


def peak_bytes() -> int:
    """The most resident memory that this process has had at once, files included."""
    return _status_bytes(os.getpid(), "VmHWM")


def family(pid: int) -> list[int]:
    """A process and its descendants."""
    children = [
        int(child)
        for listing in _PROC.glob(f"{pid}/task/*/children")
        for child in listing.read_text().split()
    ]
    return [pid, *(member for child in children for member in family(child))]


def _anonymous_bytes(pid: int) -> int:
    return _status_bytes(pid, "RssAnon", "RssShmem")


def _status_bytes(pid: int, *keys: str) -> int:
    lines = (_PROC / str(pid) / "status").read_text().splitlines()
    sizes = dict(line.split(":", 1) for line in lines)
    return 1024 * sum(int(sizes[key].split()[0]) for key in keys)
