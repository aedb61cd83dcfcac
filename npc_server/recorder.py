"""The queue in front of the store: recording that never stops a conversation.

Sessions, turns, derived signals and memories go through one queue, in order. A record leaves it
when it is stored, or can never be. While the store is locked or full, the queue waits and is
retried; beyond its bounds the oldest records are dropped, with a log line and a count. Every record
may be written twice, so a try that ended unknown is repeated. Lives on the event loop.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from itertools import count, islice
from typing import TypeAlias

from feedback_store.errors import (
    FeedbackStoreError,
    ForgottenError,
    StoreCorruptError,
    StoreUnavailableError,
    UnknownSessionError,
)
from feedback_store.memory_records import Statement, Summary
from feedback_store.records import ActionReport, Reaction, Session, Turn
from feedback_store.store import Store

logger = logging.getLogger(__name__)

COMMIT_WAIT_S = 0.25  # at most, for the disk, before a reply ends
FIRST_RETRY_S, LAST_RETRY_S = 1.0, 10.0  # the pause doubles
MAX_WAITING = 10_000  # records
MAX_WAITING_BYTES = 128 << 20  # of memory, as estimated by `_size_bytes`

_PORTION = 256  # records per try
_CLOSING_RETRY_S = 0.1
_BYTES_PER_TOKEN = 36  # an int and the reference to it
_BYTES_PER_RECORD = 2_000  # its fields, besides text and tokens

_Record: TypeAlias = Session | Turn | Reaction | Statement | Summary | ActionReport


@dataclass(eq=False)
class _Waiting:
    record: _Record
    session: Session | None  # of a turn
    decided: asyncio.Event = field(default_factory=asyncio.Event)


class Recorder:
    """Records for one server. `run` does the writing."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._queue: dict[int, _Waiting] = {}  # by arrival
        self._arrivals = count()
        self._ids: Counter[str] = Counter()  # of the sessions and turns in the queue
        self._bytes = 0
        self._work = asyncio.Event()
        self._stalled = False
        self.dropped = 0  # sessions and turns that never reached the store

    @property
    def waiting(self) -> int:
        """The number of records in the queue."""
        return len(self._queue)

    def holds(self, id_: str) -> bool:
        """Whether this session or turn is in the queue, not yet in the store."""
        return self._ids[id_] > 0

    async def record_session(self, session: Session) -> None:
        """Record a session; waits for the disk, but at most COMMIT_WAIT_S."""
        await self._put_and_wait(session, None)

    def begin_session(self, session: Session) -> None:
        """Record a session whose first turn is on its way; returns at once."""
        self._put(session, None)

    async def record_turn(self, turn: Turn, session: Session) -> None:
        """Record a turn of `session`; waits for the disk, but at most COMMIT_WAIT_S."""
        await self._put_and_wait(turn, session)

    async def record_action_report(self, report: ActionReport) -> None:
        """Record a report, behind its turn; waits for the disk, but at most COMMIT_WAIT_S."""
        await self._put_and_wait(report, None)

    def record_cut_turn(self, turn: Turn, session: Session) -> None:
        """Record a turn whose reply was cut short; returns at once, as nobody waits for it."""
        self._put(turn, session)

    def note(self, reaction: Reaction) -> None:
        """Record a derived signal; returns at once."""
        self._put(reaction, None)

    def remember(self, memory: Statement | Summary) -> None:
        """Record what a character remembers, behind its turn; returns at once."""
        self._put(memory, None)

    def waiting_statements(self, character: str, player_id: str) -> list[Statement]:
        """What a character was told by a player and is not in the store yet."""
        records = (waiting.record for waiting in self._queue.values())
        return [
            one
            for one in records
            if isinstance(one, Statement)
            and (one.character, one.player_id) == (character, player_id)
        ]

    async def flush(self, timeout_s: float) -> None:
        """Return when the records in the queue are decided. Raises StoreUnavailableError."""
        if not self._queue:
            return
        last = next(reversed(self._queue.values()))
        try:
            async with asyncio.timeout(timeout_s):
                await last.decided.wait()
        except TimeoutError:
            raise StoreUnavailableError(
                f"records wait for the feedback store, which is locked or full ({self.waiting});"
                " send the call again in a few seconds"
            ) from None

    @asynccontextmanager
    async def at_work(self, grace_s: float) -> AsyncIterator[None]:
        """Write for the length of the block; at its end the queue gets `grace_s` to drain."""
        task = asyncio.create_task(self._run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await self._drain(grace_s)

    async def _run(self) -> None:
        pause_s = FIRST_RETRY_S
        while True:
            await self._work.wait()
            if not self._queue:
                self._work.clear()
            elif await self._store_portion():
                pause_s = FIRST_RETRY_S
            else:
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, LAST_RETRY_S)

    async def _drain(self, grace_s: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(grace_s):
                while self._queue:
                    if not await self._store_portion():
                        await asyncio.sleep(_CLOSING_RETRY_S)
        if self._queue:
            logger.error("%d records could not be stored before the end", self.waiting)

    async def _put_and_wait(self, record: _Record, session: Session | None) -> None:
        waiting = self._put(record, session)
        with suppress(TimeoutError):
            async with asyncio.timeout(COMMIT_WAIT_S):
                await waiting.decided.wait()

    def _put(self, record: _Record, session: Session | None) -> _Waiting:
        waiting = _Waiting(record, session)
        self._queue[next(self._arrivals)] = waiting
        self._ids.update(_ids(record))
        self._bytes += _size_bytes(record)
        while self._bytes > MAX_WAITING_BYTES or len(self._queue) > MAX_WAITING:
            self._drop_oldest()
        self._work.set()
        return waiting

    def _drop_oldest(self) -> None:
        number = next(iter(self._queue))
        record = self._queue[number].record
        logger.error("%s is dropped: too many records wait for the store", _name(record))
        self._count_dropped(number)
        self._settle(number)

    async def _store_portion(self) -> bool:
        """Try to store the oldest records; returns whether all of them are decided."""
        portion = list(islice(self._queue.items(), _PORTION))
        decided = await asyncio.gather(*(self._attempt(*numbered) for numbered in portion))
        return all(decided)

    async def _attempt(self, number: int, waiting: _Waiting) -> bool:
        try:
            await self._write(waiting)
        except ForgottenError:
            pass  # as its player asked
        except (StoreUnavailableError, StoreCorruptError) as error:
            self._stall(error)
            return False
        except FeedbackStoreError as error:
            lost = isinstance(waiting.record, Session | Turn)  # others may be out of date
            level = logging.ERROR if lost else logging.INFO
            logger.log(level, "%s is not recorded: %s", _name(waiting.record), error)
            self._count_dropped(number)
        except Exception:  # the edge of a worker: one record must not end the recording of all
            logger.exception("%s is not recorded", _name(waiting.record))
            self._count_dropped(number)
        self._settle(number)
        return True

    async def _write(self, waiting: _Waiting) -> None:
        store = self._store
        match waiting.record:
            case Session() as session:
                await asyncio.wrap_future(store.record_session(session))
            case Reaction() as reaction:
                await asyncio.wrap_future(store.submit(reaction))
            case Turn() as turn:
                await self._write_turn(turn, waiting.session)
            case Statement() as statement:
                await asyncio.wrap_future(store.record_statement(statement))
            case Summary() as summary:
                await asyncio.wrap_future(store.record_summary(summary))
            case ActionReport() as report:
                await asyncio.wrap_future(store.record_action_report(report))

    async def _write_turn(self, turn: Turn, session: Session | None) -> None:
        try:
            await asyncio.wrap_future(self._store.record_turn(turn))
        except UnknownSessionError:  # a backup older than the session was restored
            if session is None:
                raise
            await asyncio.wrap_future(self._store.record_session(session))
            await asyncio.wrap_future(self._store.record_turn(turn))

    def _stall(self, error: FeedbackStoreError) -> None:
        if not self._stalled:
            logger.error("recording waits, %d records so far: %s", self.waiting, error)
        self._stalled = True

    def _count_dropped(self, number: int) -> None:
        if number in self._queue and isinstance(self._queue[number].record, Session | Turn):
            self.dropped += 1

    def _settle(self, number: int) -> None:
        waiting = self._queue.pop(number, None)
        if waiting is None:  # dropped while it was being written
            return
        self._release(_ids(waiting.record))
        self._bytes -= _size_bytes(waiting.record)
        waiting.decided.set()
        if self._stalled and not self._queue:
            self._stalled = False
            logger.warning("recording goes on; the queue is empty")

    def _release(self, ids: tuple[str, ...]) -> None:
        for id_ in ids:
            self._ids[id_] -= 1
            if not self._ids[id_]:
                del self._ids[id_]


def _ids(record: _Record) -> tuple[str, ...]:
    match record:
        case Session():
            return (record.session_id,)
        case Turn():
            return (record.turn_id,)
        case _:
            return ()


def _name(record: _Record) -> str:
    match record:
        case Session():
            return f"session {record.session_id}"
        case Turn():
            return f"turn {record.turn_id}"
        case Statement():
            return f"statement {record.statement_id}"
        case Summary():
            return f"summary {record.summary_id}"
        case Reaction():
            return f"event {record.event_id}"
        case ActionReport():
            return f"the report on the action of turn {record.turn_id}"


def _size_bytes(record: _Record) -> int:
    if not isinstance(record, Turn):
        return _BYTES_PER_RECORD
    tokens = len(record.prompt_ids) + len(record.reply_ids)
    characters = sum(len(message["content"]) for message in record.messages)
    return _BYTES_PER_RECORD + _BYTES_PER_TOKEN * tokens + characters
