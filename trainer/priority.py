"""Training beside a server: it computes on what serving leaves over.

Under SCHED_IDLE the kernel gives a core to training only while nobody else wants it, and takes it
back at once. Threads and processes started afterwards inherit it, the gate's engine too.
"""

import os

LOWEST = 19  # niceness


def yield_to_others() -> None:
    """Give way to every other process, for the rest of this one's life."""
    try:
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    except (AttributeError, OSError):  # not Linux, or not allowed
        os.nice(LOWEST)


def keep_to(threads: int) -> None:
    """Use so many cores at most; 0 = all of them. Training takes a thread a core it may use."""
    cores = sorted(os.sched_getaffinity(0))
    if threads:
        os.sched_setaffinity(0, cores[:threads])
