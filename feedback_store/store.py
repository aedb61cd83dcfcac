"""The only door to what was said and what players thought: verbs and records outside, SQL inside.

Writes go through one writer thread and answer with a future that is resolved after the commit, so
what was acknowledged survives a crash. All of them may be repeated: the same id with the same
content is one row and the same answer, the same id with other content is a conflict. Reads run on
the caller's thread, over a connection of its own, and see what is committed.

Several stores, in one process or in several, may be open on one file.
"""

import json
import struct
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from sqlite_utils import Database

from feedback_store import (
    export,
    forgetting,
    recording,
    remembering,
    rows,
    scene_rows,
    scene_saves,
    statistics,
)
from feedback_store.database import connect, ensure_folder, ensure_ready, translate_errors
from feedback_store.errors import (
    FeedbackStoreError,
    InvalidEventError,
    InvalidRecordError,
)
from feedback_store.intake import Intake, ReceiptOrError, Submission, undo
from feedback_store.memory_records import Memories, Statement, Summary
from feedback_store.rate_limit import RateLimit
from feedback_store.read_connections import ReadConnections
from feedback_store.records import (
    ActionReport,
    Checkpoint,
    Event,
    Forgotten,
    Reach,
    Reaction,
    Receipt,
    Session,
    Turn,
)
from feedback_store.rows import SqlRow
from feedback_store.scene_records import SceneSave
from feedback_store.writer import Writer, settle_with_first

NO_LIMIT = RateLimit(events_per_minute=0)

_ResultT = TypeVar("_ResultT")
_RefusalT = TypeVar("_RefusalT", bound=InvalidRecordError)
_UNENCODABLE = (ValueError, TypeError, AttributeError, OverflowError, struct.error)


