"""A training ends with the process that started it, however that one ended: nothing trains unseen.

The kernel gives a child whose parent is gone to another process, so the parent's id tells.
"""

import os
import signal
import time
from threading import Thread

LOOK_EVERY_S = 1.0


def end_with(parent: int) -> None:
    """Have this process told to stop, as by SIGTERM, once `parent` is not its parent any more."""
    Thread(target=_watch, args=(parent,), daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(LOOK_EVERY_S)
    os.kill(os.getpid(), signal.SIGTERM)
