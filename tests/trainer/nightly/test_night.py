"""A night that is killed anywhere goes on; one whose ground has shifted begins anew."""

import multiprocessing
import os
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from feedback_store.frozen_snapshots import drop_player, thaw
from feedback_store.store import Store
from personas.adapter_repo import AdapterRepo, Draft
from personas.persona_files import load_character
from tests.support import tiny_gguf
from tests.support.chat_templates import CHATML
from tests.support.guard import (
    ENOUGH,
    ONLY_PREFERENCE,
    WITH_HEAD,
    WITHOUT_HEAD,
    job_in,
    play,
    recipe,
)
from tests.support.watching import ignore
from trainer.base import file_sha256
from trainer.errors import ConfigError, DivergedError
from trainer.examination.examiner import Subject
from trainer.gate import RuleResult, Verdict
from trainer.gate.drift_and_speed import DIVERGENCE, PERPLEXITY
from trainer.nightly import endings, retrain, stages
from trainer.nightly.job import Job
from trainer.nightly.night import DELETED, STARTS_OVER, Night
from trainer.nightly.stages import RunContext
from trainer.progress import RunIO, RunResult, StepMetrics
from trainer.records import runs
from trainer.records.entries import Ending, Nearness, State, Terms, Trained
from trainer.rows import readiness
from trainer.settings import LoraShape

RANK = LoraShape().rank  # of the adapters that are trained
#: In the order in which a run makes them, below its data folder.
SIGNS = (
    "runs/*/snapshot.json",
    "runs/*/checkpoints/checkpoint-5/sealed.json",
    "runs/*/candidate/adapter_model.safetensors",
    "runs/*/trained.json",
    "runs/*/head/adapter_model.safetensors",
    "runs/*/measured.json",
    "adapters/bo/v*/manifest.json",
)


@pytest.fixture
def job(tiny_model: Path, base_dir: Path, tmp_path: Path) -> Job:
    made = job_in(tmp_path, tiny_model, base_dir)
    play(made, ENOUGH)
    return made


def night(job: Job) -> Night:
    """Tonight, as `retrain` would begin it."""
    persona = load_character(job.characters / "bo")
    return Night(job, recipe(), persona, file_sha256(job.base), ignore)


def begun(job: Job) -> RunContext:
    """A run that was killed before it trained."""
    work = night(job).begin()
    assert isinstance(work, RunContext)
    return work


def one_night(job: Job) -> None:
    """In a process that may be killed; by default the tiny training makes no checkpoint."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    often = partial(RunIO, checkpoint_every_s=0.0)
    pytest.MonkeyPatch().setattr(stages, "RunIO", often)
    pytest.MonkeyPatch().setattr(retrain, "MOST_ATTEMPTS", len(SIGNS))
    retrain.run(job, recipe(training=WITH_HEAD), promote=True, tell=ignore)


def test_a_character_larger_than_its_rows_may_be_is_named_before_anything_begins(job: Job) -> None:
    short = recipe(training={**WITHOUT_HEAD, "max_tokens": 128})
    with pytest.raises(ConfigError, match=r"bo is too large.*max_tokens in \[training\]"):
        replace(night(job), recipe=short).begin()
    assert not runs.every_begun(job.runs, "bo")


def appeared(folder: Path, sign: str) -> bool:
    """Whether a file is there."""
    return any(folder.glob(sign))


def until(job: Job, seen: Callable[[], bool]) -> bool:
    """Run a night and kill it at a sign; returns whether it was seen before the end."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    process = context.Process(target=one_night, args=(job,))
    process.start()
    while process.is_alive() and not (killed := seen()):
        time.sleep(0.001)
    process.kill()
    process.join()
    return killed


def published(job: Job) -> list[tuple[str, bool]]:
    """Every version's bytes, and whether it is live."""
    repo = AdapterRepo(job.adapters)
    live = repo.aliases("bo").live
    return [(one.content_hash, one.version == live) for one in repo.versions("bo")]


@pytest.mark.slow
def test_a_night_killed_at_every_stage_ends_as_an_unbroken_one(job: Job, tmp_path: Path) -> None:
    other = tmp_path / "other"
    unbroken = replace(job, adapters=other / "a", heads=other / "h", runs=other / "r")
    until(unbroken, lambda: False)
    for sign in SIGNS:
        assert until(job, partial(appeared, tmp_path, sign)), f"the run ended before {sign}"
    until(job, lambda: False)
    assert published(job) == published(unbroken)
    assert len(published(job)) == 1
    (run,) = runs.every(job.runs)
    assert run.read(Ending).state is State.PROMOTED
    assert not run.snapshot.exists()
    assert not run.checkpoints.exists()


def test_an_unfinished_run_goes_on_with_the_rows_it_began_with(job: Job) -> None:
    unfinished = begun(job)
    play(job, ENOUGH + 20)
    work = night(job).resume()
    assert work is not None
    assert work.run == unfinished.run
    assert work.snapshot == unfinished.snapshot


