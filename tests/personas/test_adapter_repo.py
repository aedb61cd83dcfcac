"""Adapter versions: whole or absent, never changed, and always a way back."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from personas.adapter_repo import KEPT_PREVIOUS, AdapterRepo, Aliases, Draft, content_hash
from personas.errors import (
    CorruptAdapterError,
    CorruptAliasesError,
    InvalidDraftError,
    InvalidIdError,
    NothingToRollBackError,
    RepoWriteError,
    UnknownVersionError,
)
from tests.support.paths import ROOT

MakeAdapter = Callable[[str], Path]

PUBLISH_IN_A_LOOP = """
import sys
from pathlib import Path
from personas.adapter_repo import AdapterRepo, Draft
root, source, times = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
draft = Draft("mira", None, "b", "dpo", {}, "s", (), {})
print("ready", flush=True)
for _ in range(times):
    AdapterRepo(root).publish(draft, source)
"""


def start_publisher(root: Path, source: Path, times: int) -> subprocess.Popen[str]:
    """A process of its own that publishes `times` versions of Mira, once it said "ready"."""
    command = [sys.executable, "-c", PUBLISH_IN_A_LOOP, str(root), str(source), str(times)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)


@pytest.fixture
def publish(repo: AdapterRepo, draft: Draft, make_adapter: MakeAdapter) -> Callable[[str], str]:
    """Publish an adapter with these weights as Mira's next version; gives its name."""
    return lambda weights: repo.publish(draft, make_adapter(weights)).version


Publish = Callable[[str], str]


def home(tmp_path: Path) -> Path:
    return tmp_path / "adapters" / "mira"


def test_a_published_version_reads_back_whole(
    repo: AdapterRepo, draft: Draft, make_adapter: MakeAdapter
) -> None:
    source = make_adapter("w")
    manifest = repo.publish(draft, source)
    assert manifest.version == f"v0001-{content_hash(source)[:8]}"
    assert (manifest.players, manifest.config) == (draft.players, draft.config)
    assert repo.versions("mira") == [manifest] == [repo.verify("mira", manifest.version)]
    assert (repo.path("mira", manifest.version) / "adapter_config.json").read_text() == "{}"


def test_versions_are_numbered_and_listed_oldest_first(repo: AdapterRepo, publish: Publish) -> None:
    names = [publish(weights) for weights in "abc"]
    assert [manifest.version for manifest in repo.versions("mira")] == names
    assert [manifest.number for manifest in repo.versions("mira")] == [1, 2, 3]


def test_an_unknown_character_has_no_versions_and_the_bare_base(repo: AdapterRepo) -> None:
    assert repo.versions("nobody") == []
    assert repo.aliases("nobody") == Aliases(live=None, canary=None, previous=())


def test_half_written_version_is_invisible(
    repo: AdapterRepo, publish: Publish, tmp_path: Path
) -> None:
    name = publish("w")
    (home(tmp_path) / name / "manifest.json").unlink()
    assert repo.versions("mira") == []
    with pytest.raises(UnknownVersionError, match=name):
        repo.manifest("mira", name)


