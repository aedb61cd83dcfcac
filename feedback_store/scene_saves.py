"""Save games of scenes, in SQL: recorded, gone back to, and freed of a player.

Runs on the writer thread, inside a savepoint. Going back marks turns of the scene alone. What a
character remembers of a player from other conversations stays: their own save games lead back
there.
"""

import json
from collections.abc import Sequence

from sqlite_utils import Database

from feedback_store.errors import ForgottenError, RecordConflictError, UnknownCheckpointError
from feedback_store.rows import SqlRow
from feedback_store.scene_records import without_player
from feedback_store.scene_rows import scene_save_of, scene_save_row

_OF_SCENE = "session_id IN (SELECT session_id FROM sessions WHERE scene_id = :scene_id)"
_ROLL_BACK = f"""
UPDATE turns SET rolled_back = turn_id NOT IN (SELECT value FROM json_each(:turn_ids))
WHERE {_OF_SCENE}
"""
_STATEMENTS = f"""
UPDATE statements SET rolled_back = coalesce(
    (SELECT max(rolled_back) FROM turns WHERE turns.turn_id = statements.turn_id), 1
) WHERE {_OF_SCENE}
"""
_SUMMARIES = f"""
UPDATE summaries SET rolled_back = (
    SELECT coalesce(max(turns.rolled_back), 1) FROM json_each(turn_ids) AS summed
    LEFT JOIN turns ON turns.turn_id = summed.value
) WHERE {_OF_SCENE}
"""
_LISTED = "(SELECT value FROM json_each(?))"
_LEADS_TO = f"""
DELETE FROM scene_saves WHERE EXISTS (
    SELECT 1 FROM json_each(turn_ids) AS lived WHERE lived.value IN {_LISTED}
)
"""
_UNANSWERED = """
DELETE FROM scene_saves
WHERE turn_ids = '[]' AND created_at < ? AND json_extract(state, '$.consent') = ?
"""
_HOLDS_FORGOTTEN = """
SELECT 1 FROM json_each(:state, '$.lines') AS line
WHERE line.value ->> 'session_id' IN (SELECT session_id FROM forgotten_sessions)
"""
_WITH_PLAYER = """
SELECT * FROM scene_saves WHERE EXISTS (
    SELECT 1 FROM json_each(players) AS player WHERE player.value = ?
)
"""


def record(db: Database, row: SqlRow) -> None:
    """Raises RecordConflictError, and ForgottenError for words of a forgotten player."""
    if db.execute(_HOLDS_FORGOTTEN, dict(row)).fetchone():
        raise ForgottenError("a player of the scene was forgotten meanwhile; save it again")
    stored = row_of(db, row["token"])
    if stored is not None and dict(stored) == dict(row):
        return
    if stored is not None:
        raise RecordConflictError("a save game of a scene has this token; use a new one")
    names, marks = ", ".join(row), ", ".join("?" * len(row))
    db.execute(f"INSERT INTO scene_saves ({names}) VALUES ({marks})", list(row.values()))


def row_of(db: Database, token: str) -> SqlRow | None:
    """The row of a save game; None = there is none of this token."""
    return next(iter(db.query("SELECT * FROM scene_saves WHERE token = ?", [token])), None)


def roll_back(db: Database, token: str) -> None:
    """Mark which turns of the scene happened to its players. Raises UnknownCheckpointError."""
    row = row_of(db, token)
    if row is None:
        raise UnknownCheckpointError(f"no save game of a scene has token {token!r}")
    for statement in (_ROLL_BACK, _STATEMENTS, _SUMMARIES):
        db.execute(statement, dict(row))


def forget(db: Database, player_id: str) -> int:
    """Take a player out of all saves; returns how many led to nobody else, and are deleted."""
    deleted = 0
    for row in list(db.query(_WITH_PLAYER, [player_id])):
        db.execute("DELETE FROM scene_saves WHERE token = ?", [row["token"]])
        left = without_player(scene_save_of(row), player_id)
        if left.players:
            record(db, scene_save_row(left))
        else:
            deleted += 1
    return deleted


def delete_leading_to(db: Database, turn_ids: Sequence[str]) -> None:
    """Delete the saves that lead back to any of these turns."""
    db.execute(_LEADS_TO, [json.dumps(list(turn_ids))])


def delete_unanswered(db: Database, before: str, consent: bool) -> None:
    """Delete saves from before a time that hold no turn, which they could age out with."""
    db.execute(_UNANSWERED, [before, int(consent)])
