"""What `npc feedback stats` shows: the store's figures, and what training would make of them.

Selecting rows is the trainer's work, so its process is asked, one per character, side by side.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

from rich import box
from rich.table import Column, Table

from npc_server.commands.training.trainer_process import trainer_command, trainer_flags

if TYPE_CHECKING:
    from feedback_store.statistics import Statistics, VersionFigures
    from npc_server.config import Config

TEXTS = ("character", "version", "training")  # columns; the others are numbers
KINDS = ("thumb", "choice", "edit", "rating", "outcome", "signal")
VERSIONS_IN_OVERVIEW = 3  # of a character, the newest

#: What the rules against floods and single voices dropped, as the selection names it.
ABUSE = {
    "flood": "floods",
    "near_duplicate": "near-\nduplicates",
    "player_share": "over a\nplayer's share",
}


@dataclass(frozen=True)
class Prospect:
    """What training would make of a character's feedback."""

    state: str  # "ready", "waiting", or "unknown" when the trainer could not tell
    reason: str
    rows: Mapping[str, int]  # by side and kind
    missing: Sequence[Mapping[str, Any]]  # what, have, need
    dropped: Mapping[str, int]  # rows by reason
    discounted_players: Sequence[str]  # whose votes contradict all others'
    discounted_rows: int  # of theirs


def ask_trainer(config: Config, characters: Sequence[str]) -> dict[str, Prospect]:
    """Ask the trainer about each character; it loads no model for that."""
    flags = trainer_flags(config, config.model.base)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        answers = pool.map(lambda name: _ask(name, flags), characters)
        return dict(zip(characters, answers, strict=True))


def _ask(character: str, flags: Sequence[str]) -> Prospect:
    line = trainer_command("trainer.worker", character, "--readiness", "--json", *flags)
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    try:
        answer = json.loads(done.stdout)
    except ValueError:
        last = done.stderr.strip().splitlines()[-1:] or ["the trainer said nothing"]
        return Prospect("unknown", last[0], {}, (), {}, (), 0)
    own = answer.keys() & {field.name for field in fields(Prospect)}
    rows = {name: count for name, count in answer.items() if name not in own}  # by side and kind
    return Prospect(**{name: answer[name] for name in own}, rows=rows)


def as_json(
    figures: Sequence[Statistics], prospects: Mapping[str, Prospect]
) -> dict[str, dict[str, Any]]:
    """Everything, by character."""
    return {
        one.character: {**asdict(one), "training": asdict(prospects[one.character])}
        for one in figures
    }


def tables(
    figures: Sequence[Statistics], prospects: Mapping[str, Prospect], in_detail: bool
) -> list[Table]:
    """An overview of the cast in four tables; in detail, one more per character."""
    overview = [
        _characters(figures, prospects),
        _events(figures),
        _versions(figures, in_detail),
        _abuse(figures, prospects),
    ]
    if not in_detail:
        return overview
    return [*overview, *(_details(one, prospects[one.character]) for one in figures)]


def _characters(figures: Sequence[Statistics], prospects: Mapping[str, Prospect]) -> Table:
    special = ("with\nconsent", "rolled\nback", "unfinished")
    table = _table("character", "sessions", "players", "turns", *special, "training")
    for one in figures:
        turns = one.turns
        counts = (turns.all, turns.with_consent, turns.rolled_back, turns.unfinished)
        numbers = map(str, (one.sessions, one.players, *counts))
        table.add_row(one.character, *numbers, prospects[one.character].state)
    return table


def _events(figures: Sequence[Statistics]) -> Table:
    table = _table("character", *(f"{kind}s" for kind in KINDS), "derived", "undone")
    for one in figures:
        explicit = {events.kind: events.explicit for events in one.events}
        derived = sum(events.derived for events in one.events)
        undone = sum(events.undone for events in one.events)
        counts = (*(explicit.get(kind, 0) for kind in KINDS), derived, undone)
        table.add_row(one.character, *map(str, counts))
    return table


def _versions(figures: Sequence[Statistics], in_detail: bool) -> Table:
    rates = ("edits\n/100", "retakes\n/100", "stars")
    table = _table("character", "version", "turns", "up/down", "liked (95 %)", *rates)
    for one in figures:
        for version in one.versions if in_detail else one.versions[-VERSIONS_IN_OVERVIEW:]:
            table.add_row(one.character, *_version_row(version))
    return table


def _version_row(one: VersionFigures) -> tuple[str, ...]:
    return (
        one.version or "base",
        str(one.turns),
        f"{one.likes}/{one.dislikes}",
        _share(one),
        f"{one.edits_per_100:.1f}",
        f"{one.regenerations_per_100:.1f}",
        "-" if one.stars is None else f"{one.stars:.1f}",
    )


def _share(one: VersionFigures) -> str:
    if one.liked is None or one.liked_interval is None:
        return "-"
    low, high = one.liked_interval.low, one.liked_interval.high
    return f"{one.liked:.0%} ({low:.0%}-{high:.0%})"


def _abuse(figures: Sequence[Statistics], prospects: Mapping[str, Prospect]) -> Table:
    refused = ("refused in\n7 days", "refused in\n30 days")
    table = _table("character", *refused, *ABUSE.values(), "discounted\nvoters (rows)")
    for one in figures:
        training = prospects[one.character]
        table.add_row(
            one.character,
            str(sum(one.refused_7_days.values())),
            str(sum(one.refused_30_days.values())),
            *(str(training.dropped.get(reason, 0)) for reason in ABUSE),
            f"{len(training.discounted_players)} ({training.discounted_rows})",
        )
    return table


def _details(one: Statistics, training: Prospect) -> Table:
    table = Table.grid(Column(no_wrap=True), Column(), padding=(0, 2))
    for events in one.events:
        if events.details:
            reasons = one.reasons if events.kind == "thumb" else {}
            table.add_row(f"{events.kind}s", _list_counts({**events.details, **reasons}))
    rows = {name: count for name, count in training.rows.items() if count}
    table.add_row("training rows", _list_counts(rows) or "none")
    table.add_row("dropped rows", _list_counts(training.dropped) or "none")
    if training.discounted_players:
        table.add_row("discounted voters", ", ".join(training.discounted_players))
    table.add_row("training", f"{training.state}: {training.reason}")
    return table


def _table(*headers: str) -> Table:
    columns = (Column(header, justify="left" if header in TEXTS else "right") for header in headers)
    return Table(*columns, box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)


def _list_counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name.replace('_', ' ')}: {count}" for name, count in counts.items())
