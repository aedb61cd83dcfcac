"""One server per data folder."""

import errno
import fcntl
import logging
import subprocess
import sys
from pathlib import Path

import pytest

from npc_server.data_lock import FILE, hold
from npc_server.errors import ConfigError
from tests.support.paths import ROOT

HOLDER = "import pathlib, sys, time; from npc_server.data_lock import hold\n"
HOLDER += "with hold(pathlib.Path(sys.argv[1])): print('held', flush=True); time.sleep(60)"


def holder(folder: Path) -> "subprocess.Popen[str]":
    """A process that holds the folder."""
    command = [sys.executable, "-c", HOLDER, str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_a_held_folder_names_its_holder(tmp_path: Path) -> None:
    process = holder(tmp_path)
    with pytest.raises(ConfigError, match=rf"process {process.pid} on .* does already"):
        hold(tmp_path).__enter__()
    process.kill()
    process.communicate()


def test_a_killed_holder_leaves_the_folder_free(tmp_path: Path) -> None:
    process = holder(tmp_path)
    process.kill()
    process.communicate()
    with hold(tmp_path):
        assert (tmp_path / FILE).is_file()


def test_a_folder_is_made_held_and_given_back(tmp_path: Path) -> None:
    for _ in range(2):
        with hold(tmp_path / "new" / "data"):
            pass


def test_a_file_system_without_locks_gets_a_warning_and_serves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(file: int, operation: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with caplog.at_level(logging.WARNING), hold(tmp_path):
        assert "No locks available" in caplog.text


def test_a_folder_that_cannot_be_made_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="cannot write to the data folder"):
        hold(tmp_path / "file" / "data").__enter__()
