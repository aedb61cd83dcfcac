"""The process that makes a new base: `npc model train` starts it.

    python -m trainer.own_base.worker town --base model.gguf --store feedback.db --bases bases/ ...

Exit codes are in `trainer.terminal`.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from trainer.recipes import recipe
from trainer.records.run_tables import gate_table
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
    from trainer.own_base.making import BaseJob, BaseResult


def main(
    name: Annotated[str, typer.Argument(help="Name of the new base, such as town.")],
    base: Annotated[Path, typer.Option(help="The GGUF it is trained from.")],
    characters: Annotated[Path, typer.Option()],
    store: Annotated[Path, typer.Option()],
    bases: Annotated[Path, typer.Option()],
    cache: Annotated[Path, typer.Option()],
    chat_template: ChatTemplate = None,
    worlds: Annotated[Path | None, typer.Option()] = None,
    settings: Settings = "{}",
    full: Annotated[bool, typer.Option("--full", help="Train all weights.")] = False,
    background: Background = False,
    started_by: StartedBy = 0,
    as_json: AsJson = False,
) -> None:
    """Train a new base on what players taught all characters together."""
    tables: dict[str, Any] = json.loads(settings)

    def work(console: Console, interrupt: InterruptOnce) -> Report:
        with training_libraries():
            from trainer.own_base.making import BaseJob
        engine = recipe.read_engine(tables)
        places = (characters, store, bases, cache)
        job = BaseJob(name, base, *places, engine, chat_template, worlds)
        return _make(job, tables, full, console, interrupt)

    carry_out(work, tables, ProcessOptions(background, started_by, as_json, errors_as_json=as_json))


def _make(
    job: BaseJob, tables: dict[str, Any], full: bool, console: Console, interrupt: InterruptOnce
) -> Report:
    from trainer.own_base import base_recipe, making

    recipe = base_recipe.read(tables, full)
    with bars(console, interrupt) as tell:
        result = making.run(job, recipe, tell)
    if result.verdict is not None:
        console.print(gate_table(result.verdict))
    return _report(job.name, result)


def _report(name: str, result: BaseResult) -> Report:
    report: dict[str, Any] = {
        "base": name,
        "state": result.state.value,
        "reason": result.reason,
        "gguf": str(result.gguf or ""),
    }
    if result.trained is not None:
        report |= {"steps": result.trained.steps, "train_s": round(result.trained.train_s, 1)}
    if result.verdict is not None:
        report["gate"] = [asdict(row) for row in result.verdict.rows]
    return report


if __name__ == "__main__":
    run_process(main, "npc model train", "npc model train town")
