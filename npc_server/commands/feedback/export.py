"""`npc feedback export`: feedback as lines of JSON, in a file or on standard output."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO

import typer

from feedback_store.errors import BackupError, FeedbackStoreError
from feedback_store.export import Format, Line, Split, lessons, line
from feedback_store.publishing import publish, workplace
from npc_server.commands.command_line import (
    ConfigFile,
    complain,
    complaints,
    config_of,
    plural,
    work_progress,
)
from npc_server.commands.completion import AnyCharacter
from npc_server.commands.feedback.store_access import open_store
from npc_server.errors import ConfigError

if TYPE_CHECKING:
    from feedback_store.store import Store

LINES_PER_REPORT = 500


def export(
    character: AnyCharacter = None,
    form: Annotated[
        Format,
        typer.Option(
            "--format",
            help="jsonl: every event with its turn; dpo, kto, sft: rows as TRL reads them.",
        ),
    ] = Format.JSONL,
    split: Annotated[
        Split,
        typer.Option(help="Which rows of dpo, kto and sft: those trained on, or those held out."),
    ] = Split.ALL,
    out: Annotated[
        Path | None, typer.Option(help="Write to this file; standard output when left out.")
    ] = None,
    config_file: ConfigFile = None,
) -> None:
    """Write feedback as lines of JSON. What is said without training consent stays in the store."""
    if form is Format.JSONL and split is not Split.ALL:
        raise ConfigError(f"--split {split} is for dpo, kto and sft; events are not split")
    config = config_of(config_file)
    with open_store(config) as store:
        names = [character] if character else store.characters()
        rows = (row for name in names for row in _rows(store, name, form, split))
        if out:
            _write_file(rows, out)
        else:
            _write_to_stdout(rows)


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
    complain(f"{plural(count, 'line')} in {out}")


def _write_lines(rows: Iterable[Line], stream: TextIO) -> int:
    count = 0
    with work_progress(complaints) as report:
        for count, row in enumerate(rows, 1):
            stream.write(line(row) + "\n")
            if count % LINES_PER_REPORT == 0:
                report(f"{count} lines", 0, 0)
    return count


def _write_to_stdout(rows: Iterable[Line]) -> None:
    try:
        for row in rows:
            print(line(row))
        sys.stdout.flush()
    except BrokenPipeError:  # the reader has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
