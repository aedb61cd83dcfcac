"""Training beside a server: it computes on what serving leaves over.

Under SCHED_IDLE the kernel gives a core to training only while nobody else wants it. Linux compares
sessions first where autogroups are on, though: a training in another session than the server's
would get half of the machine, whatever its priority is within its own. So it moves to a session of
its own and makes that the least of all. Threads and processes started afterwards inherit both, the
gate's engine too. Ctrl-C in a terminal does not reach it there: whoever started it passes it on.
"""

import os
from contextlib import suppress
from pathlib import Path

LOWEST = 19  # niceness, of a process or of a session
_OWN_SESSION = Path("/proc/self/autogroup")


def yield_to_others() -> None:
    """Give way to every other process, for the rest of this one's life."""
    _be_the_least_session()
    try:
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    except (AttributeError, OSError):  # not Linux, or not allowed
        os.nice(LOWEST)


def keep_to(threads: int) -> None:
    """Use so many cores at most; 0 = all of them. Training takes a thread a core it may use."""
    cores = sorted(os.sched_getaffinity(0))
    if threads:
        os.sched_setaffinity(0, cores[:threads])


def _be_the_least_session() -> None:
    if not _OWN_SESSION.exists():
        return
    with suppress(PermissionError):  # the leader of a group of processes cannot leave it
        os.setsid()
    if os.getsid(0) == os.getpid():  # or the server's terminal might be meant
        with suppress(OSError):  # not allowed everywhere, nor often
            _OWN_SESSION.write_text(f"{LOWEST}\n")
