"""Shows training runs in the terminal: `npc runs` starts it.

    python -m trainer.records.run_tables list --runs=runs/
    python -m trainer.records.run_tables show 7 --runs=runs/

A run whose record is partly unreadable, e.g. of another release, is listed with what can be read.
Exit codes: 0 shown, 2 there is no such run or character.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from pydantic import TypeAdapter
from rich import box
from rich.console import Console
from rich.table import Column, Table

from personas.known_names import no_such
from trainer.errors import UnknownRunError
from trainer.gate import Verdict
from trainer.records import runs
from trainer.records.charts import sparkline
from trainer.records.entries import Ending, Published, Terms, Trained, TrainedHead
from trainer.records.runs import Run

USAGE = 2
UNFINISHED, UNREADABLE = "unfinished", "unreadable"  # states of runs without a readable ending

Root = Annotated[Path, typer.Option("--runs", help="Folder of the records.")]
AsJson = Annotated[bool, typer.Option("--json")]

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
console = Console()


@app.command("list")
def list_runs(
    root: Root,
    character: str = "",
    known: Annotated[list[str] | None, typer.Option(help="Characters without a run.")] = None,
    as_json: AsJson = False,
) -> None:
    """All runs, oldest first."""
    every = runs.every(root)
    names = {run.character for run in every} | set(known or ())
    if character and character not in names:
        _refuse(no_such("character", character, names))
    rows = [summary(run) for run in every if character in ("", run.character)]
    if as_json:
        print(json.dumps(rows, indent=2))
        return
    columns = ("run", "character", "state", "method", "rows", "preference", "when", "seconds")
    table = Table(*(Column(name, no_wrap=name == "state") for name in columns), box=box.SIMPLE)
    for row in rows:
        table.add_row(*(_cell(row[name]) for name in columns))
    console.print(table)


@app.command()
def show(number: int, root: Root, as_json: AsJson = False) -> None:
    """One run."""
    try:
        run = runs.by_number(root, number)
    except UnknownRunError as error:
        _refuse(str(error))
    if as_json:
        print(json.dumps(details(run), indent=2))
    else:
        _print(run)


def _refuse(why: str) -> NoReturn:
    Console(stderr=True).print(why, markup=False, highlight=False, soft_wrap=True)
    raise typer.Exit(USAGE)


def summary(run: Run) -> dict[str, Any]:
    """One line of the list."""
    terms, ending = run.legible(Terms), run.legible(Ending)
    trained, verdict = run.legible(Trained), run.legible(Verdict)
    return {
        "run": run.number,
        "character": run.character,
        "state": _state(run, ending),
        "method": terms.method if terms else None,
        "rows": trained.result.rows if trained else None,
        "preference": _preference(verdict),
        "when": terms.started_at[:16].replace("T", " ") if terms else None,  # UTC
        "seconds": round(sum(ending.seconds.values())) if ending else None,
        "version": ending.version if ending else None,
        "reasons": list(ending.reasons) if ending else [],
    }


def details(run: Run) -> dict[str, Any]:
    """All entries of a run's folder, as JSON."""
    kinds = {
        "job": Terms,
        "reward_head": TrainedHead,
        "verdict": Verdict,
        "published": Published,
        "ending": Ending,
    }
    found = {name: run.legible(kind) for name, kind in kinds.items()}
    parts = {
        name: TypeAdapter(kinds[name]).dump_python(part, mode="json") if part else None
        for name, part in found.items()
    }
    report = str(run.report) if run.report.exists() else None
    trained = run.legible(Trained)
    held = trained.held if trained else ""
    return {**summary(run), **parts, "held": held, "distance": _distance(run), "report": report}


def _print(run: Run) -> None:
    terms, ending, verdict = run.legible(Terms), run.legible(Ending), run.legible(Verdict)
    line = summary(run)
    say(f"run {run.number} of {run.character}: {line['state']} {line['version'] or ''}")
    for reason in line["reasons"]:
        say(f"  {reason}")
    if terms is not None:
        _print_terms(terms)
    trained = run.legible(Trained)
    if trained and trained.held:
        say(f"trained on {trained.held}")
    if trained and trained.nearness:
        say(f"distance: {trained.nearness.text}")
    if ending is not None and ending.curves:
        _print_curves(ending)
    head = run.legible(TrainedHead)
    if head is not None:
        say(f"reward head: {_head_text(head)}")
    if verdict is not None:
        console.print(gate_table(verdict))
    if ending is not None and ending.error:
        say(ending.error)
    if run.report.exists():
        say(f"report: {run.report}")


def _print_terms(terms: Terms) -> None:
    say(f"begun {terms.started_at}: {terms.reason}")
    say(f"{terms.method}, from {terms.parent or 'the bare base'}, persona {terms.persona_version}")
    say(f"rows: {counts_text(terms.counts)}")
    if terms.dropped:
        say(f"left out: {counts_text(terms.dropped)}")
    say(f"settings: {json.dumps(terms.config)}")


def _head_text(head: TrainedHead) -> str:
    card = head.card
    if card is None:
        return f"none: {head.why_not}"
    return f"agrees with {card.held_out_accuracy:.0%} of {card.held_out_rows} held-out pairs"


def _print_curves(ending: Ending) -> None:
    table = Table("curve", "first", "last", "", title="Training")
    for name, values in ending.curves.items():
        known = [value for value in values if value is not None]
        if name != "step" and known:
            table.add_row(name, _cell(known[0]), _cell(known[-1]), sparkline(values))
    console.print(table)


def gate_table(verdict: Verdict) -> Table:
    """The verdict as a table for the terminal."""
    table = Table("gate", "incumbent", "candidate", "rule", "", title="Gate")
    for row in verdict.rows:
        mark = "[green]pass[/green]" if row.passed else "[red]FAIL[/red]"
        rule = f"{row.rule} ({row.note})" if row.note else row.rule
        table.add_row(row.name, _cell(row.incumbent), _cell(row.candidate), rule, mark)
    return table


def say(text: str) -> None:
    """Print plain text, unwrapped."""
    console.print(text, markup=False, highlight=False, soft_wrap=True)


def _state(run: Run, ending: Ending | None) -> str:
    if ending is not None:
        return ending.state.value
    return UNREADABLE if runs.has_ended(run) else UNFINISHED


def _distance(run: Run) -> dict[str, Any] | None:
    trained = run.legible(Trained)
    return asdict(trained.nearness) if trained and trained.nearness else None


def _preference(verdict: Verdict | None) -> float | None:
    rows = verdict.rows if verdict else ()
    return next((row.candidate for row in rows if row.name == "preference"), None)


def counts_text(counts: dict[str, int]) -> str:
    """Counts by name in one line, without those that are zero."""
    return ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in counts.items() if count)


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.3g}"
    return "-" if value is None else str(value)


if __name__ == "__main__":
    app(prog_name="npc runs")
