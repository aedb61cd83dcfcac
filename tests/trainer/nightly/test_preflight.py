"""What a night will need is looked at before its first step, and told at once."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from gguf import GGUFWriter

from npc_server.engine import host_memory
from npc_server.engine.settings import EngineSettings
from personas.adapter_repo import AdapterRepo, Draft
from tests.support import guard, tiny_gguf
from tests.support.chat_templates import LLAMA_3
from tests.support.guard import ENOUGH, WITHOUT_HEAD, job_in, play, recipe
from tests.support.watching import ignore
from trainer.base import file_sha256
from trainer.errors import BaseModelError, ConfigError, DiskError
from trainer.nightly import disk, retrain
from trainer.nightly.job import Job
from trainer.nightly.retrain import NightResult
from trainer.records import runs
from trainer.records.entries import State, Terms

ROAD = "A long road leads north. "


@pytest.fixture
def job(tiny_model: Path, base_dir: Path, tmp_path: Path) -> Job:
    made = job_in(tmp_path, tiny_model, base_dir)
    play(made, ENOUGH)
    return made


def night(job: Job, **training: object) -> NightResult:
    """Train with these settings beside the usual ones."""
    made = recipe(training={**WITHOUT_HEAD, **training})
    return retrain.run(job, made, promote=True, tell=ignore)


def served_with(job: Job, **engine: Any) -> Job:
    """The job beside a server with these settings of its engine."""
    return replace(job, engine=EngineSettings(**engine))


@pytest.mark.parametrize("rank", [32, 48])
def test_a_rank_that_the_server_takes_passes_the_gate(job: Job, rank: int) -> None:
    result = night(served_with(job, max_rank=rank), rank=rank, alpha=2 * rank)
    assert result.state is State.PROMOTED, result.reason


def test_a_rank_that_the_server_refuses_is_refused_before_training(job: Job) -> None:
    with pytest.raises(ConfigError, match=r"rank = 32: .* max_rank = 16; raise max_rank"):
        night(job, rank=32)
    assert list(runs.every(job.runs)) == []


def test_a_heads_rank_counts_too(job: Job) -> None:
    head = {"reward_head": {"rank": 32, "good": "g", "bad": "b"}}
    with pytest.raises(ConfigError, match=r"\[training.reward_head\] rank = 32"):
        night(job, **head)


def test_all_that_is_wrong_is_told_at_once(job: Job) -> None:
    with pytest.raises(ConfigError) as refused:
        night(job, rank=32, targets=["q_proj", "lm_head"], max_tokens=20)
    told = str(refused.value)
    wrong = ("rank = 32", "['lm_head']", "max_tokens in [training] is 20")
    assert [one for one in wrong if one not in told] == []


def test_a_big_persona_is_examined_in_the_context_that_serves_it(
    tiny_model: Path, base_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    facts = [f"{{id: f{i}, fact: '{ROAD * 4}', keywords: [road]}}" for i in range(12)]
    monkeypatch.setattr(guard, "LORE", guard.LORE.replace("]}]", "]}, " + ", ".join(facts) + "]"))
    job = served_with(job_in(tmp_path, tiny_model, base_dir), context_tokens=4096)
    monkeypatch.setattr(guard, "ROOM_TOKENS", 4000)
    play(job, ENOUGH)
    with pytest.raises(ConfigError, match=r"context_tokens is 1024"):
        night(replace(job, engine=EngineSettings()), max_tokens=4096)
    with pytest.raises(ConfigError, match=r"too large: .* max_tokens in \[training\] is 1024"):
        night(job)
    result = night(job, max_tokens=4096)
    assert result.state is State.PROMOTED, result.reason


def test_small_queues_and_single_places_are_no_reason_to_fail(job: Job) -> None:
    result = night(served_with(job, sequences=1, max_waiting=1, cache_mib=0, adapter_cache_mib=0))
    assert result.state is State.PROMOTED, result.reason


def test_what_the_base_lacks_for_prompts_is_told_before_training(job: Job, tmp_path: Path) -> None:
    def other(writer: GGUFWriter) -> None:
        writer.add_chat_template(LLAMA_3)

    job = replace(job, base=tiny_gguf.write_model(tmp_path / "other.gguf", change=other))
    with pytest.raises(BaseModelError, match="the template of another model"):
        night(job)


def test_too_little_memory_is_told_with_what_takes_less(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host_memory, "available_bytes", lambda: 1000)
    with pytest.raises(ConfigError, match=r"memory: training takes .*\n.*memory: the gate's"):
        night(job)


def test_memory_that_may_not_do_is_a_warning(
    job: Job, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(host_memory, "available_bytes", lambda: 4 << 20)
    assert night(job).state is State.PROMOTED
    assert "training may take" in caplog.text


def test_a_device_that_is_not_here_is_told_before_training(job: Job) -> None:
    if torch.backends.mps.is_available():
        pytest.skip("it is here")
    with pytest.raises(ConfigError, match=r'device = "mps" in \[training\]: torch finds no GPU'):
        night(job, device="mps")


def test_a_full_disk_is_told_before_training(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk, "run_bytes", lambda *_: 1 << 60)
    with pytest.raises(DiskError, match="a run may need"):
        night(job)


def live(job: Job, folder: Path, rank: int, base_sha256: str = "") -> str:
    """A version that somebody made live."""
    repo, source = AdapterRepo(job.adapters), tiny_gguf.write_adapter(folder, seed=2, rank=rank)
    sha256 = base_sha256 or file_sha256(job.base)
    version = repo.publish(Draft("bo", None, sha256, "dpo", {}, "", (), {}), source).version
    repo.promote("bo", version)
    return version


CHANGES: Mapping[str, Mapping[str, object]] = {
    "rank": {"rank": 8, "alpha": 32},
    "alpha": {"alpha": 64},
    "layers": {"targets": ["q_proj", "v_proj"]},
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_a_changed_shape_begins_anew_and_is_judged_against_what_is_live(
    job: Job, tmp_path: Path, change: Mapping[str, object]
) -> None:
    version = live(job, tmp_path / "live", rank=16)
    result = night(job, **change)
    assert result.run is not None
    terms = result.run.read(Terms)
    assert (terms.parent, terms.incumbent) == (None, version)
    assert f"from the base anew: {version} has" in terms.reason
    assert result.state is not State.FAILED, result.reason


def test_a_live_version_that_is_not_served_any_more_is_not_compared_with(
    job: Job, tmp_path: Path
) -> None:
    live(job, tmp_path / "live", rank=16)
    result = night(served_with(job, max_rank=8), rank=8, alpha=16)
    assert result.run is not None
    terms = result.run.read(Terms)
    assert (terms.parent, terms.incumbent) == (None, None)
    assert "rank 16, above max_rank = 8 of [engine]" in terms.reason
    assert result.state is State.PROMOTED, result.reason


def test_a_live_version_of_another_base_is_not_compared_with(job: Job, tmp_path: Path) -> None:
    live(job, tmp_path / "live", rank=16, base_sha256="f" * 64)
    result = night(job)
    assert "was trained on another base" in result.reason
    assert result.state is State.PROMOTED
