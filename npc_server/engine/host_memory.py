"""How much of the machine's own memory this process may still take."""

from __future__ import annotations

from pathlib import Path

_MEMINFO = Path("/proc/meminfo")
_CGROUP = Path("/sys/fs/cgroup")


def available_bytes() -> int | None:
    """The memory that this process may still take; None when the system does not say."""
    machine = _machine_bytes(_MEMINFO)
    limit = _cgroup_bytes(_CGROUP)
    known = [found for found in (machine, limit) if found is not None]
    return min(known) if known else None


def _machine_bytes(meminfo: Path) -> int | None:
    """Free memory and swap, and caches that can be dropped."""
    try:
        lines = meminfo.read_text("utf-8").splitlines()
        kib = {name: int(rest.split()[0]) for name, _, rest in (x.partition(":") for x in lines)}
        return (kib["MemAvailable"] + kib.get("SwapFree", 0)) * 1024
    except (OSError, ValueError, KeyError, IndexError):
        return None


def _cgroup_bytes(folder: Path) -> int | None:
    """What a container's limit leaves; file caches count as free."""
    try:
        limit, used = (
            (folder / name).read_text("utf-8").strip() for name in ("memory.max", "memory.current")
        )
        lines = (folder / "memory.stat").read_text("utf-8").splitlines()
        cached = sum(int(line.split()[1]) for line in lines if line.startswith("inactive_file "))
        return max(0, int(limit) - int(used) + cached)
    except (OSError, ValueError, IndexError):  # "max" is no number: no limit
        return None
