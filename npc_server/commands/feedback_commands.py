"""The `npc feedback` commands: what an operator asks of the feedback store, and does to it.

All of them may be used while a server is serving from the same store.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO

import typer

from feedback_store.errors import BackupError, FeedbackStoreError
from feedback_store.export import Format, Line, Split, lessons, line
from feedback_store.privacy.pseudonyms import Pseudonyms, is_pseudonym, key_for, read_key
from feedback_store.publishing import publish, workplace
from npc_server.commands import adapters_trained_on, feedback_report
from npc_server.commands.command_line import (
    AsJson,
    ConfigFile,
    Exit,
    complaints,
    config_of,
    console,
    work_progress,
)
from npc_server.config import Config
from npc_server.errors import ConfigError
from npc_server.retention import drop_frozen

if TYPE_CHECKING:
    from feedback_store.records import Forgotten
    from feedback_store.store import Store

LOCK_WAIT_S = 30.0  # a serving process may hold the store for a while
LOG_WAIT_S = 2.0  # writers wait while the log is emptied
PORTION = 500  # turns deleted at once
LINES_A_REPORT = 500

app = typer.Typer(
    help="What players said and thought: figures, exports, backups, deletion.",
    no_args_is_help=True,
)

Character = Annotated[str | None, typer.Argument(help="Character id; all when left out.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


@app.command(epilog="Example:  npc feedback stats mira")
def stats(
    character: Character = None, as_json: AsJson = False, config_file: ConfigFile = None
) -> None:
    """Show what players did, what they think of each version, and what training makes of it."""
    config = config_of(config_file)
    with _opened(config) as store:
        names = [character] if character else store.characters()
        figures = [store.statistics(name) for name in names]
    prospects = feedback_report.prospects(config, names)
    if as_json:
        print(json.dumps(feedback_report.as_json(figures, prospects), indent=2))
        return
    for table in feedback_report.tables(figures, prospects, in_detail=character is not None):
        console.print(table)
        console.print()


@app.command(
    epilog="Example:  npc feedback export mira --format dpo --split train --out mira.jsonl"
)
def export(
    character: Character = None,
    form: Annotated[
        Format,
        typer.Option(
            "--format",
            help="jsonl: every event with its turn; dpo, kto, sft: rows as TRL reads them.",
        ),
    ] = Format.JSONL,
    split: Annotated[
        Split, typer.Option(help="Of dpo, kto and sft: the rows trained on, or those held out.")
    ] = Split.ALL,
    out: Annotated[Path | None, typer.Option(help="A file; standard output when left out.")] = None,
    config_file: ConfigFile = None,
) -> None:
    """Write feedback as lines of JSON. What is said without training consent stays in the store."""
    if form is Format.JSONL and split is not Split.ALL:
        raise ConfigError(f"--split {split} is of dpo, kto and sft; events are not split")
    config = config_of(config_file)
    with _opened(config) as store:
        names = [character] if character else store.characters()
        rows = (row for name in names for row in _rows(store, name, form, split))
        if out:
            _write_file(rows, out)
        else:
            _write_out(rows)


def _rows(store: Store, character: str, form: Format, split: Split) -> Iterator[Line]:
    if form is Format.JSONL:
        return store.reactions(character)
    from feedback_store.selection import select  # takes half a second to load

    snapshot = select(character, store.turns(character), store.events(character))
    return lessons(snapshot, form, split)


def _write_file(rows: Iterable[Line], out: Path) -> None:
    try:
        with workplace(out) as folder:
            with (folder / "export").open("w") as stream:
                count = _write_lines(rows, stream)
            publish(folder / "export", out)
    except FeedbackStoreError:
        raise
    except OSError as error:
        raise BackupError(f"{out} was not written ({error}); choose another folder") from error
    complaints.print(f"{count} lines in {out}", markup=False, highlight=False, soft_wrap=True)


def _write_lines(rows: Iterable[Line], stream: TextIO) -> int:
    count = 0
    with work_progress(complaints) as report:
        for count, row in enumerate(rows, 1):
            stream.write(line(row) + "\n")
            if count % LINES_A_REPORT == 0:
                report(f"{count} lines", 0, 0)
    return count


def _write_out(rows: Iterable[Line]) -> None:
    try:
        for row in rows:
            print(line(row))
        sys.stdout.flush()
    except BrokenPipeError:  # whoever read has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@app.command("backup", epilog="Example:  npc feedback backup backups/2026-03-01.db")
def back_up(
    file: Annotated[Path, typer.Argument(help="The file to write.")],
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
    config_file: ConfigFile = None,
) -> None:
    """Copy the store while it is in use, and check the copy."""
    from feedback_store import backup

    config = config_of(config_file)
    with work_progress() as report:
        backup.back_up(config.paths.store, file, replace=force, on_progress=report)
    _say(f"{config.paths.store} is backed up in {file}, checked and readable by you alone")


@app.command(epilog="Example:  npc feedback restore backups/2026-03-01.db")
def restore(
    file: Annotated[Path, typer.Argument(help="A backup.")],
    yes: Yes = False,
    config_file: ConfigFile = None,
) -> None:
    """Put a backup in the place of what is stored now, which is backed up first."""
    from feedback_store import backup

    config = config_of(config_file)
    _confirm(yes, f"Replace all feedback in {config.paths.store} by that of {file}?")
    with work_progress() as report:
        before = backup.restore(file, config.paths.store, report)
    with _opened(config) as store:  # an old release stored players' ids as sent
        _ensure_pseudonyms(config, store)
    _say(f"{file} is restored. A running server goes on with it")
    if before:
        _say(f"What was stored before is in {before}")


@app.command(epilog="Example:  npc feedback forget player-4711")
def forget(
    player: Annotated[str, typer.Argument(help="The game's id of the player, or a pseudonym.")],
    yes: Yes = False,
    as_json: AsJson = False,
    config_file: ConfigFile = None,
) -> None:
    """Delete everything a player said and did, and list the versions that learned from it."""
    config = config_of(config_file)
    _confirm(yes, f"Delete everything of player {player}, for good?")
    pseudonym = player if is_pseudonym(player) else _pseudonyms(config).of(player)
    with _opened(config) as store:
        if pseudonym != player:
            _ensure_pseudonyms(config, store)
        deleted = store.forget(pseudonym).result()
    emptied = _log_emptied(config)
    stopped = _drop_frozen(config, pseudonym)
    bases = adapters_trained_on.bases_found(config.paths.bases, pseudonym)
    taught = adapters_trained_on.found(config.paths.adapters, config.paths.heads, bases, pseudonym)
    if as_json:
        versions = [asdict(one) for one in taught]
        answer = {"player": pseudonym, "deleted": asdict(deleted), "log_emptied": emptied}
        names = [base.name for base in bases]
        told = {**answer, "runs": stopped, "versions": versions, "bases": names}
        print(json.dumps(told, indent=2))
        return
    _say(f"{pseudonym}: {_told(deleted)}")
    for run in stopped:
        _say(
            f"Unfinished training run {run} held rows of this player; they are removed, and it ends"
        )
    for advice in (*_log_advice(emptied), *adapters_trained_on.advice(taught, bases)):
        _say(advice)
    _say("Backups and exports made before still hold this player: delete or redo them")


def _drop_frozen(config: Config, pseudonym: str) -> list[str]:
    """Remove the rows that unfinished trainings kept, if any is of the player; which runs."""
    from feedback_store.frozen_snapshots import drop_player

    dropped = drop_player(config.paths.runs, pseudonym)
    return [file.parent.name for file in dropped]


def _told(deleted: Forgotten) -> str:
    if not deleted.sessions:
        return "nothing of this player is stored"
    return (
        f"{deleted.sessions} sessions, {deleted.turns} turns, {deleted.events} events and "
        f"{deleted.checkpoints} save games deleted"
    )


def _log_emptied(config: Config) -> bool:
    from feedback_store.forgetting import empty_log

    return empty_log(config.paths.store, LOG_WAIT_S)


def _log_advice(emptied: bool) -> list[str]:
    if emptied:
        return []
    return [
        "Somebody is reading the store, so the deleted text is still in its write-ahead log: run "
        "this again later, or let the server go on writing over it"
    ]


@app.command(epilog="Example:  npc feedback purge --dry-run")
def purge(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count.")] = False,
    as_json: AsJson = False,
    config_file: ConfigFile = None,
) -> None:
    """Delete now what is older than is to be kept; a running server does so every hour."""
    config = config_of(config_file)
    now = datetime.now(UTC)
    terms = {True: config.privacy.retention_days, False: config.privacy.serving_retention_days}
    with _opened(config) as store:
        turns = {
            consent: _purge(store, now - timedelta(days=days), consent, dry_run) if days else 0
            for consent, days in terms.items()
        }
        stopped = [] if dry_run else drop_frozen(store, config.paths.runs)
    emptied = dry_run or _log_emptied(config)
    if as_json:
        answer = {"with_consent": turns[True], "without_consent": turns[False], "runs": stopped}
        print(json.dumps({**answer, "deleted": not dry_run, "log_emptied": emptied}))
        return
    for consent, days in terms.items():
        kind = "with" if consent else "without"
        what = f"older than {days} days {'to delete' if dry_run else 'deleted'}"
        _say(f"{turns[consent]} turns {kind} consent {what if days else 'deleted: kept for good'}")
    for run in stopped:
        _say(f"Unfinished training run {run} held some of them; its rows are removed, and it ends")
    for advice in _log_advice(emptied):
        _say(advice)


def _purge(store: Store, moment: datetime, consent: bool, dry_run: bool) -> int:
    if dry_run:
        return store.count_older(moment, consent)
    deleted = 0
    while portion := store.delete_older(moment, consent, PORTION).result():
        deleted += portion
    return deleted


@app.command(epilog="Example:  npc feedback path")
def path(config_file: ConfigFile = None) -> None:
    """Print where the store's file is, or will be."""
    print(config_of(config_file).paths.store)


@contextmanager
def _opened(config: Config) -> Iterator[Store]:
    """The store that is there; a command never makes one."""
    from feedback_store.store import Store

    file = config.paths.store
    if not file.is_file():
        _say(f"no feedback store at {file}; serve first, and let people play", complain=True)
        raise typer.Exit(Exit.MISSING)
    with Store.open(file, LOCK_WAIT_S, search_damage=False) as store:
        yield store


def _pseudonyms(config: Config) -> Pseudonyms:
    return Pseudonyms(read_key(config.paths.player_key))


def _ensure_pseudonyms(config: Config, store: Store) -> None:
    of = Pseudonyms(key_for(config.paths.player_key, store.latest_player())).of
    store.ensure_pseudonyms(is_pseudonym, of).result()


def _confirm(yes: bool, question: str) -> None:
    if not yes:
        typer.confirm(question, abort=True, err=True)


def _say(text: str, complain: bool = False) -> None:
    shown_on = complaints if complain else console
    shown_on.print(text, markup=False, highlight=False, soft_wrap=True)