def edit_persona(job: Job) -> Night:
    file = job.characters / "bo" / "persona.yaml"
    file.write_text(file.read_text().replace("You are brief.", "You are very brief."))
    return night(job)


def change_base(job: Job) -> Night:
    return replace(night(job), base_sha256="f" * 64)


def change_template(job: Job) -> Night:
    file = job.characters.parent / "other.jinja"
    file.write_text("{# another #}" + CHATML)
    return night(replace(job, chat_template=file))


def change_settings(job: Job) -> Night:
    return replace(night(job), recipe=recipe(replace(ONLY_PREFERENCE, min_margins=9)))


def switch_the_head_on(job: Job) -> Night:
    return replace(night(job), recipe=recipe(training=WITH_HEAD))


def forget_a_player(job: Job) -> Night:
    with Store.open(job.store) as store:
        store.forget("player-3").result(5)
    return night(job)


@pytest.mark.parametrize(
    ("shift", "reason"),
    [
        (edit_persona, "persona was edited"),
        (change_base, "base changed"),
        (change_template, "chat format changed"),
        (change_settings, "settings changed"),
        (switch_the_head_on, "settings changed"),
        (forget_a_player, DELETED),
    ],
)
def test_a_run_whose_ground_has_shifted_is_abandoned_with_the_reason(
    job: Job, shift: Callable[[Job], Night], reason: str
) -> None:
    unfinished = begun(job)
    tonight = shift(job)
    assert tonight.resume() is None
    ending = unfinished.run.read(Ending)
    assert ending.state is State.ABANDONED
    assert reason in ending.reasons[0]
    fresh = tonight.begin()
    assert isinstance(fresh, RunContext)
    assert fresh.run.number == unfinished.run.number + 1


def test_a_run_whose_rows_were_removed_is_abandoned(job: Job) -> None:
    unfinished = begun(job).run
    assert drop_player(job.runs, "player-3") == [unfinished.snapshot]
    assert night(job).resume() is None
    assert unfinished.read(Ending).reasons == (DELETED,)


def test_a_run_that_never_began_leaves_nothing(job: Job) -> None:
    begun(job).run.folder.joinpath("job.json").unlink()
    runs.sweep(job.runs, "bo")
    assert runs.every(job.runs) == []


def test_the_same_rows_under_the_same_terms_are_not_trained_on_again(job: Job) -> None:
    endings.end(begun(job).run, State.REJECTED, ("preference",))
    again = night(job).begin()
    assert isinstance(again, readiness.Wait)
    assert again.reason == "nothing new since run 1"


def test_new_feedback_is_trained_on_again(job: Job) -> None:
    endings.end(begun(job).run, State.REJECTED, ("preference",))
    play(job, ENOUGH + 20)
    assert begun(job).run.number == 2


def live_version(job: Job, tmp_path: Path) -> str:
    """A version on the served base that somebody made live."""
    repo = AdapterRepo(job.adapters)
    source = tiny_gguf.write_adapter(tmp_path / "live", seed=2, rank=RANK)
    draft = Draft("bo", None, file_sha256(job.base), "dpo", {}, "", (), {})
    version = repo.publish(draft, source).version
    repo.promote("bo", version)
    return version


def refused_for(job: Job, rule: str) -> None:
    """A night that goes on from the live version and is refused."""
    work = begun(job)
    work.run.write(Verdict((RuleResult(rule, 0.1, 0.3, "at most 0.2", passed=False),)))
    endings.end(work.run, State.REJECTED, (rule,))


def nearness(job: Job, max_drift: float) -> Nearness:
    """How far a night's training led, under that limit of the gate."""
    limits = replace(ONLY_PREFERENCE, max_drift=max_drift)
    retrain.run(job, recipe(limits), promote=False, tell=ignore)
    found = runs.every(job.runs)[-1].read(Trained).nearness
    assert found is not None
    return found


def test_a_training_that_leads_too_far_is_scaled_back_and_recorded(job: Job) -> None:
    free = nearness(job, max_drift=1e9)
    bound = nearness(job, max_drift=free.trained_kl / 2)
    assert free.scale == 1
    assert (bound.trained_kl, bound.scale < 1) == (free.trained_kl, True)


def test_a_line_that_went_too_far_starts_over_from_the_base(job: Job, tmp_path: Path) -> None:
    live = live_version(job, tmp_path)
    refused_for(job, DIVERGENCE)
    terms = begun(job).terms
    assert (terms.parent, terms.incumbent) == (None, live)
    assert STARTS_OVER in terms.reason


@pytest.mark.parametrize(("scale", "goes_on"), [(1.0, True), (0.8, False)])
def test_a_version_that_was_scaled_back_is_not_gone_on_from(
    job: Job, tmp_path: Path, scale: float, goes_on: bool
) -> None:
    work, live = begun(job), live_version(job, tmp_path)
    result = RunResult(
        work.run.candidate, rows=8, refused_too_long=0, steps=2, train_s=1, history=()
    )
    work.run.write(Trained(result, "c" * 64, 1.0, Nearness(0.3, scale)))
    endings.end(work.run, State.PROMOTED, ("enough",), live)
    play(job, ENOUGH + 20)
    terms = begun(job).terms
    assert (terms.parent, terms.incumbent) == (live if goes_on else None, live)


