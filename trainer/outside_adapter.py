"""Judging an adapter that was made elsewhere: `npc adapters add` starts it.

    python -m trainer.outside_adapter mira FOLDER --base model.gguf --store feedback.db ...

It is examined as a night's candidate is, against what is live. Where players have said enough, the
whole gate decides; where they have not, the rules that look for harm. Nothing is published here.

Exit code 0: passed. 1: rejected. The others are in `trainer.terminal`.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from trainer.nightly.job import Job, load_persona
from trainer.recipes import recipe
from trainer.records.run_tables import gate_table
from trainer.terminal import (
    ChatTemplate,
    InterruptOnce,
    ProcessOptions,
    Report,
    Settings,
    bars,
    carry_out,
    run_process,
    training_libraries,
)

if TYPE_CHECKING:
    from feedback_store.selection import Snapshot
    from personas.persona import Persona
    from trainer.examination.examiner import Subject
    from trainer.gate import Verdict
    from trainer.progress import Tell
    from trainer.recipes.recipe import Recipe

BY_ALL = "all rules, held-out rows among them"
BY_HARM = "the rules that look for harm; there are too few held-out rows for the others"


@dataclass(frozen=True)
class Judgement:
    """What the gate said of an adapter, and what it went by."""

    verdict: Verdict
    judged_by: str
    snapshot_hash: str
    persona_version: str


def judge_folder(job: Job, recipe: Recipe, folder: Path, tell: Tell) -> Judgement:
    """Examine the adapter in a folder and judge it; the persona is as it is today.

    Raises TrainerError, PersonasError, EngineError and FeedbackStoreError.
    """
    from trainer import gate
    from trainer.examination.examiner import examine

    persona = load_persona(job)
    rows = _rows(job, recipe, persona)
    by_labels = len(rows.held_out_labels) > len(rows.held_out_pairs)
    held_out = max(len(rows.held_out_labels), len(rows.held_out_pairs))
    enough = held_out >= recipe.gate.min_margins
    subject = _subject(job, persona)
    found = examine(subject, folder, rows, by_labels=by_labels, tell=tell)
    judge = gate.judge if enough else gate.judge_harm
    verdict = judge(found.measurements, recipe.gate)
    judged_by = BY_ALL if enough else BY_HARM
    return Judgement(verdict, judged_by, rows.hash, persona.version)


def _rows(job: Job, recipe: Recipe, persona: Persona) -> Snapshot:
    from feedback_store.selection import select
    from trainer.rows.rerender import rerender
    from trainer.rows.snapshots import snapshot_of

    if not job.store.is_file():
        return select(job.character, [], [])
    stored = snapshot_of(job.store, job.character)
    return rerender(stored, persona, job.open_vocab(), recipe.max_tokens).snapshot


def _subject(job: Job, persona: Persona) -> Subject:
    from personas.adapter_repo import AdapterRepo
    from trainer.base import ensure_base
    from trainer.examination.examiner import Subject
    from trainer.nightly import lineage

    repo, sha256 = AdapterRepo(job.adapters), lineage.base_sha256(job)
    live = lineage.incumbent_of(job, repo.aliases(job.character).live, sha256)
    incumbent = repo.path(job.character, live) if live else None
    base_dir = ensure_base(job.base, job.cache, sha256, job.engine.context_tokens)
    return Subject(
        job.base, base_dir, job.open_vocab(), persona, incumbent, job.engine, lore=job.lore
    )


def main(
    character: Annotated[str, typer.Argument(help="Character id, such as mira.")],
    folder: Annotated[Path, typer.Argument(help="The adapter, as PEFT saves it.")],
    base: Annotated[Path, typer.Option()],
    characters: Annotated[Path, typer.Option()],
    store: Annotated[Path, typer.Option()],
    adapters: Annotated[Path, typer.Option()],
    heads: Annotated[Path, typer.Option()],
    cache: Annotated[Path, typer.Option()],
    runs: Annotated[Path, typer.Option()],
    chat_template: ChatTemplate = None,
    worlds: Annotated[Path | None, typer.Option()] = None,
    settings: Settings = "{}",
) -> None:
    """Judge an adapter that was made elsewhere; print the judgement as JSON."""
    tables = json.loads(settings)
    engine = recipe.read_engine(tables)
    places = (characters, store, adapters, heads, cache, runs)
    lore = recipe.read_lore(tables)
    job = Job(character, base, *places, engine, chat_template, worlds, lore)
    options = ProcessOptions(background=False, started_by=0, as_json=True, errors_as_json=True)

    def work(console: Console, interrupt: InterruptOnce) -> Report:
        return _judge(job, tables, folder, console, interrupt)

    carry_out(work, tables, options)


def _judge(
    job: Job, tables: dict[str, Any], folder: Path, console: Console, interrupt: InterruptOnce
) -> Report:
    with training_libraries():
        from trainer.heads import reward_head
    chosen = load_persona(job).training.settings()
    own = recipe.with_choices(tables, job.character, chosen)
    how = recipe.read(own, job.character, reward_head.Config, "")
    with bars(console, interrupt) as tell:
        found = judge_folder(job, how, folder, tell)
    console.print(gate_table(found.verdict))
    passed = found.verdict.passed
    return {
        "state": "passed" if passed else "rejected",
        "reason": found.judged_by if passed else "; ".join(found.verdict.reasons),
        "version": "",
        "judged_by": found.judged_by,
        "gate": [asdict(row) for row in found.verdict.rows],
        "snapshot_hash": found.snapshot_hash,
        "persona_version": found.persona_version,
    }


if __name__ == "__main__":
    run_process(main, "npc adapters add", "npc adapters add mira ./lora")
