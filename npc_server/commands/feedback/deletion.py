"""`npc feedback forget` and `npc feedback purge`: deleting players, and what is too old.

Deleted text also lies in the write-ahead log, and rows in the snapshots of unfinished trainings,
so both are emptied of it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from feedback_store.audit import Action
from feedback_store.records import DEFAULT_GAME
from npc_server.commands.auditing import write_down
from npc_server.commands.command_line import (
    AsJson,
    ConfigFile,
    Yes,
    config_of,
    confirm,
    plural,
    say,
)
from npc_server.commands.feedback import learned_from
from npc_server.commands.feedback.store_access import Game, open_store, pseudonym_of
from npc_server.config import Config

if TYPE_CHECKING:
    from feedback_store.records import Forgotten
    from feedback_store.store import Store
    from npc_server.commands.feedback.learned_from import TaughtVersion
    from personas.base_repo import BaseManifest

LOCK_WAIT_S = 10.0  # for a server that is writing
PORTION = 500  # turns deleted at once


def forget(
    player: Annotated[str, typer.Argument(help="The game's id of the player, or a pseudonym.")],
    game: Game = DEFAULT_GAME,
    yes: Yes = False,
    as_json: AsJson = False,
    config_file: ConfigFile = None,
) -> None:
    """Delete everything a player said and did, and list the versions that learned from it."""
    config = config_of(config_file)
    confirm(yes, f"Delete everything of player {player}, for good?")
    done = _forget(config, player, game)
    if as_json:
        print(json.dumps({**asdict(done), "bases": [base.name for base in done.bases]}, indent=2))
        return
    say(f"{done.player}: {_summary(done.deleted)}")
    _say_dropped(done.runs, "rows of this player; they")
    for advice in _log_advice(done.log_emptied):
        say(advice)
    for advice in learned_from.advice(done.versions, done.bases):
        say(advice)
    say("Backups and exports made before still hold this player: delete or redo them")


@dataclass(frozen=True)
class _Forgetting:
    """What is gone, and what still holds the player."""

    player: str  # the pseudonym
    deleted: Forgotten
    log_emptied: bool
    runs: Sequence[str]  # which ended for want of the player's rows
    versions: Sequence[TaughtVersion]
    bases: Sequence[BaseManifest]


def _forget(config: Config, player: str, game: str) -> _Forgetting:
    """Delete a player, by the game's id or by pseudonym."""
    with open_store(config) as store:
        pseudonym = pseudonym_of(config, store, player, game)
        deleted = store.forget(pseudonym).result()
    write_down(config, Action.FORGOTTEN, game=game, player=pseudonym)
    emptied, runs = _clear_remains(config), _drop_frozen_of(config, pseudonym)
    paths = config.paths
    bases = learned_from.find_bases(paths.bases, pseudonym)
    versions = learned_from.find_versions(paths.adapters, paths.heads, bases, pseudonym)
    return _Forgetting(pseudonym, deleted, emptied, runs, versions, bases)


def _drop_frozen_of(config: Config, pseudonym: str) -> list[str]:
    """Remove the rows that unfinished trainings kept, if any is of the player; which runs."""
    from feedback_store.frozen_snapshots import drop_player

    dropped = drop_player(config.paths.runs, pseudonym)
    return [file.parent.name for file in dropped]


def _summary(deleted: Forgotten) -> str:
    if not (deleted.sessions or deleted.checkpoints):
        return "nothing of this player is stored"
    counts = (
        plural(deleted.sessions, "session"),
        plural(deleted.turns, "turn"),
        plural(deleted.events, "event"),
    )
    saves, memories = plural(deleted.checkpoints, "save game"), _memories(deleted.memories)
    return f"{', '.join((*counts, saves))} and {memories} deleted"


def _memories(number: int) -> str:
    return "1 memory" if number == 1 else f"{number} memories"


def _say_dropped(runs: Sequence[str], rows: str) -> None:
    for run in runs:
        say(f"Unfinished training run {run} held {rows} are removed, and it ends")


def _clear_remains(config: Config) -> bool:
    from feedback_store.forgetting import clear_remains

    return clear_remains(config.paths.store, LOCK_WAIT_S)


def _log_advice(emptied: bool) -> list[str]:
    if emptied:
        return []
    return [
        "Somebody is reading the store, so the deleted text is still in its write-ahead log: run "
        "this again later, or let the server go on writing over it"
    ]


def purge(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count, and delete nothing.")] = False,
    as_json: AsJson = False,
    config_file: ConfigFile = None,
) -> None:
    """Delete now what is older than configured; a running server does so every hour."""
    from npc_server.retention import drop_frozen

    config = config_of(config_file)
    now = datetime.now(UTC)
    limits = {True: config.privacy.retention_days, False: config.privacy.serving_retention_days}
    with open_store(config) as store:
        turns = {
            consent: _purge(store, now - timedelta(days=days), consent, dry_run) if days else 0
            for consent, days in limits.items()
        }
        runs = [] if dry_run else drop_frozen(store, config.paths.runs)
    emptied = dry_run or _clear_remains(config)
    if as_json:
        answer = {"with_consent": turns[True], "without_consent": turns[False], "runs": runs}
        print(json.dumps({**answer, "deleted": not dry_run, "log_emptied": emptied}))
        return
    for consent, days in limits.items():
        say(_purge_line(turns[consent], consent, days, dry_run))
    _say_dropped(runs, "some of them; its rows")
    for advice in _log_advice(emptied):
        say(advice)


def _purge(store: Store, moment: datetime, consent: bool, dry_run: bool) -> int:
    if dry_run:
        return store.count_older(moment, consent)
    deleted = 0
    while portion := store.delete_older(moment, consent, PORTION).result():
        deleted += portion
    return deleted


def _purge_line(turns: int, consent: bool, days: int, dry_run: bool) -> str:
    what = f"{plural(turns, 'turn')} {'with' if consent else 'without'} consent"
    if not days:
        return f"{what} deleted: kept for good"
    return f"{what} older than {plural(days, 'day')} {'to delete' if dry_run else 'deleted'}"
