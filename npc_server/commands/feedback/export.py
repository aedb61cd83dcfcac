"""`npc feedback export`: feedback as lines of JSON, in a file or on standard output."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO

import typer

from feedback_store.audit import Action
from feedback_store.errors import BackupError, FeedbackStoreError
from feedback_store.export import Format, Line, Split, lessons, line
from feedback_store.publishing import publish, workplace
from feedback_store.records import DEFAULT_GAME
from npc_server.commands.auditing import write_down
from npc_server.commands.command_line import (
    ConfigFile,
    complain,
    complaints,
    config_of,
    plural,
    work_progress,
)
from npc_server.commands.completion import AnyCharacter
from npc_server.commands.feedback.store_access import (
    Game,
    characters_asked_for,
    open_store,
    pseudonym_of,
)
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
            help="jsonl: every event with its turn; dpo, kto, sft: rows as TRL reads them; with"
            " --player: jsonl, a session or a save of a scene per line, or json, one document.",
        ),
    ] = Format.JSONL,
    split: Annotated[
        Split,
        typer.Option(help="Which rows of dpo, kto and sft: those trained on, or those held out."),
    ] = Split.ALL,
    out: Annotated[
        Path | None, typer.Option(help="Write to this file; standard output when left out.")
    ] = None,
    player: Annotated[
        str,
        typer.Option(
            help="All that is kept of one player, by the game's id or by pseudonym: sessions,"
            " lines, replies, feedback and save games with their times, those of scenes too."
        ),
    ] = "",
    game: Game = DEFAULT_GAME,
    config_file: ConfigFile = None,
) -> None:
    """Write feedback as lines of JSON. What is said without training consent stays in the store.

    With --player, what one person said is written whether or not they let it be trained on.
    """
    _check(form, split, player)
    config = config_of(config_file)
    with open_store(config) as store:
        names = characters_asked_for(config, store, character)
        if player:
            of_player = pseudonym_of(config, store, player, game)
            lines = _lines_of_person(store, of_player, character or "", form, player)
        else:
            of_player = ""
            lines = (line(row) for name in names for row in _rows(store, name, form, split))
        about = {"player": of_player} if player else {"characters": " ".join(names)}
        write_down(config, Action.EXPORTED, format=form.value, **about)
        if out:
            _write_file(lines, out)
        else:
            _write_to_stdout(lines)


def _check(form: Format, split: Split, player: str) -> None:
    """Raise ConfigError for options that contradict each other."""
    if form in (Format.JSONL, Format.JSON) and split is not Split.ALL:
        raise ConfigError(f"--split {split} is for dpo, kto and sft; events are not split")
    if player and form not in (Format.JSONL, Format.JSON):
        raise ConfigError(f"--player is written as jsonl or json; leave --format {form} out")
    if form is Format.JSON and not player:
        raise ConfigError("--format json is of one player: name them with --player")


def _lines_of_person(
    store: Store, pseudonym: str, character: str, form: Format, asked: str
) -> Iterator[str]:
    """The lines to write. Raises ConfigError when nothing is kept of the player."""
    sessions = list(store.person(pseudonym, character))
    scenes = list(store.scene_words(pseudonym, character))
    if not (sessions or scenes):
        raise ConfigError(
            f"nothing is stored of player {asked!r}{f' with {character}' if character else ''};"
            " ask by the id that the game sent, or by the pseudonym (p1-…)"
        )
    if form is Format.JSON:
        kept = {"player_id": pseudonym, "sessions": sessions, "scene_saves": scenes}
        return iter([json.dumps(kept, indent=2)])
    return (line(row) for row in (*sessions, *scenes))


def _rows(store: Store, character: str, form: Format, split: Split) -> Iterator[Line]:
    if form is Format.JSONL:
        return store.reactions(character)
    from feedback_store.selection import select  # takes half a second to load

    snapshot = select(character, store.turns(character), store.events(character))
    return lessons(snapshot, form, split)


def _write_file(lines: Iterable[str], out: Path) -> None:
    try:
        with workplace(out) as folder:
            with (folder / "export").open("w", encoding="utf-8") as stream:
                count = _write_lines(lines, stream)
            publish(folder / "export", out)
    except FeedbackStoreError:
        raise
    except OSError as error:
        raise BackupError(f"{out} was not written ({error}); choose another folder") from error
    complain(f"{plural(count, 'line')} in {out}")


def _write_lines(lines: Iterable[str], stream: TextIO) -> int:
    count = 0
    with work_progress(complaints) as report:
        for count, written in enumerate(lines, 1):
            stream.write(written + "\n")
            if count % LINES_PER_REPORT == 0:
                report(f"{count} lines", 0, 0)
    return count


def _write_to_stdout(lines: Iterable[str]) -> None:
    try:
        for written in lines:
            print(written)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
