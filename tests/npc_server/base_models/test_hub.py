"""What a hub says of a file, and what to do when it refuses."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace

import pytest

from npc_server.base_models.catalogue import NamedModel
from npc_server.base_models.errors import (
    HubRefusedError,
    InvalidModelError,
    ModelUnavailableError,
    NotOnHubError,
)
from npc_server.base_models.hub import Hub, HubFile, pinned_model
from npc_server.base_models.sources import HubSource, hub_source
from tests.support.hub_emulator import NEWEST, TOKEN, HubEmulator, Repo, go_online, hub_emulator
from tests.support.paths import ROOT

CONTENT = b"GGUF and so on"
SOURCE = HubSource("inn/crier-GGUF", "crier-Q4_0.gguf")
GATED = HubSource("guild/oath-GGUF", "oath.gguf")
DIGEST = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def emulator(monkeypatch: pytest.MonkeyPatch) -> Iterator[HubEmulator]:
    """A hub with an open and a gated repository."""
    go_online(monkeypatch)
    split = {f"big-0000{n}-of-00002.gguf": CONTENT for n in (1, 2)}
    repos = {
        SOURCE.repo: Repo({SOURCE.file: CONTENT, "README.md": b"", **split}),
        GATED.repo: Repo({GATED.file: CONTENT}, license="oath-1.0", gated=True),
    }
    with hub_emulator(repos) as running:
        yield running


def test_a_file_is_described_to_the_byte(emulator: HubEmulator) -> None:
    stated = Hub(emulator.address).describe(SOURCE)
    assert stated == HubFile(NEWEST, DIGEST, len(CONTENT))
    assert Hub(emulator.address).license_of(SOURCE) == "apache-2.0"


@pytest.mark.parametrize(
    ("source", "what", "known"),
    [
        (replace(SOURCE, file="crier-Q4_K.gguf"), "file of inn/crier-GGUF", SOURCE.file),
        (replace(SOURCE, revision="mian"), "revision of inn/crier-GGUF", "main"),
        (replace(SOURCE, repo="inn/cryer-GGUF"), "repository on", SOURCE.repo),
    ],
    ids=["file", "revision", "repository"],
)
def test_what_is_not_there_is_named_with_what_is(
    emulator: HubEmulator, source: HubSource, what: str, known: str
) -> None:
    with pytest.raises(NotOnHubError, match=f"no {what}") as refused:
        Hub(emulator.address).describe(source)
    assert known in refused.value.known
    assert "README.md" not in refused.value.known


def test_a_gated_repository_says_where_to_accept_and_how_to_log_in(emulator: HubEmulator) -> None:
    with pytest.raises(HubRefusedError, match="not logged in") as refused:
        Hub(emulator.address).describe(GATED)
    for needed in (f"{emulator.address}/{GATED.repo}", "hf auth login", "HF_TOKEN"):
        assert needed in str(refused.value)


def test_a_token_that_is_not_let_in_is_told_from_none(
    emulator: HubEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_of_somebody_else")
    with pytest.raises(HubRefusedError, match=r"does not let this token in \(403\)"):
        Hub(emulator.address).describe(GATED)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    assert Hub(emulator.address).describe(GATED).sha256 == DIGEST


@pytest.mark.parametrize(
    ("status", "why"),
    [(403, "token is wrong or expired"), (429, "too many requests"), (500, "500")],
)
def test_a_hub_that_refuses_says_what_to_do(emulator: HubEmulator, status: int, why: str) -> None:
    emulator.status = status
    with pytest.raises(ModelUnavailableError, match=why):
        Hub(emulator.address).describe(SOURCE)


def test_a_hub_that_cannot_be_reached_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    go_online(monkeypatch)
    with pytest.raises(ModelUnavailableError, match=r"http://127\.0\.0\.1:9 cannot be reached"):
        Hub("http://127.0.0.1:9").describe(SOURCE)


def test_who_is_offline_by_choice_is_told_so(
    emulator: HubEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(ModelUnavailableError, match="HF_HUB_OFFLINE is set"):
        Hub(emulator.address).describe(SOURCE)
    assert emulator.asked == []


def test_one_file_of_a_split_model_is_refused_before_the_hub_is_asked(
    emulator: HubEmulator,
) -> None:
    with pytest.raises(InvalidModelError, match="one of 2 files of a split model"):
        Hub(emulator.address).describe(replace(SOURCE, file="big-00001-of-00002.gguf"))
    assert emulator.asked == []


def test_a_model_is_pinned_to_what_the_hub_has_and_to_nothing_else() -> None:
    model = NamedModel("crier", SOURCE)
    found = pinned_model(model, HubFile(NEWEST, DIGEST, 14))
    assert (found.source, found.sha256) == (replace(SOURCE, revision=NEWEST), DIGEST)
    with pytest.raises(ModelUnavailableError, match="is another file by now"):
        pinned_model(replace(model, sha256="0" * 64), HubFile(NEWEST, DIGEST, 14))


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("hf:a/b/c.gguf", HubSource("a/b", "c.gguf")),
        ("hf:a/b-1.x/d/e/c.GGUF@v1", HubSource("a/b-1.x", "d/e/c.GGUF", "v1")),
    ],
)
def test_a_reference_is_read(text: str, source: HubSource) -> None:
    assert hub_source(text) == source
    assert str(source) == text


@pytest.mark.parametrize("text", ["hf:a/b", "hf:a/b.gguf", "hf://a/b/c.gguf", "hf:a/b/c.bin"])
def test_what_is_no_reference_is_shown_one(text: str) -> None:
    with pytest.raises(InvalidModelError, match=r"write hf:OWNER/REPO/FILE\.gguf|is no GGUF"):
        hub_source(text)


WITHOUT_PACKAGE = """
import sys
sys.modules["huggingface_hub"] = None
from npc_server.base_models.errors import HubMissingError
from npc_server.base_models.hub import Hub
from npc_server.base_models.sources import HubSource
try:
    Hub().describe(HubSource("a/b", "c.gguf"))
except HubMissingError as error:
    print(error)
"""


def test_without_the_package_one_line_names_the_extra() -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_PACKAGE],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines() == [
        "models of a hub need the package huggingface_hub; install it with:"
        " pip install 'troupe[hub]'"
    ]
