"""`npc talk --serve` as people type it: a server for as long as the chat, or the one that runs."""

from __future__ import annotations

import os
import pty
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from npc_client import server_process

pytestmark = pytest.mark.service

COMMAND = (sys.executable, "-m", "npc_server.commands.main", "talk", "mira", "--serve")
GREETING = b"lists commands"


@pytest.fixture
def port(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    """A free port, where the configured server of a tiny model would listen."""
    monkeypatch.setenv("NPC_MODEL_BASE", str(tiny_model))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        number: int = free.getsockname()[1]
    monkeypatch.setenv("NPC_SERVER_PORT", str(number))
    return number


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def type_into_chat(lines: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(COMMAND, input=lines, capture_output=True, text=True, check=False)


def test_the_end_of_input_ends_the_chat_and_its_server(port: int) -> None:
    done = type_into_chat("Hello.\n")
    assert done.returncode == 0, done.stderr
    assert f"Serving on 127.0.0.1:{port}" in done.stdout
    assert "first word after" in done.stdout
    assert is_free(port)


def test_a_server_that_runs_is_used_and_left_running(port: int, tmp_path: Path) -> None:
    running = server_process.start(tmp_path / "server.log", {}, ("--port", str(port)))
    try:
        done = type_into_chat("Hello.\n")
        assert f"A server runs on 127.0.0.1:{port} already" in done.stdout
        assert "first word after" in done.stdout
        assert not is_free(port)
    finally:
        server_process.stop(running)


def test_another_program_on_the_port_is_told(port: int) -> None:
    with socket.create_server(("127.0.0.1", port)) as other:
        other.settimeout(0)
        done = type_into_chat("Hello.\n")
    assert done.returncode == 2
    assert f"another program listens on 127.0.0.1:{port}" in done.stderr
    assert "NPC_SERVER_PORT" in done.stderr


def test_a_server_that_cannot_start_says_why(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NPC_MODEL_BASE", "no-such-base")
    done = type_into_chat("Hello.\n")
    assert done.returncode == 3
    assert "'no-such-base' is neither a GGUF file nor one of" in done.stderr


@pytest.fixture
def chat(port: int) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """A chat in a terminal, whose player may speak; and our side of the terminal."""
    ours, theirs = pty.openpty()
    running = subprocess.Popen(
        COMMAND, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    )
    os.close(theirs)
    said = b""
    while GREETING not in said:
        said += os.read(ours, 1024)
    yield running, ours
    running.kill()
    os.close(ours)


@pytest.mark.usefixtures("ctrl_c_is_heard")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_chat_and_its_server(
    chat: tuple[subprocess.Popen[bytes], int], port: int, number: signal.Signals
) -> None:
    running, _ = chat
    time.sleep(0.2)  # until it waits for a line
    running.send_signal(number)
    assert running.wait(30) == 0
    assert is_free(port)
