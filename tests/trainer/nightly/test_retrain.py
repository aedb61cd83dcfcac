"""A whole retraining on a tiny real model: from stored feedback to an alias."""

import fcntl
import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from feedback_store.records import Edit
from personas.adapter_repo import AdapterRepo, content_hash
from personas.persona_files import load_characters
from tests.support import guard
from tests.support.guard import ENOUGH, FEW, WITH_HEAD, job_in, play, recipe, thumbed
from tests.support.paths import ROOT
from tests.support.smiths import LANGUAGES, lines_in, write_cast
from tests.support.watching import ignore
from trainer import gate
from trainer.errors import ClaimedError, MissingStoreError, UnknownCharacterError
from trainer.heads import head_card
from trainer.nightly import retrain
from trainer.nightly.job import Job, read_readiness
from trainer.nightly.retrain import NightResult
from trainer.records.entries import State, TrainedHead
from trainer.rows import readiness


@pytest.fixture
def job(tiny_model: Path, base_dir: Path, tmp_path: Path) -> Job:
    return job_in(tmp_path, tiny_model, base_dir)


@pytest.fixture(scope="module")
def night(
    tiny_model: Path, base_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Job, NightResult]:
    """A finished run, with a reward head."""
    job = job_in(tmp_path_factory.mktemp("night"), tiny_model, base_dir)
    play(job, ENOUGH)
    return job, retrain.run(job, recipe(training=WITH_HEAD), promote=True, tell=ignore)


def test_a_candidate_that_passes_the_gate_goes_live(night: tuple[Job, NightResult]) -> None:
    job, outcome = night
    repo = AdapterRepo(job.adapters)
    assert outcome.state is State.PROMOTED, outcome.reason
    assert repo.aliases("bo").live == outcome.version
    manifest = repo.verify("bo", outcome.version)
    assert (manifest.method, manifest.parent) == ("dpo", None)
    assert manifest.gate["passed"] is True
    assert manifest.persona_version == load_characters(job.characters)["bo"].version


def test_a_reward_head_is_asked_and_kept_with_what_it_got_right(
    night: tuple[Job, NightResult],
) -> None:
    job, outcome = night
    assert outcome.run is not None
    card = head_card.read(outcome.run.head)
    assert outcome.run.read(TrainedHead).card == card
    manifest = AdapterRepo(job.adapters).manifest("bo", outcome.version)
    assert manifest.gate["reward_head_accuracy"] == card.held_out_accuracy
    assert outcome.verdict is not None
    (asked,) = [row for row in outcome.verdict.rows if row.name == "duels by reward head"]
    assert asked.candidate is not None, asked


def test_the_head_goes_live_in_a_repo_of_its_own(night: tuple[Job, NightResult]) -> None:
    job, outcome = night
    assert outcome.run is not None
    repo = AdapterRepo(job.heads)
    live = repo.aliases("bo").live
    assert live is not None
    assert repo.manifest("bo", live).content_hash == content_hash(outcome.run.head)


def test_the_next_candidate_continues_the_live_one(job: Job) -> None:
    play(job, ENOUGH)
    first = retrain.run(job, recipe(), promote=True, tell=ignore)
    play(job, ENOUGH + 20)
    second = retrain.run(job, recipe(), promote=False, tell=ignore)
    repo = AdapterRepo(job.adapters)
    assert second.state is State.PUBLISHED, second.reason
    assert not job.runs.joinpath("0002-bo", "head").exists()  # it is switched off
    assert repo.manifest("bo", second.version).parent == first.version
    assert repo.aliases("bo").live == first.version


def test_a_candidate_that_fails_the_gate_is_not_published(job: Job) -> None:
    play(job, ENOUGH)
    outcome = retrain.run(job, recipe(gate.Thresholds(min_margins=999)), promote=True, tell=ignore)
    assert outcome.state is State.REJECTED
    assert outcome.reason.startswith("preference")
    assert AdapterRepo(job.adapters).versions("bo") == []


