"""The stages of one run, each from the record of the one before to its own.

Every stage may be repeated: a finished one is read, an unfinished one is done again and comes to
the same. Publishing looks for the version first, so a run that was killed between publishing and
recording it publishes nothing twice.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from feedback_store.selection import Snapshot
from personas.adapter_repo import JSON, AdapterRepo, Draft, content_hash
from personas.errors import CorruptAdapterError
from personas.persona import Persona
from trainer import gate
from trainer.errors import ConfigError, DivergedError, RecordError, RowsError
from trainer.examination.examiner import Subject, examine
from trainer.examination.nameless import without_names
from trainer.four_bits import ensure_rounding
from trainer.heads import head_card, head_publishing, reward_head
from trainer.held import Weights
from trainer.lora import StartingPoint
from trainer.methods.examples import rehearsals
from trainer.methods.table import METHODS, Method, MethodConfig
from trainer.nightly import trust_region
from trainer.nightly.job import Job
from trainer.nightly.lineage import Lineage
from trainer.progress import OnProgress, Progress, RunIO, RunResult, Tell
from trainer.records.entries import Measured, Published, Rounding, Terms, Trained, TrainedHead
from trainer.records.runs import Run
from trainer.rows.readiness import LABELS


@dataclass(frozen=True)
class RunContext:
    """What every stage of a run works with."""

    job: Job
    run: Run
    terms: Terms
    persona: Persona
    snapshot: Snapshot
    config: MethodConfig
    head: reward_head.Config | None  # None = no reward head is trained
    limits: gate.Thresholds
    tell: Tell

    @property
    def method(self) -> Method:
        """How the character is trained."""
        return METHODS[self.terms.method]


def ensure_trained(context: RunContext, lineage: Callable[[], Lineage]) -> Trained:
    """Train the candidate unless its record is there and its bytes are those that were recorded."""
    found = context.run.find(Trained)
    if found is not None and _bytes_of(context.run.candidate) == found.content_hash:
        return found
    started = time.monotonic()
    origin = lineage()
    start = _start(origin)
    examples = rehearsals(context.persona, origin.vocab, context.config.schedule.max_tokens)
    io = RunIO(_stage(context.tell, "train"), context.run.checkpoints)
    rows, out = context.method.learns_from.rows(context.snapshot), context.run.candidate
    result = context.method.run(context.config, rows, examples, start, out, io)
    staying = _stage(context.tell, "keep near the base")
    staying(Progress(0, 1, 0.0))
    limit = trust_region.SHARE * context.limits.max_drift
    nearness = trust_region.keep_near(out, start, limit, context.config.memory.device)
    staying(Progress(1, 1, 0.0))
    seconds = round(time.monotonic() - started, 1)
    entry = Trained(result, content_hash(out), seconds, nearness, _rounding(result, start))
    context.run.write(entry)
    return entry


def _rounding(result: RunResult, start: StartingPoint) -> Rounding | None:
    held = result.held
    if held is None or held.weights is not Weights.NF4:
        return None
    return ensure_rounding(start.base_dir, start.tokenizer, held)


def ensure_head(context: RunContext, lineage: Callable[[], Lineage]) -> TrainedHead | None:
    """Train the reward head that the examination asks, unless that is done. None = switched off."""
    if context.head is None:
        return None
    found = context.run.find(TrainedHead)
    if found is not None and _still_there(found, context.run.head):
        return found
    started = time.monotonic()
    # From the base, whatever the voice goes on from: it judges both voices.
    bare = replace(_start(lineage()), adapter=None)
    why_not = _train_head(context.head, context, bare)
    entry = TrainedHead(
        card=None if why_not else head_card.read(context.run.head),
        why_not=why_not,
        content_hash="" if why_not else content_hash(context.run.head),
        seconds=round(time.monotonic() - started, 1),
    )
    context.run.write(entry)
    return entry


def _train_head(config: reward_head.Config, context: RunContext, start: StartingPoint) -> str:
    """Train the head. Return why there is none, or "" when there is one."""
    rows, judges = context.snapshot.train_pairs, context.snapshot.held_out_pairs
    io = RunIO(_stage(context.tell, "train the reward head"), context.run.checkpoints)
    try:
        reward_head.run(config, rows, judges, start, context.run.head, io)
    except (RowsError, ConfigError, DivergedError) as error:
        return str(error)  # the candidate is then examined without one
    return ""


def ensure_measured(
    context: RunContext, lineage: Callable[[], Lineage], head: TrainedHead | None = None
) -> Measured:
    """Measure what the gate judges by, unless that is done."""
    found = context.run.find(Measured)
    if found is not None:
        return found
    started = time.monotonic()
    origin = lineage()
    subject = Subject(
        context.job.base,
        origin.base_dir,
        origin.vocab,
        context.persona,
        origin.incumbent_folder,
        context.job.engine,
        context.config.memory.device,
        context.job.lore,
    )
    found_out = examine(
        subject,
        context.run.candidate,
        context.snapshot,
        by_labels=context.method.learns_from is LABELS,
        head=context.run.head if head and head.card else None,
        tell=context.tell,
    )
    seconds = round(time.monotonic() - started, 1)
    entry = Measured(without_names(found_out.measurements), found_out.samples, seconds)
    context.run.write(entry)
    return entry


def judge_and_record(context: RunContext, measurements: gate.Measurements) -> gate.Verdict:
    """Judge and record the verdict: the same for the same numbers, so it may be repeated."""
    verdict = gate.judge(measurements, context.limits)
    context.run.write(verdict)
    return verdict


def ensure_published(
    context: RunContext, candidate: Trained, verdict: gate.Verdict, head: TrainedHead | None = None
) -> str:
    """Publish the candidate unless a version has its bytes; return the version."""
    version = find_version(context.job, context.terms, candidate)
    if version is None:
        version = _publish(context, verdict, head)
    context.run.write(Published(version))
    return version


def publish_head(
    context: RunContext, lineage: Callable[[], Lineage], head: TrainedHead | None, live: bool
) -> None:
    """Publish the head, whatever became of the voice; if `live`, the better head is promoted."""
    if head is None or head.card is None:
        return
    heads, character, rows = context.job.heads, context.job.character, context.snapshot
    version = head_publishing.publish_head(
        heads,
        character,
        context.run.head,
        context.terms.base_sha256,
        rows,
        context.terms.chat_format,
    )
    if version and live:
        origin, judges = lineage(), rows.held_out_pairs
        device = context.config.memory.device
        head_publishing.promote_head(
            heads, character, version, origin.base_dir, origin.vocab, judges, device
        )


def find_version(job: Job, terms: Terms, candidate: Trained) -> str | None:
    """Find the version with the candidate's bytes, parent and rows; None when there is none."""
    for manifest in AdapterRepo(job.adapters).versions(job.character):
        known = (manifest.content_hash, manifest.parent, manifest.snapshot_hash)
        if known == (candidate.content_hash, terms.parent, terms.snapshot_hash):
            return manifest.version
    return None


