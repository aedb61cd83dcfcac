"""The trainer's process and command line: `npc train` starts it.

    python -m trainer.worker mira --base model.gguf --store feedback.db --adapters adapters/ ...

Exit code 0: published or promoted; with --readiness: ready. The others are in `trainer.terminal`.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from feedback_store.selection import Snapshot
from trainer.nightly.job import Job, load_persona, read_readiness
from trainer.recipes import recipe
from trainer.records.run_tables import counts_text, gate_table
from trainer.rows import readiness
from trainer.terminal import (
    AsJson,
    Background,
    ChatTemplate,
    InterruptOnce,
    ProcessOptions,
    Report,
    Settings,
    StartedBy,
    bars,
    carry_out,
    run_process,
    training_libraries,
)

if TYPE_CHECKING:
    from trainer.nightly.retrain import NightResult


@dataclass(frozen=True)
class Order:
    """What the trainer was started to do."""

    job: Job
    settings: dict[str, Any]  # the tables of npc.toml, unchecked
    method: str  # "" = as the settings say
    promote: bool


def main(
    character: Annotated[str, typer.Argument(help="Character id, such as mira.")],
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
    method: Annotated[str, typer.Option(help="Overrides the settings.")] = "",
    promote: Annotated[
        bool, typer.Option(help="Make the version live once it is published.")
    ] = True,
    background: Background = False,
    started_by: StartedBy = 0,
    readiness: Annotated[
        bool, typer.Option("--readiness", help="Only report whether there is enough feedback.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Retrain one character from its players' feedback, behind a gate."""
    tables = json.loads(settings)
    engine = recipe.read_engine(tables)
    places = (characters, store, adapters, heads, cache, runs)
    lore = recipe.read_lore(tables)
    job = Job(character, base, *places, engine, chat_template, worlds, lore)
    order = Order(job, tables, method, promote)
    options = ProcessOptions(
        background, started_by, as_json, errors_as_json=as_json and not readiness
    )

    def work(console: Console, interrupt: InterruptOnce) -> Report:
        asked = _with_designers_choices(order)
        return _report_readiness(asked) if readiness else _retrain(asked, console, interrupt)

    carry_out(work, order.settings, options)


def _with_designers_choices(order: Order) -> Order:
    job = order.job
    chosen = load_persona(job).training.settings()
    return replace(order, settings=recipe.with_choices(order.settings, job.character, chosen))


def _report_readiness(order: Order) -> dict[str, Any]:
    snapshot, decision = _read_readiness(order)
    missing = decision.missing if isinstance(decision, readiness.Wait) else ()
    return {
        "state": "ready" if isinstance(decision, readiness.Plan) else "waiting",
        "reason": decision.reason,
        "missing": [asdict(shortage) for shortage in missing],
        **snapshot.row_counts,
        "dropped": dict(snapshot.dropped),
        "discounted_players": snapshot.discounted_players,
        "discounted_rows": snapshot.discounted_rows,
    }


def _read_readiness(order: Order) -> tuple[Snapshot, readiness.Plan | readiness.Wait]:
    thresholds = recipe.read_night(order.settings).policy
    method = (
        recipe.require_method(order.settings, order.method)
        if order.method
        else recipe.written_method(order.settings, order.job.character)
    )
    return read_readiness(order.job, thresholds, method)


def _retrain(order: Order, console: Console, interrupt: InterruptOnce) -> dict[str, Any]:
    with console.status("loading the training libraries"):
        retrain, reward_head = _load_libraries()
    how = recipe.read(order.settings, order.job.character, reward_head.Config, order.method)
    _show_readiness(order, console)
    with bars(console, interrupt) as tell:
        result = retrain.run(order.job, how, order.promote, tell)
    if result.verdict is not None:
        console.print(gate_table(result.verdict))
    return _report(order.job.character, result)


def _report(character: str, result: NightResult) -> dict[str, Any]:
    report: dict[str, Any] = {
        "character": character,
        "state": result.state.value,
        "reason": result.reason,
        "version": result.version,
    }
    if result.run is not None:
        report |= {"run": result.run.number, "report": str(result.run.report)}
    if result.trained is not None:
        report |= {"steps": result.trained.steps, "train_s": round(result.trained.train_s, 1)}
    if result.verdict is not None:
        report["gate"] = [asdict(row) for row in result.verdict.rows]
    return report


def _load_libraries() -> tuple[ModuleType, ModuleType]:
    """The modules that load the model libraries: that takes seconds, so --help goes without."""
    with training_libraries():
        from trainer.heads import reward_head
        from trainer.nightly import retrain
    return retrain, reward_head


def _show_readiness(order: Order, console: Console) -> None:
    snapshot, _ = _read_readiness(order)
    console.print(
        f"{order.job.character}: training pairs {len(snapshot.train_pairs)}, "
        f"held-out pairs {len(snapshot.held_out_pairs)}, players {len(snapshot.players)}; "
        f"snapshot {snapshot.hash[:12]}",
        highlight=False,
    )
    if snapshot.dropped:
        dropped = counts_text(dict(sorted(snapshot.dropped.items())))
        console.print(f"left out: {dropped}", style="dim", highlight=False)


if __name__ == "__main__":
    run_process(main, "npc train", "npc train mira --no-promote")
