"""What a benchmark runs on: the cores it may use, the processor, and the versions measured."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from benchmarks.marks import CpuKind
from npc_server.engine.llama import cpu_kernels

CORES = 2  # for everything that runs: peers, servers and the players

_PACKAGES = ("troupe", "llama-cpp-python", "grpcio", "numpy", "torch", "transformers", "peft")


def use_cores(count: int) -> None:
    """Pin this process and all it starts to `count` cores."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:count])


def machine() -> dict[str, Any]:
    """The processor's name and kind, and how many of its cores were used."""
    return {
        "cpu": cpu_model(),
        "cpu_kind": cpu_kind(),
        "cores": os.cpu_count(),
        "cores_used": CORES,
    }


def cpu_kind() -> CpuKind:
    """What llama.cpp computes with here, which may be built for less than the processor has."""
    return CpuKind.AVX512 if "AVX512" in cpu_kernels() else CpuKind.OTHER


def cpu_model() -> str:
    """The processor's name, as Linux gives it."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return next(iter(names), platform.processor() or platform.machine())


def versions() -> dict[str, str]:
    """Versions of what was measured; what is not installed is left out."""
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
