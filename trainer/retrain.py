"""One character's retraining, from stored feedback to a live adapter version.

snapshot -> plan -> train -> measure -> gate -> publish -> promote. Each step is a function of its
own module; this one joins them. Nothing is published unless the gate passed.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

from feedback_store.selection import Origin, Snapshot
from npc_server.engine.llama import Vocab
from personas.adapter_repo import JSON, AdapterRepo, Draft
from personas.checks import word_count
from personas.persona import Persona, load_characters
from trainer import gate, measure, policy
from trainer.base import ensure_base, file_sha256
from trainer.errors import UnknownCharacterError
from trainer.job import Job, claim, read_snapshot
from trainer.lora import StartingPoint
from trainer.methods import TEACHINGS, MethodConfig
from trainer.policy import Method
from trainer.preference import held_out_label_margins, held_out_margins
from trainer.progress import Desk, OnProgress, Progress, RunResult
from trainer.rehearsal import rehearsals

DEFAULT_LIMITS = gate.Thresholds()

#: Called as a stage goes on, by the stage's name.
Tell = Callable[[str, Progress], None]


class State(StrEnum):
    """How a job ended."""

    WAITING = "waiting"  # there is too little feedback
    REJECTED = "rejected"  # the gate said no
    PUBLISHED = "published"  # a new version exists and is not live
    PROMOTED = "promoted"  # a new version is live


@dataclass(frozen=True)
class Outcome:
    """The end of a job. `trained` and `verdict` are None while waiting."""

    state: State
    reason: str
    version: str = ""
    trained: RunResult | None = None
    verdict: gate.Verdict | None = None


@dataclass(frozen=True)
class _Lineage:
    """What a candidate is trained from."""

    base_sha256: str
    vocab: Vocab  # the served model's own: what it feeds is what is trained
    base_dir: Path  # dequantised
    parent: str | None  # version; None = the bare base
    parent_folder: Path | None


@dataclass(frozen=True)
class _Candidate:
    """A freshly trained adapter."""

    folder: Path
    config: MethodConfig
    result: RunResult


def run(job: Job, promote: bool, tell: Tell, limits: gate.Thresholds = DEFAULT_LIMITS) -> Outcome:
    """Retrain the character if there is enough feedback.

    Raises TrainerError, PersonasError, FeedbackStoreError and EngineError; whatever fails, the live
    version stays.
    """
    persona, snapshot = _persona(job), read_snapshot(job)
    plan = policy.decide(snapshot, policy.Thresholds())
    if isinstance(plan, policy.Wait):
        return Outcome(State.WAITING, plan.reason)
    with claim(job), tempfile.TemporaryDirectory(prefix="npc-train-") as scratch:
        lineage = _lineage(job, tell)
        candidate = _train(
            plan.method, persona, snapshot, lineage, Path(scratch) / "candidate", tell
        )
        measured = _measure(job, persona, snapshot, plan.method, lineage, candidate, tell)
        verdict = gate.judge(measured, limits)
        if not verdict.passed:
            reason = "; ".join(verdict.reasons)
            return Outcome(State.REJECTED, reason, "", candidate.result, verdict)
        version = _publish(job, persona, snapshot, plan.method, lineage, candidate, verdict)
    state = _promote(job, version) if promote else State.PUBLISHED
    return Outcome(state, plan.reason, version, candidate.result, verdict)


def _persona(job: Job) -> Persona:
    cast = load_characters(job.characters)
    if job.character not in cast:
        known = ", ".join(sorted(cast))
        raise UnknownCharacterError(f"no character {job.character!r}; known: {known}")
    return cast[job.character]


def _lineage(job: Job, tell: Tell) -> _Lineage:
    tell("load base model", Progress(0, 1, 0.0))
    base_sha256 = file_sha256(job.base)
    base_dir = ensure_base(job.base, job.cache)
    vocab = Vocab(job.base)
    tell("load base model", Progress(1, 1, 0.0))
    repo = AdapterRepo(job.adapters)
    live = repo.aliases(job.character).live
    # An adapter belongs to its base: on another one, training starts over from the same rows.
    if live is None or repo.verify(job.character, live).base_sha256 != base_sha256:
        return _Lineage(base_sha256, vocab, base_dir, None, None)
    return _Lineage(base_sha256, vocab, base_dir, live, repo.path(job.character, live))


def _train(
    method: Method,
    persona: Persona,
    snapshot: Snapshot,
    lineage: _Lineage,
    folder: Path,
    tell: Tell,
) -> _Candidate:
    teaching = TEACHINGS[method]
    config = teaching.config()
    start = StartingPoint(lineage.base_dir, lineage.vocab, lineage.parent_folder)
    examples = rehearsals(persona, lineage.vocab, config.schedule.max_tokens)
    desk = Desk(_stage(tell, "train"))
    result = teaching.run(config, teaching.rows(snapshot), examples, start, folder, desk)
    return _Candidate(folder, config, result)


def _measure(
    job: Job,
    persona: Persona,
    snapshot: Snapshot,
    method: Method,
    lineage: _Lineage,
    candidate: _Candidate,
    tell: Tell,
) -> gate.Measurements:
    base, parent, folder = lineage.base_dir, lineage.parent_folder, candidate.folder
    vocab, scoring = lineage.vocab, _stage(tell, "score held-out rows")
    if method is not Method.KTO:
        margins = held_out_margins(base, parent, folder, snapshot.held_out_pairs, vocab, scoring)
    else:
        margins = held_out_label_margins(
            base, parent, folder, snapshot.held_out_labels, vocab, scoring
        )
    incumbent, challenger = measure.hear(
        job.base,
        vocab,
        persona,
        (parent, folder),
        _prompts(snapshot),
        _stage(tell, "listen to both"),
    )
    return gate.Measurements(incumbent, challenger, margins, _chosen_words(snapshot))


def _prompts(snapshot: Snapshot) -> list[tuple[int, ...]]:
    of_pairs = [pair.prompt_ids for pair in snapshot.held_out_pairs]
    return [*of_pairs, *(row.prompt_ids for row in snapshot.held_out_labels)]


def _chosen_words(snapshot: Snapshot) -> float | None:
    """Mean length that held-out players want a reply to have.

    What they wrote themselves tells it best; what they picked or liked was not theirs to shape.
    """
    pairs = snapshot.held_out_pairs
    written = [pair.chosen for pair in pairs if pair.origin is Origin.EDIT]
    liked = [row.completion for row in snapshot.held_out_labels if row.desirable]
    texts = written or [pair.chosen for pair in pairs] or liked
    return sum(map(word_count, texts)) / len(texts) if texts else None


def _publish(
    job: Job,
    persona: Persona,
    snapshot: Snapshot,
    method: Method,
    lineage: _Lineage,
    candidate: _Candidate,
    verdict: gate.Verdict,
) -> str:
    rows: list[JSON] = [asdict(row) for row in verdict.rows]
    draft = Draft(
        character=job.character,
        parent=lineage.parent,
        base_sha256=lineage.base_sha256,
        method=method.value,
        config=asdict(candidate.config),
        snapshot_hash=snapshot.hash,
        players=snapshot.players,
        gate={"passed": verdict.passed, "rows": rows},
        persona_version=persona.version,
    )
    return AdapterRepo(job.adapters).publish(draft, candidate.folder).version


def _promote(job: Job, version: str) -> State:
    AdapterRepo(job.adapters).promote(job.character, version)
    return State.PROMOTED


def _stage(tell: Tell, name: str) -> OnProgress:
    return lambda progress: tell(name, progress)
