"""What characters remember, in SQL: read for a reply, changed by operators, undone by save games.

A save game leads back in time for its player, whatever else is kept. What counts afterwards is what
was told by then, in sessions that had happened by then; each save game lists those sessions. So a
later save game of another branch can be loaded as well.
"""

import json
from collections.abc import Sequence

from sqlite_utils import Database

from feedback_store.memory_records import Memories
from feedback_store.rows import SqlRow, statement_of, summary_of

MOST_STATEMENTS, MOST_SUMMARIES = 300, 30  # that are read, the newest

_COUNTING = "rolled_back <= :undone"
_WITHIN = "(:session IS NULL OR session_id = :session OR (:across AND span = 'player'))"
_OF_PLAYER = "player_id = :player AND character = :character"
_RECALLED = f"""
SELECT * FROM {{table}} WHERE {_OF_PLAYER} AND {_COUNTING} AND {_WITHIN}
ORDER BY {{time}} DESC LIMIT {{limit}}
"""
_LIST_SESSIONS = """
UPDATE checkpoints SET remembered_sessions = (
    SELECT json_group_array(DISTINCT session_id) FROM (
        SELECT session_id FROM statements WHERE player_id = :player AND rolled_back = 0
        UNION SELECT session_id FROM summaries WHERE player_id = :player AND rolled_back = 0
    )
) WHERE token = :token
"""
_ROLL_BACK = """
UPDATE {table} SET rolled_back = CASE
    WHEN session_id = :session_id THEN {of_turns}
    WHEN :remembered_sessions IS NULL THEN rolled_back
    WHEN {time} > :created_at THEN 1
    WHEN session_id IN (SELECT value FROM json_each(:remembered_sessions)) THEN {of_turns}
    ELSE 1
END
WHERE player_id = (SELECT player_id FROM sessions WHERE session_id = :session_id)
"""
_OF_A_TURN = "coalesce((SELECT max(rolled_back) FROM turns WHERE turn_id = statements.turn_id), 1)"
_OF_TURNS = """(
    SELECT coalesce(max(turns.rolled_back), 1) FROM json_each(turn_ids) AS summed
    LEFT JOIN turns ON turns.turn_id = summed.value
)"""

_LISTED = "IN (SELECT value FROM json_each(?))"
_NAMING = """
DELETE FROM summaries WHERE session_id IN (
    SELECT session_id FROM turns WHERE turn_id IN (SELECT value FROM json_each(:turns))
) AND EXISTS (
    SELECT 1 FROM json_each(summaries.turn_ids) AS summed
    WHERE summed.value IN (SELECT value FROM json_each(:turns))
)
"""


def memories(
    db: Database,
    character: str,
    player_id: str,
    session_id: str | None,
    across: bool,
    undone: bool,
) -> Memories:
    """What a character remembers of a player, oldest first.

    That is what was said in the session, and, with `across`, in others that remember across
    sessions; None = in all. With `undone`, what a loaded save game took back is among it.
    """
    of = {
        "player": player_id,
        "character": character,
        "session": session_id,
        "across": int(across),
        "undone": int(undone),
    }
    said = _RECALLED.format(table="statements", time="told_at", limit=MOST_STATEMENTS)
    summed_up = _RECALLED.format(table="summaries", time="made_at", limit=MOST_SUMMARIES)
    return Memories(
        tuple(statement_of(row) for row in reversed(list(db.query(said, of)))),
        tuple(summary_of(row) for row in reversed(list(db.query(summed_up, of)))),
    )


def list_sessions(db: Database, token: str, player_id: str) -> None:
    """Note on a save game which sessions' memories count now."""
    db.execute(_LIST_SESSIONS, {"token": token, "player": player_id})


def roll_back(db: Database, checkpoint: SqlRow) -> None:
    """Make a player's memories those of a save game; its turns are marked already."""
    row = dict(checkpoint)
    db.execute(_ROLL_BACK.format(table="statements", time="told_at", of_turns=_OF_A_TURN), row)
    db.execute(_ROLL_BACK.format(table="summaries", time="made_at", of_turns=_OF_TURNS), row)


def edit(db: Database, statement_id: str, text: str) -> bool:
    """Put an operator's text in place of a statement's; False = there is no such statement."""
    sql = "UPDATE statements SET text = ?, finder = 'operator' WHERE statement_id = ?"
    return bool(db.execute(sql, [text, statement_id]).rowcount)


def delete(db: Database, ids: Sequence[str]) -> int:
    """Delete statements and summaries; returns how many there were."""
    db.execute("PRAGMA secure_delete = ON")
    listed = json.dumps(list(ids))
    return sum(
        int(db.execute(f"DELETE FROM {table} WHERE {key} {_LISTED}", [listed]).rowcount)
        for table, key in (("statements", "statement_id"), ("summaries", "summary_id"))
    )


def delete_of_turns(db: Database, turn_ids: str) -> int:
    """Delete what comes from any of these turns, a JSON list, while they are there.

    Returns how many memories there were.
    """
    statements = db.execute(f"DELETE FROM statements WHERE turn_id {_LISTED}", [turn_ids])
    return int(statements.rowcount) + int(db.execute(_NAMING, {"turns": turn_ids}).rowcount)