class Store:
    """A feedback store on one SQLite file. Made by `open`, ended by `close`."""

    def __init__(self, path: Path, busy_timeout_s: float, writer: Writer, limit: RateLimit) -> None:
        self._writer = writer
        self._intake = Intake(limit)
        self._connections = ReadConnections(path, busy_timeout_s)

    @classmethod
    def open(
        cls,
        path: Path,
        busy_timeout_s: float = 5.0,
        limit: RateLimit = NO_LIMIT,
        search_damage: bool = True,
    ) -> "Store":
        """Open or create the file, check it, and bring its tables up to date.

        `busy_timeout_s` is how long a write or a check waits for another process's lock. Searching
        for damage reads the whole file once; it may be left out for a file that a server has
        checked. Raises StoreCorruptError, StoreTooNewError, StoreUnavailableError.
        """
        path = Path(path).absolute()
        ensure_folder(path)
        with translate_errors(path):
            db = connect(path, busy_timeout_s)
            try:
                ensure_ready(db, path, busy_timeout_s, search_damage)
            except BaseException:
                db.close()
                raise
        return cls(path, busy_timeout_s, Writer(db, path), limit)

    def close(self) -> None:
        """Write what is waiting, let reads end, then close the file."""
        self._writer.close()
        self._connections.close()

    def __enter__(self) -> "Store":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    # Writes. Every error comes through the future.

    def record_session(self, session: Session) -> Future[None]:
        """Store a session.

        ForgottenError, RecordConflictError, InvalidRecordError, StoreUnavailableError.
        """
        return self._write(lambda: rows.session_row(session), recording.record_session)

    def record_turn(self, turn: Turn) -> Future[None]:
        """Store a turn of a recorded session.

        UnknownSessionError, ForgottenError, RecordConflictError, InvalidRecordError,
        StoreUnavailableError.
        """
        return self._write(lambda: rows.turn_row(turn), recording.record_turn)

    def record_checkpoint(self, checkpoint: Checkpoint) -> Future[None]:
        """Store a point that a save game leads back to.

        UnknownSessionError, ForgottenError, RecordConflictError, InvalidRecordError,
        StoreUnavailableError.
        """
        return self._write(lambda: rows.checkpoint_row(checkpoint), recording.record_checkpoint)

    def record_statement(self, statement: Statement) -> Future[None]:
        """Store what a player told of themselves, after the turn in which they did.

        UnknownSessionError, UnknownTurnError, ForgottenError, InvalidRecordError,
        StoreUnavailableError.
        """
        return self._write(lambda: rows.statement_row(statement), recording.record_statement)

    def record_summary(self, summary: Summary) -> Future[None]:
        """Store what was talked about in some recorded turns.

        UnknownSessionError, UnknownTurnError, ForgottenError, RecordConflictError,
        InvalidRecordError, StoreUnavailableError.
        """
        return self._write(lambda: rows.summary_row(summary), recording.record_summary)

    def record_action_report(self, report: ActionReport) -> Future[None]:
        """Store what came of a recorded turn's action, in place of what was reported before.

        UnknownSessionError, UnknownTurnError, ForgottenError, InvalidRecordError,
        StoreUnavailableError.
        """
        return self._write(lambda: rows.action_report_row(report), recording.record_action_report)

    def edit_statement(self, statement_id: str, text: str) -> Future[bool]:
        """Put an operator's text in place of a statement's; False = there is no such statement.

        StoreUnavailableError.
        """
        return self._writer.enqueue(lambda db: remembering.edit(db, statement_id, text))

    def delete_memories(self, ids: Sequence[str]) -> Future[int]:
        """Delete statements and summaries by their ids; returns how many there were.

        StoreUnavailableError.
        """
        return self._writer.enqueue(lambda db: remembering.delete(db, ids))

    def roll_back(self, token: str) -> Future[None]:
        """Mark which turns of a checkpoint's session still happened to its player, and which not.

        What characters remember of the player is again what they did then.

        UnknownCheckpointError, StoreUnavailableError.
        """
        return self._writer.enqueue(lambda db: recording.roll_back(db, token))

    def record_scene_save(self, save: SceneSave) -> Future[None]:
        """Store a point in a scene that a save game leads back to.

        RecordConflictError, InvalidRecordError, StoreUnavailableError.
        """
        return self._write(lambda: scene_rows.scene_save_row(save), scene_saves.record)

    def roll_back_scene(self, token: str) -> Future[None]:
        """Mark which turns of a saved scene still happened to its players, and which not.

        What characters remember of its sessions is again what they did then.

        UnknownCheckpointError, StoreUnavailableError.
        """
        return self._writer.enqueue(lambda db: scene_saves.roll_back(db, token))

    def submit(self, reaction: Reaction) -> Future[Receipt]:
        """Store a player's reaction to a recorded turn or session.

        Two reactions are the same when all but their times is equal: a client's clock may differ
        between two tries. UnknownTurnError, UnknownSessionError, ForgottenError,
        EventConflictError, InvalidEventError, TooManyEventsError, StoreUnavailableError.
        """
        future: Future[Receipt] = Future()
        future.set_running_or_notify_cancel()
        self.submit_all([reaction]).add_done_callback(partial(settle_with_first, future))
        return future

    def submit_all(self, reactions: Sequence[Reaction]) -> Future[list[ReceiptOrError]]:
        """Store several reactions, each on its own: one receipt or error per reaction, in order.

        Per-item errors are returned in place; StoreUnavailableError fails the whole call.
        """
        now = datetime.now(UTC)
        return self._writer.enqueue_items(
            self._take_all, [_submission(reaction, now) for reaction in reactions]
        )

    def _take_all(
        self, db: Database, items: Sequence[Submission | InvalidRecordError]
    ) -> list[ReceiptOrError]:
        return self._intake.take_all(db.conn, items)

    def undo(self, event_id: str, reach: Reach | None = None) -> Future[Event]:
        """Take a player's event back: what it replaced counts again. It stays as history.

        One that is out of reach is unknown; None reaches all.

        UnknownEventError, StoreUnavailableError.
        """
        return self._writer.enqueue(lambda db: undo(db.conn, event_id, reach))

    def ensure_pseudonyms(
        self, is_pseudonym: Callable[[str], bool], of: Callable[[str], str]
    ) -> Future[int]:
        """Replace player ids that were stored unchanged; returns how many players had one."""
        return self._writer.enqueue(lambda db: recording.ensure_pseudonyms(db, is_pseudonym, of))

    def forget(self, player_id: str) -> Future[Forgotten]:
        """Delete all data of a player; none of the deleted sessions is recorded again.

        The text stays in the write-ahead log until `forgetting.empty_log`.
        StoreUnavailableError.
        """
        return self._writer.enqueue(lambda db: forgetting.forget(db, player_id))

    def delete_older(self, moment: datetime, consent: bool, limit: int) -> Future[int]:
        """Delete at most `limit` turns said before a moment, with or without training consent,
        oldest first; returns how many.

        With them go their events, save games that lead to them, what is remembered of them, and
        sessions left empty; and as old save games of scenes in which nobody had answered yet.
        ValueError for a moment without a timezone, StoreUnavailableError.
        """
        before = rows.time_text(moment)
        return self._writer.enqueue(lambda db: forgetting.delete_older(db, before, consent, limit))

    def _write(
        self, encode: Callable[[], SqlRow], apply: Callable[[Database, SqlRow], _ResultT]
    ) -> Future[_ResultT]:
        try:
            row = encode()
        except _UNENCODABLE as error:
            return _fail_with(_unencodable(InvalidRecordError, error))
        return self._writer.enqueue(lambda db: apply(db, row))

    # Reads. They raise StoreClosedError, StoreCorruptError, StoreUnavailableError.

    def turn(self, turn_id: str) -> Turn | None:
        """One turn, or None when it is not recorded."""
        found = self._read("SELECT * FROM turns WHERE turn_id = ?", [turn_id])
        return rows.turn_of(found[0]) if found else None

    def session(self, session_id: str) -> Session | None:
        """One session, or None when it is not recorded."""
        found = self._read("SELECT * FROM sessions WHERE session_id = ?", [session_id])
        return rows.session_of(found[0]) if found else None

    def checkpoint(self, token: str) -> Checkpoint | None:
        """One checkpoint, or None when there is none of this token."""
        found = self._read("SELECT * FROM checkpoints WHERE token = ?", [token])
        return rows.checkpoint_of(found[0]) if found else None

    def action_reports(self, session_id: str) -> list[ActionReport]:
        """What came of the actions of a session, oldest first."""
        sql = "SELECT * FROM action_reports WHERE session_id = ? ORDER BY reported_at, turn_id"
        return [rows.action_report_of(row) for row in self._read(sql, [session_id])]

    def scene_save(self, token: str) -> SceneSave | None:
        """One save game of a scene, or None when there is none of this token."""
        found = self._read("SELECT * FROM scene_saves WHERE token = ?", [token])
        return scene_rows.scene_save_of(found[0]) if found else None

    def scene_sessions(self, scene_id: str) -> list[Session]:
        """All sessions of a scene."""
        found = self._read("SELECT * FROM sessions WHERE scene_id = ?", [scene_id])
        return [rows.session_of(row) for row in found]

    def forgotten_among(self, session_ids: Sequence[str]) -> list[str]:
        """Those of these sessions whose player was forgotten."""
        sql = (
            "SELECT session_id FROM forgotten_sessions "
            "WHERE session_id IN (SELECT value FROM json_each(?))"
        )
        found = self._read(sql, [json.dumps(list(session_ids))])
        return [row["session_id"] for row in found]

    def memories(
        self,
        character: str,
        player_id: str,
        session_id: str | None = None,
        across: bool = False,
        undone: bool = False,
    ) -> Memories:
        """What a character remembers of a player in a session; None = in all.

        With `across`, what others tell that remember across sessions is among it; with `undone`,
        what a loaded save game took back.
        """
        with self._connections.reading() as db:
            return remembering.memories(db, character, player_id, session_id, across, undone)

    def characters(self) -> list[str]:
        """The characters that players talked to, by name."""
        found = self._read("SELECT DISTINCT character FROM sessions ORDER BY character", [])
        return [row["character"] for row in found]

    def latest_player(self) -> str | None:
        """The player of the newest session; None when there is none."""
        found = self._read("SELECT player_id FROM sessions ORDER BY rowid DESC LIMIT 1", [])
        return found[0]["player_id"] if found else None

    def turns(self, character: str) -> list[Turn]:
        """All turns of a character, oldest first."""
        sql = "SELECT * FROM turns WHERE character = ? ORDER BY created_at, turn_id"
        return [rows.turn_of(row) for row in self._read(sql, [character])]

    def turns_of(self, session_id: str) -> list[Turn]:
        """All turns of a session, oldest first, rolled back ones too."""
        sql = "SELECT * FROM turns WHERE session_id = ? ORDER BY created_at, turn_id"
        return [rows.turn_of(row) for row in self._read(sql, [session_id])]

    def events(self, character: str) -> list[Event]:
        """All events about a character, oldest first by arrival, undone ones too."""
        sql = "SELECT * FROM events WHERE character = ? ORDER BY created_at, event_id"
        return [rows.event_of(row) for row in self._read(sql, [character])]

    def count_older(self, moment: datetime, consent: bool) -> int:
        """How many turns were said before a moment, with or without training consent."""
        sql = "SELECT count(*) AS turns FROM turns WHERE consent = ? AND created_at < ?"
        turns: int = self._read(sql, [str(int(consent)), rows.time_text(moment)])[0]["turns"]
        return turns

    def statistics(self, character: str) -> statistics.Statistics:
        """Figures of a character as of today; all zero for one nobody talked to."""
        with self._connections.reading() as db:
            return statistics.read(db, character, datetime.now(UTC).date())

    def reactions(self, character: str) -> Iterator[export.Line]:
        """All events about a character with their turns, flat, for analysis."""
        with self._connections.reading() as db:
            yield from export.reactions(db, character)

    def person(self, player_id: str, character: str = "") -> Iterator[export.Line]:
        """All that is kept of a player in sessions, one a line; of one character, or of all."""
        with self._connections.reading() as db:
            yield from export.person(db, player_id, character)

    def scene_words(self, player_id: str, character: str = "") -> Iterator[export.Line]:
        """What save games of scenes repeat of a player, a save a line; as heard by one character,
        or by all."""
        with self._connections.reading() as db:
            yield from export.scene_words(db, player_id, character)

    def _read(self, sql: str, parameters: list[str] | dict[str, str]) -> list[dict[str, Any]]:
        with self._connections.reading() as db:
            return list(db.query(sql, parameters))


def _submission(reaction: Reaction, now: datetime) -> Submission | InvalidEventError:
    try:
        return Submission(reaction, rows.reaction_row(reaction, now), now)
    except _UNENCODABLE as error:
        return _unencodable(InvalidEventError, error)


def _unencodable(kind: type[_RefusalT], error: Exception) -> _RefusalT:
    refusal = kind(f"the record cannot be stored: {error}")
    refusal.__cause__ = error
    return refusal


def _fail_with(refusal: FeedbackStoreError) -> Future[Any]:
    future: Future[Any] = Future()
    future.set_exception(refusal)
    return future
