"""Deleting a player's data, or turns that are past their retention time. Runs on the writer thread,
inside a savepoint.

Deleted text is overwritten in the file (`secure_delete`), not only unlinked. Copies of it remain in
the write-ahead log, and in gaps of pages that rows were moved from when SQLite balanced its trees:
until `clear_remains`. Backups and exports made earlier keep it.
"""

import json
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from sqlite_utils import Database

from feedback_store import remembering, scene_saves
from feedback_store.database import connect, translate_errors
from feedback_store.records import Forgotten

_OLDEST = """
SELECT turn_id, session_id FROM turns WHERE consent = ? AND created_at < ?
ORDER BY created_at LIMIT ?
"""
_LISTED = "IN (SELECT value FROM json_each(?))"
_LEADS_TO = """
DELETE FROM checkpoints WHERE session_id IN (SELECT value FROM json_each(:sessions)) AND EXISTS (
    SELECT 1 FROM json_each(exchanges) AS lived,
                  json_each(lived.value, '$.take_turn_ids') AS take
    WHERE take.value IN (SELECT value FROM json_each(:turns))
)
"""
#: Turns of other players whose prompts may hold words of this one: those of a scene name the
#: sessions whose words their character had heard, those of older releases all who were there.
_HEARD = """
SELECT DISTINCT turn_id FROM turns, json_each(annotations, '$.speaker.heard') AS heard
WHERE instr(annotations, '"speaker"') AND heard.value IN (SELECT value FROM json_each(?))
"""
_IN_ONE_SCENE = """
SELECT turn_id FROM turns, json_each(annotations, '$.speaker.players') AS player
WHERE instr(annotations, '"players"') AND player.value = ?
AND json_extract(annotations, '$.speaker.heard') IS NULL
"""
_LEFT_EMPTY = """
SELECT value FROM json_each(?) AS touched
WHERE NOT EXISTS (SELECT 1 FROM turns WHERE turns.session_id = touched.value)
"""


def forget(db: Database, player_id: str) -> Forgotten:
    """Delete a player's sessions with all that belongs to them, and never record them again.

    With them go turns of others that were said in a scene behind the player's words, and these
    words in save games of scenes.
    """
    sessions = _column(db, "SELECT session_id FROM sessions WHERE player_id = ?", player_id)
    now = datetime.now(UTC).isoformat(timespec="microseconds")
    db.execute(
        "INSERT OR IGNORE INTO forgotten_sessions SELECT value, ? FROM json_each(?)",
        [now, json.dumps(sessions)],
    )
    own = delete_sessions(db, sessions)
    beside = _column(db, _IN_ONE_SCENE, player_id)
    memories, events = _delete_turns(db, beside)
    saves = scene_saves.forget(db, player_id)
    return Forgotten(
        own.sessions,
        own.turns + len(beside),
        own.events + events,
        own.checkpoints + saves,
        own.memories + memories,
    )


def delete_sessions(db: Database, session_ids: list[str]) -> Forgotten:
    """Delete sessions with their turns, events, checkpoints and what is remembered of them.

    Turns of other sessions go as well, if they were said behind words of these in a scene.
    """
    db.execute("PRAGMA secure_delete = ON")
    sessions = json.dumps(session_ids)
    own = _column(db, f"SELECT turn_id FROM turns WHERE session_id {_LISTED}", sessions)
    turns = list(dict.fromkeys((*own, *_column(db, _HEARD, sessions))))
    memories, events = _delete_turns(db, turns)
    events += _delete(db, f"events WHERE turn_id IS NULL AND session_id {_LISTED}", sessions)
    checkpoints = _delete(db, f"checkpoints WHERE session_id {_LISTED}", sessions)
    deleted = _delete(db, f"sessions WHERE session_id {_LISTED}", sessions)
    return Forgotten(deleted, len(turns), events, checkpoints, memories)


def delete_older(db: Database, before: str, consent: bool, limit: int) -> int:
    """Delete at most `limit` turns said before a time, oldest first; returns how many.

    With them go their events, checkpoints that lead to them, what is remembered of them, and
    sessions that are left empty; and as old saves of scenes in which nobody had answered yet.
    """
    db.execute("PRAGMA secure_delete = ON")
    found = db.execute(_OLDEST, [int(consent), before, limit]).fetchall()
    turns, sessions = [row[0] for row in found], json.dumps(sorted({row[1] for row in found}))
    db.execute(_LEADS_TO, {"sessions": sessions, "turns": json.dumps(turns)})
    scene_saves.delete_leading_to(db, turns)
    scene_saves.delete_unanswered(db, before, consent)
    _delete_turns(db, turns)
    delete_sessions(db, _column(db, _LEFT_EMPTY, sessions))
    return len(turns)


def clear_remains(path: Path, timeout_s: float) -> bool:
    """Rewrite the store without what is left of deleted text; False while a reader needs its log.

    It takes the disk space of the store once more, and seconds per GB, in which nobody else writes.
    Raises StoreUnavailableError, StoreCorruptError.
    """
    with translate_errors(path), closing(connect(path, timeout_s)) as db:
        db.execute("VACUUM")
        busy: int = db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
    return not busy


def _delete_turns(db: Database, turn_ids: list[str]) -> tuple[int, int]:
    """Delete turns with what is remembered and reported of them, and their events.

    Returns how many memories and events there were.
    """
    turns = json.dumps(turn_ids)
    memories = remembering.delete_of_turns(db, turns)
    events = _delete(db, f"events WHERE turn_id {_LISTED}", turns)
    _delete(db, f"action_reports WHERE turn_id {_LISTED}", turns)
    _delete(db, f"turns WHERE turn_id {_LISTED}", turns)
    return memories, events


def _delete(db: Database, what: str, parameter: str) -> int:
    return int(db.execute(f"DELETE FROM {what}", [parameter]).rowcount)


def _column(db: Database, sql: str, parameter: str) -> list[str]:
    return [row[0] for row in db.execute(sql, [parameter])]
