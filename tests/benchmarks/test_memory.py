"""Memory of a process and what it started."""

from __future__ import annotations

import os
import subprocess
import sys

from benchmarks.memory import anonymous_bytes, family

MIB = 1 << 20
CHILD = "block = bytearray(64 << 20); print('ready', flush=True); input()"


def test_a_child_counts_as_its_parents_memory() -> None:
    before = anonymous_bytes(os.getpid())
    with subprocess.Popen(
        [sys.executable, "-c", CHILD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        assert child.pid in family(os.getpid())
        assert anonymous_bytes(os.getpid()) - before >= 64 * MIB
        child.communicate("\n")
