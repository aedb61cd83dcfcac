"""One character's night, from stored feedback to a live adapter version; it may be killed anywhere.

snapshot -> plan -> train -> reward head -> examine -> gate -> publish -> promote, recorded stage by
stage in a run's folder. Called again after a kill, it continues the unfinished run with the rows
that were frozen when it began, and ends with the same bytes; killed again and again, it is given
up. Nothing is published unless the gate passed, and whatever fails, the live version stays.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from personas.adapter_repo import AdapterRepo
from personas.persona import Persona, load_character
from trainer import gate
from trainer.errors import GaveUpError, UnknownCharacterError
from trainer.nightly import disk, endings, lineage, stages
from trainer.nightly.job import Job, claim
from trainer.nightly.lineage import Lineage
from trainer.nightly.night import DELETED, Night
from trainer.nightly.stages import Material
from trainer.progress import Progress, RunResult, Tell
from trainer.recipes.recipe import Recipe
from trainer.records import report, runs
from trainer.records.runs import Run, State
from trainer.rows import readiness
from trainer.rows.snapshots import still_stored

MOST_ATTEMPTS = 3  # killed so often, a run would be killed for ever, as for want of memory


@dataclass(frozen=True)
class Outcome:
    """The end of a job; what it did not come to is None."""

    state: State
    reason: str
    version: str = ""
    run: Run | None = None
    trained: RunResult | None = None
    verdict: gate.Verdict | None = None


def run(job: Job, recipe: Recipe, promote: bool, tell: Tell) -> Outcome:
    """Retrain the character if there is enough new feedback, or finish what was begun.

    A run that breaks off is an outcome too. Raises TrainerError, PersonasError and
    FeedbackStoreError when none could be begun or recorded.
    """
    persona = _persona(job)
    with claim(job), runs.translated(f"the record of {job.character} in {job.runs}"):
        _tidy(job, recipe)
        tell("read base model", Progress(0, 1, 0.0))
        night = Night(job, recipe, persona, lineage.base_sha256(job), tell)
        tell("read base model", Progress(1, 1, 0.0))
        work = night.continued() or night.begun()
        if isinstance(work, readiness.Wait):
            return Outcome(State.WAITING, work.reason)
        return _carried(work, promote)


def _persona(job: Job) -> Persona:
    """Read alone: another character's broken files are no reason not to train this one."""
    folders = {file.parent.name: file.parent for file in job.characters.glob("*/persona.yaml")}
    if job.character not in folders:
        known = ", ".join(sorted(folders))
        raise UnknownCharacterError(f"no character {job.character!r}; known: {known}")
    return load_character(folders[job.character])


def _tidy(job: Job, recipe: Recipe) -> None:
    """Finish what a killed run left undone after its end, and keep to the disk budget."""
    runs.sweep(job.runs, job.character)
    for ended in runs.begun(job.runs, job.character):
        if runs.has_ended(ended) and not ended.report.exists():
            ended.write_text(ended.report.name, report.page(ended))
    disk.make_room(job.runs, recipe.night.upkeep)


def _carried(work: Material, promote: bool) -> Outcome:
    try:
        _attempt(work.run)
        return _through_all_stages(work, promote)
    except KeyboardInterrupt:
        work.run.forget_attempt()
        raise
    except Exception as error:  # the edge of a run: whatever it was, it is recorded
        return Outcome(State.FAILED, endings.fail(work.run, error), "", work.run)


def _attempt(run: Run) -> None:
    if run.count_attempt() > MOST_ATTEMPTS:
        raise GaveUpError(
            f"gave up after {MOST_ATTEMPTS} attempts: each was killed before it could end, as for"
            " want of memory. It is tried again with new feedback or other settings, such as a"
            " smaller micro_batch_rows in [training]"
        )


def _through_all_stages(work: Material, promote: bool) -> Outcome:
    @cache  # loaded by the first stage that is not finished yet
    def origin() -> Lineage:
        return lineage.load(work.job, work.terms)

    candidate = stages.trained(work, origin)
    head = stages.headed(work, origin)
    measured = stages.measured(work, origin, head)
    verdict = stages.judged(work, measured.measurements)
    deleted = _deleted_meanwhile(work)
    if not deleted:
        stages.head_kept(work, origin, head, live=promote)
    if not verdict.passed:
        state, reasons, version = State.REJECTED, verdict.reasons, ""
    elif deleted:
        state, reasons, version = State.ABANDONED, (DELETED,), ""
    else:
        version = stages.published(work, candidate, verdict, head)
        state, reason = _promoted(work, version, promote)
        reasons = (reason,)
    endings.end(work.run, state, reasons, version)
    return Outcome(state, "; ".join(reasons), version, work.run, candidate.result, verdict)


def _deleted_meanwhile(work: Material) -> bool:
    """Whether players were forgotten while their rows were trained on."""
    return not work.run.snapshot.exists() or not still_stored(work.job.store, work.snapshot)


def _promoted(work: Material, version: str, promote: bool) -> tuple[State, str]:
    repo, character, compared = AdapterRepo(work.job.adapters), work.job.character, work.terms.live
    if not promote and repo.aliases(character).live != version:
        return State.PUBLISHED, work.terms.reason
    if repo.promote_over(character, compared, version):  # or it was, before this run was killed
        return State.PROMOTED, work.terms.reason
    now, then = repo.aliases(character).live or "the bare base", compared or "the bare base"
    return State.PUBLISHED, (
        f"not promoted: {now} is live, and the gate compared with {then}; to go on:"
        f" npc adapters promote {character} {version}"
    )
