"""Retrain one character, from stored feedback to a live adapter.

Safe to kill at any point: the next call resumes.

snapshot -> plan -> train -> reward head -> examine -> gate -> publish -> promote, recorded stage by
stage in a run's folder. Called again after a kill, it continues the unfinished run with the rows
that were frozen when it began, and ends with the same bytes. A run that was killed `MOST_ATTEMPTS`
times is given up. Nothing is published unless the gate passed; the live version survives any error.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from feedback_store import audit
from personas.adapter_repo import AdapterRepo
from trainer import gate
from trainer.errors import GaveUpError
from trainer.nightly import disk, endings, lineage, stages
from trainer.nightly.job import Job, claim, load_persona
from trainer.nightly.lineage import Lineage
from trainer.nightly.night import DELETED, Night
from trainer.nightly.stages import RunContext
from trainer.progress import Progress, RunResult, Tell
from trainer.recipes.recipe import Recipe
from trainer.records import report, runs
from trainer.records.entries import State
from trainer.records.runs import Run
from trainer.rows import readiness
from trainer.rows.snapshots import still_stored

MOST_ATTEMPTS = 3  # kills; the cause, usually memory, will not go away by itself


@dataclass(frozen=True)
class NightResult:
    """How a night ended; None for each stage that was not reached."""

    state: State
    reason: str
    version: str = ""
    run: Run | None = None
    trained: RunResult | None = None
    verdict: gate.Verdict | None = None


def run(job: Job, recipe: Recipe, promote: bool, tell: Tell) -> NightResult:
    """Retrain the character if there is enough new feedback, or finish what was begun.

    A run that fails is recorded and returned as State.FAILED. Raises TrainerError, PersonasError
    and FeedbackStoreError when no run could be begun or recorded.
    """
    persona = load_persona(job)
    with claim(job), runs.name_disk_errors(f"the record of {job.character} in {job.runs}"):
        _tidy(job, recipe)
        tell("read base model", Progress(0, 1, 0.0))
        night = Night(job, recipe, persona, lineage.base_sha256(job), tell)
        tell("read base model", Progress(1, 1, 0.0))
        context = readiness.wait_for_designer(persona) or night.resume() or night.begin()
        if isinstance(context, readiness.Wait):
            return NightResult(State.WAITING, context.reason)
        return _run_and_record(context, promote)


def _tidy(job: Job, recipe: Recipe) -> None:
    """Write reports that a kill after the end of a run prevented; keep to the disk budget."""
    runs.sweep(job.runs, job.character)
    for ended in runs.every_begun(job.runs, job.character):
        if runs.has_ended(ended) and not ended.report.exists():
            ended.write_text(ended.report.name, report.page(ended))
    disk.make_room(job.runs, recipe.night.upkeep)


def _run_and_record(context: RunContext, promote: bool) -> NightResult:
    try:
        _count_attempt(context.run)
        return _run_stages(context, promote)
    except KeyboardInterrupt:
        context.run.forget_attempt()
        raise
    except Exception as error:  # the edge of a run: whatever it was, it is recorded
        return NightResult(State.FAILED, endings.fail(context.run, error), "", context.run)


def _count_attempt(run: Run) -> None:
    if run.count_attempt() > MOST_ATTEMPTS:
        raise GaveUpError(
            f"gave up after {MOST_ATTEMPTS} attempts: each was killed before it could end,"
            " perhaps for lack of memory. It is tried again with new feedback or other settings,"
            " such as a smaller micro_batch_rows in [training]"
        )


def _run_stages(context: RunContext, promote: bool) -> NightResult:
    @cache  # loaded by the first stage that is not finished yet
    def origin() -> Lineage:
        return lineage.load(context.job, context.terms)

    candidate = stages.ensure_trained(context, origin)
    head = stages.ensure_head(context, origin)
    measured = stages.ensure_measured(context, origin, head)
    verdict = stages.judge_and_record(context, measured.measurements)
    deleted = _deleted_meanwhile(context)
    if not deleted:
        stages.publish_head(context, origin, head, live=promote)
    if not verdict.passed:
        state, reasons, version = State.REJECTED, verdict.reasons, ""
    elif deleted:
        state, reasons, version = State.ABANDONED, (DELETED,), ""
    else:
        version = stages.ensure_published(context, candidate, verdict, head)
        state, reason = _promote(context, version, promote)
        reasons = (reason,)
    endings.end(context.run, state, reasons, version)
    return NightResult(state, "; ".join(reasons), version, context.run, candidate.result, verdict)


def _deleted_meanwhile(context: RunContext) -> bool:
    """Whether rows were deleted from the store while they were trained on."""
    rows, store = context.run.snapshot, context.job.store
    return not rows.exists() or not still_stored(store, context.snapshot)


def _write_down(context: RunContext, version: str) -> None:
    file, who = context.job.adapters.parent / audit.FILE, f"training run {context.run.folder.name}"
    about = {"character": context.job.character, "version": version}
    audit.record(file, who, audit.Action.PROMOTED, **about)


def _promote(context: RunContext, version: str, promote: bool) -> tuple[State, str]:
    repo, character = AdapterRepo(context.job.adapters), context.job.character
    compared = context.terms.live
    if not promote and repo.aliases(character).live != version:
        return State.PUBLISHED, context.terms.reason
    if repo.promote_over(character, compared, version):  # or it was, before this run was killed
        _write_down(context, version)
        return State.PROMOTED, context.terms.reason
    now, then = repo.aliases(character).live or "the bare base", compared or "the bare base"
    return State.PUBLISHED, (
        f"not promoted: {now} is live, and the gate compared with {then}; to go on:"
        f" npc adapters promote {character} {version}"
    )