def version_of(job: Job, run: Run) -> str:
    """Find the version that a run published, whether it was recorded or not; "" = none."""
    try:
        terms, candidate = run.find(Terms), run.find(Trained)
    except RecordError:
        return ""
    return find_version(job, terms, candidate) or "" if terms and candidate else ""


def _publish(context: RunContext, verdict: gate.Verdict, head: TrainedHead | None) -> str:
    rows: list[JSON] = [asdict(row) for row in verdict.rows]
    accuracy = head.card.held_out_accuracy if head and head.card else None
    draft = Draft(
        character=context.job.character,
        parent=context.terms.parent,
        base_sha256=context.terms.base_sha256,
        method=context.terms.method,
        config=context.terms.config,
        snapshot_hash=context.terms.snapshot_hash,
        players=context.snapshot.players,
        gate={"passed": verdict.passed, "rows": rows, "reward_head_accuracy": accuracy},
        persona_version=context.terms.persona_version,
        chat_format=context.terms.chat_format,
    )
    return AdapterRepo(context.job.adapters).publish(draft, context.run.candidate).version


def _start(origin: Lineage) -> StartingPoint:
    return StartingPoint(origin.base_dir, origin.vocab, origin.parent_folder)


def _still_there(found: TrainedHead, head: Path) -> bool:
    return found.card is None or _bytes_of(head) == found.content_hash


def _bytes_of(candidate: Path) -> str | None:
    try:
        return content_hash(candidate)
    except CorruptAdapterError:
        return None


def _stage(tell: Tell, name: str) -> OnProgress:
    return lambda progress: tell(name, progress)