def test_thumbs_alone_are_trained_with_kto_and_judged_without_a_head(job: Job) -> None:
    play(job, 100, thumbed)
    outcome = retrain.run(job, recipe(training=WITH_HEAD), promote=True, tell=ignore)
    assert outcome.run is not None
    assert "0 of 20 training pairs" in outcome.run.read(TrainedHead).why_not
    assert outcome.trained is not None, outcome.reason
    assert outcome.verdict is not None
    published = AdapterRepo(job.adapters).versions("bo")
    assert [manifest.method for manifest in published] == ["kto"] * outcome.verdict.passed


def test_too_little_feedback_waits_and_says_what_is_missing(job: Job) -> None:
    play(job, 6)
    outcome = retrain.run(job, recipe(), promote=True, tell=ignore)
    assert outcome.state is State.WAITING
    assert "training pairs" in outcome.reason


def test_a_character_is_trained_by_one_process_at_a_time(job: Job) -> None:
    play(job, ENOUGH)
    (job.adapters / "bo").mkdir(parents=True)
    with (job.adapters / "bo" / ".training").open("w") as claimed:
        fcntl.flock(claimed, fcntl.LOCK_EX)
        with pytest.raises(ClaimedError):
            retrain.run(job, recipe(), promote=True, tell=ignore)


def test_a_store_nobody_wrote_to_is_named(job: Job) -> None:
    with pytest.raises(MissingStoreError, match=r"feedback\.db"):
        retrain.run(job, recipe(), promote=True, tell=ignore)


def test_an_unknown_character_is_refused_with_the_known_ones(job: Job) -> None:
    stranger = replace(job, character="zed")
    with pytest.raises(UnknownCharacterError, match="known: bo"):
        retrain.run(stranger, recipe(), promote=True, tell=ignore)


def test_a_draft_is_no_character_to_be_trained(job: Job) -> None:
    shutil.copytree(job.characters / "bo", job.characters / "_draft")
    with pytest.raises(UnknownCharacterError, match=r"_draft.*; known: bo$"):
        retrain.run(replace(job, character="_draft"), recipe(), promote=True, tell=ignore)


def test_the_command_answers_in_json(job: Job) -> None:
    play(job, 6)
    flags = [
        f"--{name}={getattr(job, name)}"
        for name in ("base", "characters", "store", "adapters", "heads", "cache", "runs")
    ]
    done = subprocess.run(
        [sys.executable, "-m", "trainer.worker", "bo", "--readiness", "--json", *flags],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert done.returncode == 3
    assert json.loads(done.stdout)["state"] == "waiting"


def test_readiness_counts_what_the_night_would_train_on(job: Job) -> None:
    play(job, ENOUGH, lambda turn: Edit("As an AI, I cannot say."))
    snapshot, decision = read_readiness(job, readiness.Thresholds(**FEW), None)
    assert isinstance(decision, readiness.Wait)
    assert snapshot.train_pairs == ()
    assert snapshot.dropped["out_of_character"] > 0


@pytest.mark.parametrize("language", LANGUAGES)
def test_readiness_counts_no_row_that_leaks_in_any_language(
    language: str, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard, "ROOM_TOKENS", 1000)
    write_cast(job.characters, language, id="bo")
    leaks = lines_in(language)["leaks"]
    play(job, 2 * len(leaks), lambda turn: Edit(leaks[int(turn.turn_id[1:]) % len(leaks)]))
    snapshot, _ = read_readiness(job, readiness.Thresholds(**FEW), None)
    assert (snapshot.train_pairs, snapshot.held_out_pairs) == ((), ())
    assert snapshot.dropped["leaks_secret"] > 0


def test_a_night_waits_for_the_lists_that_the_gate_needs(job: Job) -> None:
    write_cast(job.characters, "fi", id="bo", own_unsafe=[])
    play(job, ENOUGH)
    outcome = retrain.run(job, recipe(), promote=True, tell=ignore)
    assert outcome.state is State.WAITING
    assert "write unsafe: in persona.yaml" in outcome.reason
