"""`npc model`, as people type it: named, pulled from a hub on loopback, listed, removed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.hub_emulator import HubEmulator, Repo, hub_emulator
from tests.support.paths import ROOT

_SOME_OTHER_ARCHITECTURE = (b"\x05\0\0\0\0\0\0\0llama", b"\x05\0\0\0\0\0\0\0strng")
REFERENCE = "hf:inn/crier-GGUF/crier-Q4_0.gguf"


@dataclass(frozen=True)
class Studio:
    """Somebody's configuration and hub."""

    hub: HubEmulator
    home: Path

    def npc(self, line: str) -> subprocess.CompletedProcess[str]:
        """Type a command and wait; `{}` in it is the home folder."""
        with self.start(line) as process:
            said, complained = process.communicate()
        return subprocess.CompletedProcess(line, process.returncode, said, complained)

    def start(self, line: str) -> subprocess.Popen[str]:
        """Type a command."""
        environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("NPC_", "HF_"))
        }
        environment |= {
            "HF_ENDPOINT": self.hub.address,
            "HF_HOME": str(self.home / "hf"),
            "NPC_PATHS_DATA": str(self.home / "data"),
            "NPC_PATHS_CACHE": str(self.home / "cache"),
            "PYTHONPATH": str(ROOT),
            "COLUMNS": "200",
        }
        arguments = line.format(self.home).split()
        return subprocess.Popen(
            [sys.executable, "-m", "npc_server.commands.main", "model", *arguments],
            cwd=self.home,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )

    def row(self, name: str) -> dict[str, Any]:
        """What `npc model list` says of a model."""
        rows = json.loads(self.npc("list --json").stdout)
        found: dict[str, Any] = next(row for row in rows if row["name"] == name)
        return found


@pytest.fixture
def studio(tmp_path: Path, tiny_model: Path) -> Iterator[Studio]:
    """A hub that has one model."""
    (tmp_path / "mine.gguf").write_bytes(tiny_model.read_bytes())
    strange = tiny_model.read_bytes().replace(*_SOME_OTHER_ARCHITECTURE, 1)
    (tmp_path / "strange.gguf").write_bytes(strange)
    with hub_emulator(
        {"inn/crier-GGUF": Repo({"crier-Q4_0.gguf": tiny_model.read_bytes()})}
    ) as hub:
        yield Studio(hub, tmp_path)


def test_a_hubs_model_is_named_pulled_and_removed(studio: Studio, tiny_model: Path) -> None:
    added = studio.npc(f"add crier {REFERENCE}")
    assert "Fetch it with: npc model pull crier" in added.stdout, added.stderr
    assert not (studio.home / "cache" / "models" / "crier").exists()
    pulled = studio.npc("pull crier")
    assert pulled.returncode == 0, pulled.stderr
    row = studio.row("crier")
    assert Path(row["path"]).read_bytes() == tiny_model.read_bytes()
    assert (len(row["revision"]), row["license"], row["serves"]) == (40, "apache-2.0", False)
    assert studio.npc("remove crier --yes").stdout == "crier is removed\n"
    assert not Path(row["path"]).parent.exists()
    assert studio.npc("pull crier").returncode == 2


def test_ctrl_c_keeps_what_has_arrived_and_says_how_to_go_on(studio: Studio) -> None:
    studio.npc(f"add crier {REFERENCE}")
    studio.hub.pause_s = 0.3
    with studio.start("pull crier") as pulling:
        while not studio.hub.ranges:
            assert pulling.poll() is None
            time.sleep(0.05)
        pulling.send_signal(signal.SIGINT)
        _, said = pulling.communicate()
    assert "go on with npc model pull crier" in said
    assert "Traceback" not in said
    studio.hub.pause_s = 0
    assert studio.npc("pull crier").returncode == 0


def test_a_file_is_named_where_it_lies_and_stays_when_the_name_goes(studio: Studio) -> None:
    assert studio.npc("add mine {}/mine.gguf").returncode == 0
    assert studio.row("mine")["path"] == str(studio.home / "mine.gguf")
    assert studio.npc("remove mine --yes").returncode == 0
    assert (studio.home / "mine.gguf").is_file()
    assert "no model 'mine'" in studio.npc("pull mine").stderr


def test_npc_toml_names_a_base_by_its_name(studio: Studio) -> None:
    (studio.home / "npc.toml").write_text('[model]\nbase = "mine"\n')
    studio.npc("add mine {}/mine.gguf")
    assert studio.row("mine")["serves"]
    from npc_server.base_models.resolution import resolve
    from npc_server.config import load

    paths = {f"NPC_PATHS_{name}": str(studio.home / name.lower()) for name in ("DATA", "CACHE")}
    config = load(studio.home / "npc.toml", paths)
    assert resolve(config.model.base, config.paths.models) == studio.home / "mine.gguf"


@pytest.mark.parametrize(
    ("line", "code", "said"),
    [
        ("add crier hf:inn/crier-GGUF/crier-q4_0.gguf", 2, "Did you mean 'crier-Q4_0.gguf'?"),
        ("add crier hf:inn/cryer-GGUF/crier-Q4_0.gguf", 2, "Did you mean 'inn/crier-GGUF'?"),
        (f"add crier {REFERENCE}@mian", 2, "Did you mean 'main'?"),
        ("add crier hf:inn/crier", 2, "write hf:OWNER/REPO/FILE.gguf"),
        ("add qwen3-4b {}/mine.gguf", 2, "the catalogue has it"),
        ("add Crier {}/mine.gguf", 2, "small letters"),
        ("add folder {}", 2, "cannot be read: Is a directory"),
        ("add strange {}/strange.gguf", 2, "unknown model architecture: 'strng'"),
        ("pull gemma-3-1b", 3, "accept it with: npc model pull gemma-3-1b --accept-license"),
        ("pull qwen3-0.6b", 3, "no repository on"),
    ],
)
def test_what_cannot_be_is_said_with_what_to_do(
    studio: Studio, line: str, code: int, said: str
) -> None:
    done = studio.npc(line)
    assert done.returncode == code, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_name_is_given_once(studio: Studio) -> None:
    studio.npc("add mine {}/mine.gguf")
    again = studio.npc("add mine {}/mine.gguf")
    assert (again.returncode, "npc model remove mine" in again.stderr) == (2, True)


def test_nothing_here_is_no_error(studio: Studio) -> None:
    assert studio.npc("remove qwen3-4b").stdout == "nothing of qwen3-4b is here\n"


def test_removing_the_served_base_says_what_goes_with_it(studio: Studio) -> None:
    (studio.home / "npc.toml").write_text('[model]\nbase = "mine"\n')
    studio.npc("add mine {}/mine.gguf")
    asked = studio.npc("remove mine")
    assert "It is the [model] base." in asked.stderr
    assert asked.returncode == 1
    assert studio.row("mine")["path"]
