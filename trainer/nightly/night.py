"""Chooses the run of a character's night: the unfinished one, or a new one.

An unfinished run goes on with its frozen rows as long as it would still be begun the same way. A
new one is begun when there are enough rows and they differ from those of the last settled run.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from feedback_store.errors import StoreCorruptError
from feedback_store.frozen_snapshots import freeze, thaw
from feedback_store.selection import Snapshot
from personas.adapter_repo import AdapterRepo
from personas.persona import Persona
from personas.sizes import require_fit
from trainer.errors import RecordError
from trainer.gate import Verdict
from trainer.methods.table import candidates
from trainer.nightly import endings, lineage, resuming, stages
from trainer.nightly.job import Job, read_snapshot
from trainer.nightly.preflight import MAX_TOKENS, Undertaking, require_ready
from trainer.nightly.resuming import CurrentInputs, EndedRun
from trainer.nightly.stages import RunContext
from trainer.progress import Tell
from trainer.recipes.recipe import Recipe
from trainer.records import entries, runs
from trainer.records.entries import Ending, Terms, Trained
from trainer.records.runs import Run
from trainer.rows import readiness
from trainer.rows.rerender import Rerendered, rerender
from trainer.rows.snapshots import still_stored
from trainer.settings import as_json

STARTS_OVER = "from the base again: the live version is as far from it as allowed"
ANEW = "from the base anew: {}"
DELETED = "some of its rows were deleted: a player was forgotten, or they expired"


@dataclass(frozen=True)
class Night:
    """One character on one night. Its maker holds the character's claim."""

    job: Job
    recipe: Recipe
    persona: Persona
    base_sha256: str
    tell: Tell

    def resume(self) -> RunContext | None:
        """Resume the unfinished run; one that may not go on is ended as abandoned."""
        going_on: RunContext | None = None
        for unfinished in runs.every_unfinished(self.job.runs, self.job.character):
            if going_on is not None:
                self._abandon(going_on.run, "a newer run was begun")
            going_on = self._resume(unfinished)
        return going_on

    def begin(self) -> RunContext | readiness.Wait:
        """Begin a new run; Wait when there is nothing new to train on, or too little.

        Raises CharacterTooLargeError, what `require_ready` raises, and the errors of the store, the
        adapter repo and the disk.
        """
        vocab, most = self.job.open_vocab(), self.recipe.max_tokens
        today = rerender(read_snapshot(self.job), self.persona, vocab, most)
        plan = readiness.decide(
            today.snapshot, self.recipe.night.policy, candidates(self.recipe.method)
        )
        if isinstance(plan, readiness.Wait):
            require_fit(self.persona, vocab, most, MAX_TOKENS)  # or it would wait for ever
            return plan
        terms = self._terms(today, plan)
        settled = resuming.settled_by(terms, self._ended_runs())
        if settled is not None:
            return readiness.Wait(f"nothing new since run {settled}", ())
        self._require_ready(terms, today.snapshot)
        return self._context(self._new_run(today.snapshot, terms), terms, today.snapshot)

    def _require_ready(self, terms: Terms, snapshot: Snapshot) -> None:
        config = self.recipe.configs[terms.method]
        undertaking = Undertaking(
            job=self.job,
            persona=self.persona,
            base_sha256=self.base_sha256,
            snapshot=snapshot,
            config=config,
            head=self.recipe.reward_head,
        )
        require_ready(undertaking, self.tell)

    def _resume(self, unfinished: Run) -> RunContext | None:
        try:
            terms, snapshot = unfinished.read(Terms), thaw(unfinished.snapshot)
        except FileNotFoundError:
            self._abandon(unfinished, DELETED)
            return None
        except (RecordError, StoreCorruptError) as error:
            self._abandon(unfinished, str(error))
            return None
        why_not = resuming.change(terms, self._current)
        if why_not is None and not still_stored(self.job.store, snapshot):
            why_not = DELETED
        if why_not is not None:
            self._abandon(unfinished, why_not)
            return None
        self._require_ready(terms, snapshot)
        return self._context(unfinished, terms, snapshot)

    def _abandon(self, unfinished: Run, reason: str) -> None:
        endings.abandon(unfinished, reason, stages.version_of(self.job, unfinished))

    def _new_run(self, snapshot: Snapshot, terms: Terms) -> Run:
        run = runs.begin(self.job.runs, self.job.character)
        freeze(snapshot, run.snapshot)
        run.write(terms)
        return run

    def _context(self, run: Run, terms: Terms, snapshot: Snapshot) -> RunContext:
        config = self.recipe.configs[terms.method]
        return RunContext(
            job=self.job,
            run=run,
            terms=terms,
            persona=self.persona,
            snapshot=snapshot,
            config=config,
            head=self.recipe.reward_head,
            limits=self.recipe.gate,
            tell=self.tell,
        )

    def _terms(self, rows: Rerendered, plan: readiness.Plan) -> Terms:
        live = AdapterRepo(self.job.adapters).aliases(self.job.character).live
        shape = self.recipe.configs[plan.method].lora
        origin = lineage.ancestry(self.job, live, self.base_sha256, shape)
        ended = origin.parent is not None and resuming.line_has_ended(
            origin.parent, self._ended_runs()
        )
        why_anew = STARTS_OVER if ended else ANEW.format(origin.why_anew)
        anew = ended or bool(origin.why_anew)
        return Terms(
            character=self.job.character,
            base_sha256=self.base_sha256,
            persona_version=self.persona.version,
            parent=None if ended else origin.parent,
            incumbent=origin.incumbent,
            live=live,
            method=plan.method,
            config=self._current.configs[plan.method],
            gate=self._current.gate,
            reward_head=self._current.reward_head,
            reason=f"{plan.reason}; {why_anew}" if anew else plan.reason,
            snapshot_hash=rows.snapshot.hash,
            counts=_counts(rows),
            dropped={**rows.snapshot.dropped, **rows.dropped},
            started_at=entries.now(),
            chat_format=self.job.chat_format,
        )

    @cached_property
    def _current(self) -> CurrentInputs:
        recipe = self.recipe
        return CurrentInputs(
            self.base_sha256,
            self.persona.version,
            recipe.method,
            {method: as_json(config) for method, config in recipe.configs.items()},
            as_json(recipe.gate),
            as_json(recipe.reward_head) if recipe.reward_head else None,
            self.job.chat_format,
        )

    def _ended_runs(self) -> Iterator[EndedRun]:
        for run in runs.every_begun(self.job.runs, self.job.character):
            try:
                ended = _read_ended(run)
            except RecordError:  # of another release, or damaged: train all the same
                continue
            if ended is not None:
                yield ended


def _read_ended(run: Run) -> EndedRun | None:
    """Read a run that ended; None for one that did not. Raises RecordError."""
    ending, verdict, trained = run.find(Ending), run.find(Verdict), run.find(Trained)
    if ending is None:
        return None
    failed = [row.name for row in verdict.rows if not row.passed] if verdict else []
    nearness = trained.nearness if trained else None
    scaled_back = nearness is not None and nearness.scale < 1
    return EndedRun(run.number, run.read(Terms), ending, frozenset(failed), scaled_back)


def _counts(rows: Rerendered) -> dict[str, int]:
    snapshot = rows.snapshot
    return {**snapshot.row_counts, "rerendered": rows.rerendered, "players": len(snapshot.players)}
