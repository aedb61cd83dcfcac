"""`npc adapters add`: an adapter made elsewhere becomes a version, or it is said why not."""

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from typer.testing import CliRunner

from npc_server.commands.adapter_adding import Served, base_doubt
from npc_server.commands.main import app
from npc_server.engine.errors import AdapterRejectedError
from npc_server.errors import AdapterMisfitError, ConfigError
from personas.adapter_repo import AdapterRepo, Manifest
from personas.errors import CorruptAdapterError
from tests.support import guard, tiny_gguf

NAMES = frozenset({"smollm2-135m-instruct", "SmolLM2-135M-Instruct.Q4_1"})
SERVED = Served(Path("smol.gguf"), "ab" * 32, NAMES, "cd" * 32)
FROM = ("--source", "a friend", "--license", "CC-BY-4.0")


@pytest.fixture
def lora(tmp_path: Path) -> Path:
    """An adapter for the tiny model."""
    return tiny_gguf.write_adapter(tmp_path / "lora", seed=1)


@pytest.fixture(autouse=True)
def lab(tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cast of one guard on the tiny base, configured by an npc.toml in the working folder."""
    job = guard.job_in(tmp_path, tiny_model, tmp_path / "cache" / "dequantised" / "x")
    limits = "\n".join(f"{k} = {v}" for k, v in asdict(guard.ONLY_PREFERENCE).items())
    (tmp_path / "npc.toml").write_text(
        f'[model]\nbase = "{tiny_model}"\n[paths]\ncharacters = "{job.characters}"\n'
        f'data = "{tmp_path}/data"\ncache = "{tmp_path}/cache"\n[training]\nreward_head = false\n'
        f"[gate]\n{limits}\n"
    )
    monkeypatch.chdir(tmp_path)
    return tmp_path


def add(*arguments: str, exit_code: int = 0) -> str:
    result = CliRunner().invoke(app, ["adapters", "add", "bo", *arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == exit_code, result.output
    return result.output


def versions(lab: Path) -> list[Manifest]:
    return AdapterRepo(lab / "data" / "adapters").versions("bo")


def test_an_adapter_that_is_not_gated_is_marked_and_not_live(lab: Path, lora: Path) -> None:
    said = add(str(lora), *FROM, "--same-base", "--no-gate")
    (version,) = versions(lab)
    assert (version.source, version.license, version.method) == ("a friend", "CC-BY-4.0", "added")
    assert f"{version.version} published, not gated" in said
    assert f"npc adapters promote bo {version.version}" in said
    listed = CliRunner().invoke(app, ["adapters", "list", "bo"]).output
    assert "not gated" in listed
    assert AdapterRepo(lab / "data" / "adapters").aliases("bo").live is None


def test_the_same_content_is_published_once(lab: Path, lora: Path) -> None:
    add(str(lora), *FROM, "--same-base", "--no-gate")
    again = add(str(lora), *FROM, "--same-base", "--no-gate", "--promote")
    (version,) = versions(lab)
    assert "has the same content already" in again
    assert AdapterRepo(lab / "data" / "adapters").aliases("bo").live == version.version


def test_a_version_that_was_damaged_is_published_again(lab: Path, lora: Path) -> None:
    add(str(lora), *FROM, "--same-base", "--no-gate")
    (damaged,) = versions(lab)
    folder = AdapterRepo(lab / "data" / "adapters").path("bo", damaged.version)
    (folder / "adapter_model.safetensors").write_bytes(b"cut")
    with pytest.raises(CorruptAdapterError, match="`npc adapters add` publishes the adapter again"):
        AdapterRepo(lab / "data" / "adapters").verify("bo", damaged.version)
    add(str(lora), *FROM, "--same-base", "--no-gate", "--promote")
    assert [version.number for version in versions(lab)] == [1, 2]


@pytest.mark.slow
def test_an_adapter_is_judged_by_harm_where_players_have_said_too_little(
    lab: Path, lora: Path
) -> None:
    said = json.loads(add(str(lora), *FROM, "--same-base", "--json").splitlines()[-1])
    assert said["gate"]["passed"]
    assert said["gate"]["judged_by"].startswith("the rules that look for harm")
    assert "injections withstood" in {row["name"] for row in said["gate"]["rows"]}


@pytest.mark.slow
def test_an_adapter_that_the_gate_rejects_is_not_published(
    lab: Path, lora: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NPC_GATE_MAX_DRIFT", "0.0001")
    assert "not published: drift from the base" in add(str(lora), *FROM, "--same-base", exit_code=1)
    assert versions(lab) == []


def test_a_damaged_adapter_is_refused_with_its_tensor(lab: Path, lora: Path) -> None:
    file = lora / "adapter_model.safetensors"
    tensors = load_file(file)
    name = min(tensors)
    tensors[name] = np.full_like(tensors[name], np.nan)
    save_file(tensors, file)
    with pytest.raises(AdapterRejectedError, match="holds NaN or infinity"):
        add(str(lora), *FROM, "--same-base", "--no-gate")
    assert versions(lab) == []


def test_an_adapter_without_its_base_is_not_taken_for_one_of_ours(lab: Path, lora: Path) -> None:
    with pytest.raises(AdapterMisfitError, match=r"does not say for which base .* --same-base"):
        add(str(lora), *FROM, "--no-gate")


@pytest.mark.parametrize("missing", ["--source", "--license"])
def test_provenance_is_asked_for(lora: Path, missing: str) -> None:
    given = [
        x for pair in zip(FROM[::2], FROM[1::2], strict=True) if pair[0] != missing for x in pair
    ]
    with pytest.raises(ConfigError, match=f"{missing} is missing"):
        add(str(lora), *given, "--no-gate")


def test_a_character_that_does_not_exist_is_named(lora: Path) -> None:
    result = CliRunner().invoke(app, ["adapters", "add", "bob", str(lora), *FROM])
    assert isinstance(result.exception, ConfigError)
    assert "known: bo" in str(result.exception)


@pytest.mark.parametrize(
    ("declared", "doubt"),
    [
        ("HuggingFaceTB/SmolLM2-135M-Instruct", ""),
        ("/home/me/models/SmolLM2-135M-Instruct/", ""),
        ("abababababababab", ""),
        ("Qwen/Qwen3-4B", "the adapter was made for 'Qwen/Qwen3-4B'; served is"),
        ("HuggingFaceTB/SmolLM2-360M-Instruct", "the adapter was made for"),
        ("abababababababac", "the adapter was made for"),
        ("", "the adapter does not say for which base it was made"),
    ],
)
def test_the_base_is_told_by_its_name_or_hash(tmp_path: Path, declared: str, doubt: str) -> None:
    (tmp_path / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": declared}))
    said = base_doubt(tmp_path, SERVED)
    assert said.startswith(doubt) if doubt else said == ""
