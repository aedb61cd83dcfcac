"""Trained bases are whole or absent, never change, and name the players they learned from."""

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from personas.base_repo import BaseDraft, BaseRepo
from personas.errors import BaseTakenError, CorruptBaseError, InvalidIdError, RepoWriteError
from tests.support.paths import ROOT

TOWN = BaseDraft(
    name="town",
    parent_sha256="ab" * 32,
    method="sft",
    config={"rank": 16},
    snapshots={"mira": "cd" * 32},
    players=("p1", "p2"),
    gate={"passed": True},
)


def publish(repo: BaseRepo, draft: BaseDraft, content: bytes = b"weights") -> None:
    with repo.making(draft.name) as folder:
        made = folder / "made.gguf"
        made.write_bytes(content)
        repo.publish(draft, made)


def test_a_base_is_listed_with_its_bytes_and_players(tmp_path: Path) -> None:
    repo = BaseRepo(tmp_path)
    publish(repo, TOWN)
    (base,) = repo.bases()
    assert base.draft == TOWN
    assert base.sha256 == hashlib.sha256(repo.path("town").read_bytes()).hexdigest()


def test_nothing_is_left_beside_a_base(tmp_path: Path) -> None:
    publish(BaseRepo(tmp_path), TOWN)
    assert [entry.name for entry in tmp_path.iterdir()] == ["town"]


def test_bases_are_listed_oldest_first(tmp_path: Path) -> None:
    repo = BaseRepo(tmp_path)
    for name in ("town", "harbour", "mill"):
        publish(repo, replace(TOWN, name=name))
    assert [base.name for base in repo.bases()] == ["town", "harbour", "mill"]


def test_a_name_is_given_once(tmp_path: Path) -> None:
    repo = BaseRepo(tmp_path)
    publish(repo, TOWN)
    with pytest.raises(BaseTakenError, match="there is a base named town"):
        publish(repo, TOWN, b"others")
    assert repo.path("town").read_bytes() == b"weights"


def test_one_process_makes_a_base(tmp_path: Path) -> None:
    repo = BaseRepo(tmp_path)
    with (
        repo.making("town"),
        pytest.raises(BaseTakenError, match="by another process"),
        repo.making("town"),
    ):
        pass


@pytest.mark.parametrize("name", ["", "Town", "../town", ".making-town"])
def test_a_name_is_spelled_like_an_id(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidIdError, match="is not a base's name"):
        publish(BaseRepo(tmp_path), replace(TOWN, name=name))


def test_a_killed_maker_leaves_its_work_to_the_next(tmp_path: Path) -> None:
    killed = "import os, pathlib, sys; from personas.base_repo import BaseRepo\n"
    killed += "with BaseRepo(pathlib.Path(sys.argv[1])).making('town') as folder:\n"
    killed += "    (folder / 'half').touch(); os.kill(os.getpid(), 9)\n"
    subprocess.run(
        [sys.executable, "-c", killed, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=False,
    )
    repo = BaseRepo(tmp_path)
    assert repo.bases() == []
    with repo.making("town") as folder:
        assert (folder / "half").exists()


@pytest.mark.parametrize(
    "harm", [lambda file: file.write_text("{"), lambda file: file.chmod(0) or file.write_bytes(b"")]
)
def test_a_base_that_cannot_tell_its_players_is_an_error(
    tmp_path: Path, harm: Callable[[Path], object]
) -> None:
    repo = BaseRepo(tmp_path)
    publish(repo, TOWN)
    harm(tmp_path / "town" / "manifest.json")
    with pytest.raises(CorruptBaseError, match="whose feedback the base learned from"):
        repo.bases()


def test_a_full_disk_publishes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_room(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    repo = BaseRepo(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", no_room)
        with pytest.raises(RepoWriteError, match="No space left"):
            publish(repo, TOWN)
    assert repo.bases() == []
    publish(repo, TOWN)
