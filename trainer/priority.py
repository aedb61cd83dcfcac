"""Training beside a server: it gets the processor time that serving leaves over.

Under SCHED_IDLE the kernel gives a core to training only while no other process wants it. But where
autogroups are on, Linux compares sessions first: a training in another session than the server's
would get half of the machine, whatever its priority within its own. So it moves to a session of its
own and gives that the lowest priority. Threads and processes started later inherit both, the gate's
engine too. Ctrl-C in a terminal does not reach that session: its parent process passes it on.
"""

import os
from contextlib import suppress
from pathlib import Path

LOWEST = 19  # niceness, of a process or of a session
_OWN_SESSION = Path("/proc/self/autogroup")


def yield_to_others() -> None:
    """Give way to all other processes until this one ends."""
    _lower_session()
    try:
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    except (AttributeError, OSError):  # not Linux, or not allowed
        os.nice(LOWEST)


def keep_to(threads: int) -> None:
    """Use at most `threads` cores; 0 = all. Training runs one thread per core it may use."""
    cores = sorted(os.sched_getaffinity(0))
    if threads:
        os.sched_setaffinity(0, cores[:threads])


def _lower_session() -> None:
    if not _OWN_SESSION.exists():
        return
    with suppress(PermissionError):  # the leader of a group of processes cannot leave it
        os.setsid()
    if os.getsid(0) == os.getpid():  # else it would lower the session of the server's terminal
        with suppress(OSError):  # not allowed everywhere, and only at a limited rate
            _OWN_SESSION.write_text(f"{LOWEST}\n")
