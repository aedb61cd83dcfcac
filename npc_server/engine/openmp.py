"""How long OpenMP's threads spin while they wait, in every process that computes a model.

They wait between the thousand or so parallel regions of a step. The default spins so long that a
second busy process starves the step; no spin at all doubles the step time. Measured: 1000 loses
nothing when alone. OpenMP reads the variable once, when the library loads, so it must be set
before; a value that the operator has set stays.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

SPIN = "GOMP_SPINCOUNT"
SHORT = "1000"


def set_short_spin() -> None:
    """Set the spin of this process and its children, before it loads a model library."""
    os.environ.setdefault(SPIN, SHORT)


@contextmanager
def short_spin() -> Iterator[None]:
    """Set the spin of processes that are spawned inside the block, and restore it afterwards."""
    if SPIN in os.environ:
        yield
        return
    os.environ[SPIN] = SHORT
    try:
        yield
    finally:
        del os.environ[SPIN]
