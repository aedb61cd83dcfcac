"""What the machine says of its memory."""

from pathlib import Path

import pytest

from npc_server.engine import host_memory

MIB = 1 << 20


def test_free_memory_is_read_where_the_system_says_it(tmp_path: Path) -> None:
    file = tmp_path / "meminfo"
    file.write_text("MemTotal: 9 kB\nMemAvailable:  4096 kB\nSwapFree: 1024 kB\n")
    assert host_memory._machine_bytes(file) == 5 * MIB
    assert host_memory._machine_bytes(tmp_path / "none") is None


@pytest.mark.parametrize(("limit", "left"), [("10485760", 7 * MIB), ("max", None)])
def test_a_containers_limit_counts(tmp_path: Path, limit: str, left: int | None) -> None:
    (tmp_path / "memory.max").write_text(f"{limit}\n")
    (tmp_path / "memory.current").write_text(f"{4 * MIB}\n")
    (tmp_path / "memory.stat").write_text(f"anon 1\ninactive_file {MIB}\n")
    assert host_memory._cgroup_bytes(tmp_path) == left
