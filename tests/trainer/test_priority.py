"""A training in the background is the last to get a core."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from trainer.priority import LOWEST

AUTOGROUP = Path("/proc/self/autogroup")
TELL = """
import os
from pathlib import Path
from trainer.priority import yield_to_others

yield_to_others()
print(os.sched_getscheduler(0), os.getsid(0) == os.getpid())
print(Path("/proc/self/autogroup").read_text() if Path("/proc/self/autogroup").exists() else "")
"""


def told() -> str:
    """What a process says of itself once it gives way, when it is no leader of anything."""
    done = subprocess.run([sys.executable, "-c", TELL], capture_output=True, text=True, check=True)
    return done.stdout


def test_it_computes_only_while_nobody_else_wants_to() -> None:
    assert told().startswith(f"{os.SCHED_IDLE} ")


@pytest.mark.skipif(not AUTOGROUP.exists(), reason="this kernel does not group by session")
def test_its_session_is_its_own_and_the_least() -> None:
    assert "True" in told()
    assert f"nice {LOWEST}" in told()


@pytest.mark.skipif(not AUTOGROUP.exists(), reason="this kernel does not group by session")
def test_the_session_it_was_started_in_keeps_its_rank() -> None:
    before = AUTOGROUP.read_text()
    told()
    assert AUTOGROUP.read_text() == before