def test_manifest_is_the_last_thing_written(
    repo: AdapterRepo, draft: Draft, make_adapter: MakeAdapter, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[list[str]] = []
    rename = Path.rename

    def spy(self: Path, target: Path) -> Path:
        seen.append([entry.name for entry in sorted(self.iterdir(), key=_written_at)])
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", spy)
    repo.publish(draft, make_adapter("w"))
    assert seen == [["adapter_config.json", "adapter_model.safetensors", "manifest.json"]]


def _written_at(file: Path) -> tuple[int, str]:
    return file.stat().st_mtime_ns, file.name


def test_two_processes_never_get_the_same_number(
    repo: AdapterRepo, make_adapter: MakeAdapter, tmp_path: Path
) -> None:
    source = make_adapter("w")
    publishers = [start_publisher(tmp_path / "adapters", source, 15) for _ in range(2)]
    assert [publisher.wait(60) for publisher in publishers] == [0, 0]
    assert [manifest.number for manifest in repo.versions("mira")] == list(range(1, 31))


def test_kill_9_in_the_middle_of_publishing_leaves_a_usable_repo(
    repo: AdapterRepo, draft: Draft, make_adapter: MakeAdapter, tmp_path: Path
) -> None:
    source = make_adapter("w")
    with (source / "adapter_model.safetensors").open("ab") as stream:
        stream.truncate(256 << 20)  # sparse, but slow enough to copy to be caught at it
    publisher = start_publisher(tmp_path / "adapters", source, 1)
    while not list(home(tmp_path).glob(".tmp-*/adapter_model.safetensors")):
        assert publisher.poll() is None
    publisher.send_signal(signal.SIGKILL)
    publisher.communicate()
    assert list(home(tmp_path).glob(".tmp-*"))
    assert repo.versions("mira") == []
    assert repo.publish(draft, make_adapter("small")).number == 1
    assert not list(home(tmp_path).glob(".tmp-*"))


def test_a_running_publisher_is_not_swept_away(
    repo: AdapterRepo, draft: Draft, make_adapter: MakeAdapter, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow, fast = make_adapter("slow"), make_adapter("fast")
    copyfile = shutil.copyfile

    def overtaken(source: Path, target: Path) -> None:
        monkeypatch.setattr(shutil, "copyfile", copyfile)
        assert repo.publish(draft, fast).number == 1
        copyfile(source, target)

    monkeypatch.setattr(shutil, "copyfile", overtaken)
    assert repo.publish(draft, slow).number == 2


def test_verify_notices_one_flipped_bit(
    repo: AdapterRepo, publish: Publish, tmp_path: Path
) -> None:
    name = publish("weights")
    file = home(tmp_path) / name / "adapter_model.safetensors"
    content = bytearray(file.read_bytes())
    content[3] ^= 1
    file.write_bytes(content)
    with pytest.raises(CorruptAdapterError, match=name):
        repo.verify("mira", name)
    with pytest.raises(CorruptAdapterError):
        repo.promote("mira", name)
    assert repo.aliases("mira").live is None


def test_verify_names_the_missing_file(repo: AdapterRepo, publish: Publish, tmp_path: Path) -> None:
    name = publish("w")
    (home(tmp_path) / name / "adapter_config.json").unlink()
    with pytest.raises(CorruptAdapterError, match=r"adapter_config\.json"):
        repo.verify("mira", name)


def test_a_manifest_from_before_personas_were_named_is_read(
    repo: AdapterRepo, tmp_path: Path, draft: Draft, make_adapter: MakeAdapter
) -> None:
    version = repo.publish(draft, make_adapter("one")).version
    file = home(tmp_path) / version / "manifest.json"
    written = json.loads(file.read_text())
    del written["persona_version"]
    file.write_text(json.dumps(written))
    assert repo.manifest("mira", version).persona_version == ""


@pytest.mark.parametrize("content", ["{", "[]", '{"version": "x"}', ""])
def test_an_unreadable_manifest_hides_its_version_only(
    repo: AdapterRepo, publish: Publish, tmp_path: Path, content: str
) -> None:
    bad, good = publish("a"), publish("b")
    (home(tmp_path) / bad / "manifest.json").write_text(content)
    assert [manifest.version for manifest in repo.versions("mira")] == [good]
    with pytest.raises(CorruptAdapterError, match=r"manifest\.json"):
        repo.verify("mira", bad)
    assert publish("c").startswith("v0003-")


def test_a_version_copied_to_another_character_is_corrupt(
    repo: AdapterRepo, publish: Publish, tmp_path: Path
) -> None:
    name = publish("w")
    home(tmp_path).rename(tmp_path / "adapters" / "eve")
    assert repo.versions("eve") == []
    with pytest.raises(CorruptAdapterError, match="belongs to character mira"):
        repo.verify("eve", name)


def test_promotion_and_rollback_walk_the_same_path(repo: AdapterRepo, publish: Publish) -> None:
    first, second = publish("a"), publish("b")
    assert repo.promote("mira", first) == Aliases(live=first)
    assert repo.promote("mira", second) == Aliases(live=second, previous=(first,))
    assert repo.rollback("mira") == Aliases(live=first)
    assert repo.rollback("mira") == Aliases(live=None) == repo.aliases("mira")
    with pytest.raises(NothingToRollBackError):
        repo.rollback("mira")


def test_rolling_back_what_never_was_promoted_is_refused(repo: AdapterRepo) -> None:
    with pytest.raises(NothingToRollBackError):
        repo.rollback("mira")


def test_promoting_the_live_version_changes_nothing(
    repo: AdapterRepo, publish: Publish, tmp_path: Path
) -> None:
    first, second = publish("a"), publish("b")
    repo.promote("mira", first)
    aliases = repo.promote("mira", second)
    written = (home(tmp_path) / "aliases.json").stat().st_mtime_ns
    assert repo.promote("mira", second) == aliases
    assert (home(tmp_path) / "aliases.json").stat().st_mtime_ns == written


def test_a_version_is_promoted_over_the_one_it_was_compared_with_alone(
    repo: AdapterRepo, publish: Publish
) -> None:
    first, second, third = publish("a"), publish("b"), publish("c")
    assert repo.promote_over("mira", None, first)
    assert repo.promote_over("mira", first, second)
    assert not repo.promote_over("mira", first, third)
    assert repo.promote_over("mira", first, second)  # it is live, whoever made it so
    assert repo.aliases("mira") == Aliases(live=second, previous=(first,))


def test_only_the_last_few_former_versions_are_kept(repo: AdapterRepo, publish: Publish) -> None:
    names = [publish(weights) for weights in "abcdefgh"]
    for name in names:
        aliases = repo.promote("mira", name)
    assert aliases.previous == tuple(reversed(names[-1 - KEPT_PREVIOUS : -1]))


def test_rollback_passes_over_a_former_version_that_broke(
    repo: AdapterRepo, publish: Publish, tmp_path: Path
) -> None:
    first, second, third = (publish(weights) for weights in "abc")
    for name in (first, second, third):
        repo.promote("mira", name)
    (home(tmp_path) / second / "adapter_model.safetensors").write_text("broken")
    assert repo.rollback("mira") == Aliases(live=first)


@pytest.mark.parametrize("content", ["", "{", '{"live": 3}', '{"live": "../../etc"}'])
def test_corrupt_aliases_say_what_to_do(
    repo: AdapterRepo, publish: Publish, tmp_path: Path, content: str
) -> None:
    publish("w")
    (home(tmp_path) / "aliases.json").write_text(content)
    with pytest.raises(CorruptAliasesError, match=r"aliases\.json: .*; restore it .* or delete it"):
        repo.aliases("mira")


def test_a_canary_written_by_hand_is_read(
    repo: AdapterRepo, publish: Publish, tmp_path: Path
) -> None:
    name = publish("w")
    trial = {"version": name, "share": 0.05}
    content = json.dumps({"live": None, "canary": trial, "previous": list[str]()})
    (home(tmp_path) / "aliases.json").write_text(content)
    canary = repo.aliases("mira").canary
    assert canary is not None
    assert (canary.version, canary.share) == (name, 0.05)


@pytest.mark.parametrize("evil", ["..", "../mira", "a/b", "/etc", "", "Mira", ".lock", "mira\n"])
def test_ids_that_could_leave_the_folder_are_refused(
    repo: AdapterRepo, draft: Draft, make_adapter: MakeAdapter, evil: str
) -> None:
    for call in (repo.versions, repo.aliases, repo.rollback):
        with pytest.raises(InvalidIdError):
            call(evil)
    with pytest.raises(InvalidIdError):
        repo.publish(replace(draft, character=evil), make_adapter("w"))
    with pytest.raises(InvalidIdError):
        repo.path("mira", evil)


def test_a_source_without_weights_is_refused(
    repo: AdapterRepo, draft: Draft, make_adapter: MakeAdapter, tmp_path: Path
) -> None:
    source = make_adapter("w")
    (source / "adapter_model.safetensors").unlink()
    with pytest.raises(InvalidDraftError, match=r"adapter_model\.safetensors is missing"):
        repo.publish(draft, source)
    assert not (tmp_path / "adapters").exists()


@pytest.mark.parametrize("gate", [{"loss": float("nan")}, {"path": Path("x")}])
def test_a_draft_that_is_not_json_is_refused(
    repo: AdapterRepo, draft: Draft, make_adapter: MakeAdapter, gate: dict[str, object]
) -> None:
    with pytest.raises(InvalidDraftError, match="cannot be written as a manifest"):
        repo.publish(replace(draft, gate=gate), make_adapter("w"))  # type: ignore[arg-type]


def test_a_disk_that_refuses_leaves_no_version(
    repo: AdapterRepo, draft: Draft, make_adapter: MakeAdapter, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    source = make_adapter("w")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(RepoWriteError, match="No space left on device"):
        repo.publish(draft, source)
    assert repo.versions("mira") == []
