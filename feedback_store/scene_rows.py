"""Save games of scenes as table rows and back: pure."""

import json
from dataclasses import asdict
from datetime import datetime
from typing import Any

from feedback_store.records import DEFAULT_GAME
from feedback_store.rows import SqlRow, canonical, lived_fields, lived_of, time_text
from feedback_store.scene_records import (
    SavedExchange,
    SavedLine,
    SavedMember,
    SavedPlayer,
    SceneSave,
)

_PLAIN = ("place", "consent", "credited")  # of a save, which JSON takes as they are


def scene_save_row(save: SceneSave) -> SqlRow:
    """Raises ValueError or TypeError for a value that cannot be stored."""
    return {
        "token": save.token,
        "scene_id": save.scene_id,
        "created_at": time_text(save.created_at),
        "players": canonical(list(save.ever)),
        "turn_ids": canonical(save.turn_ids),
        "state": canonical(_state(save)),
    }


def scene_save_of(row: SqlRow) -> SceneSave:
    """The save that `scene_save_row` wrote."""
    state = json.loads(row["state"])
    return SceneSave(
        token=row["token"],
        scene_id=row["scene_id"],
        created_at=datetime.fromisoformat(row["created_at"]),
        players=tuple(SavedPlayer(**player) for player in state["players"]),
        members=tuple(_member_of(member) for member in state["members"]),
        lines=tuple(_line_of(line) for line in state["lines"]),
        ever=tuple(json.loads(row["players"])),
        world=state["world"],
        calls=state["calls"],
        **{name: state[name] for name in _PLAIN},
        game=state.get("game", DEFAULT_GAME),
    )


def _state(save: SceneSave) -> dict[str, Any]:
    return {
        **{name: getattr(save, name) for name in _PLAIN},
        "players": [asdict(player) for player in save.players],
        "members": [_member_fields(member) for member in save.members],
        "lines": [asdict(line) for line in save.lines],
        "world": dict(save.world),
        "calls": dict(save.calls),
        "game": save.game,
    }


def _member_fields(member: SavedMember) -> dict[str, Any]:
    exchanges = [{**asdict(one), "lived": lived_fields(one.lived)} for one in member.exchanges]
    return {**asdict(member), "exchanges": exchanges}


def _member_of(fields: dict[str, Any]) -> SavedMember:
    exchanges = tuple(
        SavedExchange(
            lived_of(one["lived"]), one["told"], tuple(one["echoes"]), tuple(one["words_of"])
        )
        for one in fields["exchanges"]
    )
    return SavedMember(**{**fields, "exchanges": exchanges})


def _line_of(fields: dict[str, Any]) -> SavedLine:
    lists = {"hearers": tuple(fields["hearers"]), "why": tuple(fields["why"])}
    return SavedLine(**{**fields, **lists})