def test_starting_over_from_the_same_rows_is_tried_once(job: Job, tmp_path: Path) -> None:
    live_version(job, tmp_path)
    refused_for(job, DIVERGENCE)
    refused_for(job, "probes passed")
    assert isinstance(night(job).begin(), readiness.Wait)


def test_a_line_that_was_refused_for_something_else_goes_on(job: Job, tmp_path: Path) -> None:
    live = live_version(job, tmp_path)
    refused_for(job, "probes passed")
    play(job, ENOUGH + 20)
    terms = begun(job).terms
    assert (terms.parent, terms.incumbent) == (live, live)


def test_a_candidate_that_starts_over_is_compared_with_the_live_version(
    job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared: list[Path | None] = []

    def examined(subject: Subject, *_: object, **__: object) -> None:
        compared.append(subject.incumbent)
        raise KeyboardInterrupt

    live = live_version(job, tmp_path)
    refused_for(job, PERPLEXITY)
    monkeypatch.setattr(stages, "examine", examined)
    with pytest.raises(KeyboardInterrupt):
        retrain.run(job, recipe(), promote=True, tell=ignore)
    assert compared == [AdapterRepo(job.adapters).path("bo", live)]


def test_a_run_that_broke_off_is_recorded_and_the_incumbent_stays(job: Job) -> None:
    begun(job).run.candidate.write_text("in the way")
    outcome = retrain.run(job, recipe(), promote=True, tell=ignore)
    assert outcome.state is State.FAILED
    (run,) = runs.every(job.runs)
    assert "Traceback" in run.read(Ending).error
    assert published(job) == []
    assert begun(job).run.number == 2  # what broke off is tried again


@pytest.mark.parametrize("record", ["trained", "measured"])
def test_a_disk_that_fills_up_ends_the_run_and_the_incumbent_stays(job: Job, record: str) -> None:
    run = begun(job).run
    (run.folder / f".{record}.json").symlink_to("/dev/full")
    outcome = retrain.run(job, recipe(), promote=True, tell=ignore)
    assert outcome.state is State.FAILED
    assert "No space left on device" in outcome.reason
    assert run.read(Ending).state is State.FAILED
    assert not run.snapshot.exists()
    assert published(job) == []


def test_a_run_that_is_killed_again_and_again_is_given_up(job: Job) -> None:
    run = begun(job).run
    for _ in range(retrain.MOST_ATTEMPTS):
        run.count_attempt()
    outcome = retrain.run(job, recipe(), promote=True, tell=ignore)
    assert (outcome.state, outcome.run) == (State.FAILED, run)
    assert "gave up after 3 attempts" in outcome.reason
    assert isinstance(night(job).begin(), readiness.Wait)
    play(job, ENOUGH + 20)
    assert begun(job).run.number == 2


def test_a_run_that_was_only_stopped_is_not_given_up(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(stages, "ensure_trained", stop)
    run = begun(job).run
    for _ in range(retrain.MOST_ATTEMPTS + 1):
        with pytest.raises(KeyboardInterrupt):
            retrain.run(job, recipe(), promote=True, tell=ignore)
    assert night(job).resume() is not None
    assert run.count_attempt() == 1


def test_a_training_that_diverged_keeps_its_curves_and_is_not_repeated(job: Job) -> None:
    run = begun(job).run
    error = DivergedError("the loss became nan at step 2")
    error.history = (StepMetrics(1, 0.7, 0.0, 0.5), StepMetrics(2, float("nan"), None, None))
    endings.fail(run, error)
    assert run.read(Ending).curves["loss"][0] == 0.7
    assert isinstance(night(job).begin(), readiness.Wait)


def test_a_live_version_that_changed_meanwhile_is_not_replaced(job: Job, tmp_path: Path) -> None:
    begun(job)
    repo = AdapterRepo(job.adapters)
    source = tiny_gguf.write_adapter(tmp_path / "source", seed=1)
    other = repo.publish(Draft("bo", None, "b" * 64, "dpo", {}, "", (), {}), source).version
    repo.promote("bo", other)
    outcome = retrain.run(job, recipe(), promote=True, tell=ignore)
    assert outcome.state is State.PUBLISHED, outcome.reason
    assert f"{other} is live" in outcome.reason
    assert "player-" not in (job.runs / "0001-bo" / "measured.json").read_text()
    assert repo.aliases("bo").live == other


def test_the_record_names_no_player_text(job: Job) -> None:
    work = begun(job)
    assert thaw(work.run.snapshot) == work.snapshot
    endings.end(work.run, State.REJECTED, ("preference",))
    written = "".join(file.read_text() for file in work.run.folder.iterdir())
    assert "Halt" not in written
    assert "Line 1" not in written
    assert work.run.read(Terms).counts["train_pairs"] == len(work.snapshot.train_pairs)
