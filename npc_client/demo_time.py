"""How long the demo takes on this machine, foretold from a moment of its own kind of arithmetic.

Most of the demo multiplies matrices. How many operations one core does in a second, beside whatever
else it does now, scales what the demo took where it was measured; starting programs and loading
files take about the same everywhere. Cores beyond two help less and less.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

#: Of a demo on two cores of an AMD EPYC with AVX-512, nothing beside it.
MEASURED_S = 284.0
UNSCALED_S = 60.0  # of them: starting programs, loading files
MEASURED_CORES = 2
MEASURED_FLOPS = 88e9  # multiplications and additions per second of one core

QUICKEST, SLOWEST = 0.8, 1.6  # times what is foretold: CPUs differ in more than this arithmetic

_WIDTH = 64  # small enough for numpy to use one core
_FOR_S = 0.5


@dataclass(frozen=True)
class Foretold:
    """The likely span of a demo's length."""

    least_s: float
    most_s: float

    def __str__(self) -> str:
        least, most = (max(1, round(seconds / 60)) for seconds in (self.least_s, self.most_s))
        return f"{least} to {most} minutes" if most > least else f"about {most} min"


def foretell(core_flops: float, cores: int) -> Foretold:
    """How long the demo takes where each core does so many operations per second."""
    helping = min(cores, (MEASURED_CORES * cores) ** 0.5)
    work_s = (MEASURED_S - UNSCALED_S) * MEASURED_FLOPS / core_flops * MEASURED_CORES / helping
    expected_s = UNSCALED_S + work_s
    return Foretold(QUICKEST * expected_s, SLOWEST * expected_s)


def measure_core_flops() -> float:
    """Multiply matrices on one core for half a second; return the operations per second."""
    left, right, out = (np.ones((_WIDTH, _WIDTH), np.float32) for _ in range(3))
    begun, done = time.perf_counter(), 0
    while (took := time.perf_counter() - begun) < _FOR_S:
        np.matmul(left, right, out)
        done += 1
    return 2.0 * _WIDTH**3 * done / took
