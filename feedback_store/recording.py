"""Recording sessions, turns and save games. Runs on the writer thread, inside a savepoint: raising
undoes this write alone.

Recording the same again changes nothing; the same id with other content is a conflict.
"""

import json
from collections.abc import Callable

from sqlite_utils import Database

from feedback_store import remembering
from feedback_store.errors import (
    ForgottenError,
    InvalidRecordError,
    RecordConflictError,
    UnknownCheckpointError,
    UnknownTurnError,
)
from feedback_store.intake import unknown_session
from feedback_store.rows import SqlRow

_OF_SESSION = ("player_id", "character", "consent", "game")  # a turn repeats these of its session

# Takes of other branches did not happen to the player, and neither did later turns. Save games of
# older releases name no reply that was cut short: one that they may have lived through stays as it
# was.
_ROLL_BACK = """
UPDATE turns SET rolled_back = CASE
    WHEN turn_id IN (
        SELECT take.value FROM json_each(:exchanges) AS lived,
               json_each(lived.value, '$.take_turn_ids') AS take
    ) THEN 0
    WHEN created_at > :created_at OR finish_reason NOT IN ('cancelled', 'failed') THEN 1
    ELSE rolled_back
END
WHERE session_id = :session_id
"""


_HEARS_FORGOTTEN = """
SELECT 1 FROM json_each(?, '$.speaker.heard') AS heard
WHERE heard.value IN (SELECT session_id FROM forgotten_sessions)
"""


def record_session(db: Database, row: SqlRow) -> None:
    """Raises ForgottenError, RecordConflictError."""
    forgotten = "SELECT 1 FROM forgotten_sessions WHERE session_id = ?"
    if db.execute(forgotten, [row["session_id"]]).fetchone():
        raise unknown_session(db.conn, row["session_id"], "the record")
    _record(db, "sessions", "session_id", row)


def record_turn(db: Database, row: SqlRow) -> None:
    """Raises UnknownSessionError, ForgottenError, InvalidRecordError, RecordConflictError."""
    session = _session(db, row["session_id"], f"turn {row['turn_id']!r}")
    for field in _OF_SESSION:
        if row[field] != session[field]:
            raise InvalidRecordError(
                f"turn {row['turn_id']!r} has {field} {row[field]!r}, but its session "
                f"{row['session_id']!r} has {session[field]!r}; they must be equal"
            )
    _require_no_forgotten_words(db, row)
    _record(db, "turns", "turn_id", row, changing=("rolled_back",))


def _require_no_forgotten_words(db: Database, turn: SqlRow) -> None:
    """Of a scene, a turn names the sessions whose words its character had heard."""
    if '"heard"' not in turn["annotations"]:
        return
    if db.execute(_HEARS_FORGOTTEN, [turn["annotations"]]).fetchone():
        raise ForgottenError(
            f"turn {turn['turn_id']!r} may hold words of a player who was forgotten; "
            "it is not recorded"
        )


def record_statement(db: Database, row: SqlRow) -> None:
    """Raises UnknownSessionError, ForgottenError, UnknownTurnError.

    One that is there stays as it is: an operator may have changed its text.
    """
    _session(db, row["session_id"], "a statement")
    _require_turns(db, [row["turn_id"]])
    if _one(db, "statements", "statement_id", row["statement_id"]) is None:
        _insert(db, "statements", row)


def record_action_report(db: Database, row: SqlRow) -> None:
    """Raises UnknownSessionError, ForgottenError, UnknownTurnError.

    It takes the place of an earlier report on the turn, unless that came later.
    """
    _session(db, row["session_id"], "a report")
    _require_turns(db, [row["turn_id"]])
    stored = _one(db, "action_reports", "turn_id", row["turn_id"])
    if stored is not None and stored["reported_at"] > row["reported_at"]:
        return
    db.execute("DELETE FROM action_reports WHERE turn_id = ?", [row["turn_id"]])
    _insert(db, "action_reports", row)


def record_summary(db: Database, row: SqlRow) -> None:
    """Raises UnknownSessionError, ForgottenError, UnknownTurnError, RecordConflictError."""
    _session(db, row["session_id"], "a summary")
    _require_turns(db, json.loads(row["turn_ids"]))
    _record(db, "summaries", "summary_id", row)


def record_checkpoint(db: Database, row: SqlRow) -> None:
    """Raises UnknownSessionError, ForgottenError, RecordConflictError."""
    session = _session(db, row["session_id"], "a checkpoint")
    _record(db, "checkpoints", "token", row)
    remembering.list_sessions(db, row["token"], session["player_id"])


def roll_back(db: Database, token: str) -> None:
    """Raises UnknownCheckpointError."""
    checkpoint = _one(db, "checkpoints", "token", token)
    if checkpoint is None:
        raise UnknownCheckpointError(f"no checkpoint has token {token!r}")
    db.execute(_ROLL_BACK, dict(checkpoint))
    remembering.roll_back(db, checkpoint)


def ensure_pseudonyms(
    db: Database, is_pseudonym: Callable[[str], bool], of: Callable[[str], str]
) -> int:
    """Replace player ids that were stored as sent; returns how many players had one."""
    players = [row[0] for row in db.execute("SELECT DISTINCT player_id FROM sessions")]
    plain = [player for player in players if not is_pseudonym(player)]
    if plain:
        db.conn.create_function(
            "pseudonym", 1, lambda player: player if is_pseudonym(player) else of(player)
        )
        for table in ("sessions", "turns", "events"):
            db.execute(f"UPDATE {table} SET player_id = pseudonym(player_id)")
    return len(plain)


def _require_turns(db: Database, turn_ids: list[str]) -> None:
    for turn_id in turn_ids:
        if db.execute("SELECT 1 FROM turns WHERE turn_id = ?", [turn_id]).fetchone() is None:
            raise UnknownTurnError(f"turn {turn_id!r} is not recorded, nor what came of it")


def _session(db: Database, session_id: str, who: str) -> SqlRow:
    session = _one(db, "sessions", "session_id", session_id)
    if session is None:
        raise unknown_session(db.conn, session_id, who)
    return session


def _record(
    db: Database, table: str, key: str, row: SqlRow, changing: tuple[str, ...] = ()
) -> None:
    stored = _one(db, table, key, row[key])
    if stored is None:
        _insert(db, table, row)
        return
    differing = [name for name in row if name not in changing and row[name] != stored[name]]
    if differing:
        raise RecordConflictError(
            f"{key} {row[key]!r} is recorded with another {', '.join(differing)}; use a new id"
        )


def _one(db: Database, table: str, key: str, value: str) -> SqlRow | None:
    sql = f"SELECT * FROM {table} WHERE {key} = ?"
    return next(iter(db.query(sql, [value])), None)


def _insert(db: Database, table: str, row: SqlRow) -> None:
    # Not sqlite-utils' insert: it looks the table up again for every row.
    names = ", ".join(row)
    marks = ", ".join("?" * len(row))
    db.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", list(row.values()))
