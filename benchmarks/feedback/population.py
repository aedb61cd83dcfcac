"""A feedback store as it looks after months: generated rows, written in bulk.

Players talk to a cast in turns that follow each other in time, so one character's rows lie
scattered among those of the others. Three events fall on each turn on average. Rows are those that
the server writes, down to their sizes; only the way they get into the file differs.
"""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from benchmarks.serving.load import line
from feedback_store.privacy.pseudonyms import ensure_key
from feedback_store.records import Edit, Kind, Payload, Rating, Reason, Thumb, pack_ids
from feedback_store.rows import canonical, time_text
from feedback_store.store import Store

LINES_PER_SESSION = 5
EVENTS_PER_TURN = 3
TURNS_PER_PLAYER = 50
PROMPT_TOKENS, REPLY_TOKENS = 350, 30
_BEGUN = datetime(2026, 1, 1, tzinfo=UTC)
_BULK = 10_000  # rows per statement
_PERSONA = "You are a character in a world of harbours and mills, and you say little. " * 12
_VOCABULARY = """
aye no well the mill ferry bell road coins stranger never always ask harbour night iron
bread rain keep your away before dawn talk little walk far trust tower ring gate orchard
"""
_WORDS = _VOCABULARY.split()


@dataclass(frozen=True)
class Size:
    """How much a store holds."""

    characters: int
    turns_each: int

    @property
    def turns(self) -> int:
        """Of all characters."""
        return self.characters * self.turns_each

    @property
    def events(self) -> int:
        """Of all characters."""
        return self.turns * EVENTS_PER_TURN


#: Called with the rows written so far.
Written = Callable[[int], None]


def character(number: int) -> str:
    """A character's id."""
    return f"c{number}"


def player(number: int) -> str:
    """A player's pseudonym, in the form that stored ones have."""
    letters = (chr(ord("a") + int(digit)) for digit in f"{number:026d}")
    return f"p1-{''.join(letters)}"


def write(path: Path, size: Size, written: Written = lambda rows: None) -> None:
    """Make the store, and a key of players beside it. Both are on disk when this returns."""
    ensure_key(path.parent / "player.key")
    Store.open(path).close()
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA synchronous = OFF")
        db.execute("PRAGMA cache_size = -500000")  # KiB, so that indexes are built in memory
        done = 0
        for table, rows in (
            ("sessions", _sessions(size)),
            ("turns", _turns(size)),
            ("events", _events(size)),
        ):
            done = _insert(db, table, rows, done, written)
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        db.execute("ANALYZE")


def turn_id(number: int) -> str:
    """Ids in order of time, as the server makes them."""
    return f"{number:012x}7{'':0<19}"


def _insert(
    db: sqlite3.Connection, table: str, rows: Iterator[dict[str, Any]], done: int, written: Written
) -> int:
    while bulk := [row for _, row in zip(range(_BULK), rows, strict=False)]:
        names, marks = ", ".join(bulk[0]), ", ".join("?" * len(bulk[0]))
        db.execute("BEGIN")
        db.executemany(
            f"INSERT INTO {table} ({names}) VALUES ({marks})", [list(row.values()) for row in bulk]
        )
        db.execute("COMMIT")
        done += len(bulk)
        written(done)
    return done


@dataclass(frozen=True)
class Position:
    """Where a turn stands among all."""

    number: int
    character: str
    player_id: str
    session_id: str
    said_at: datetime

    @classmethod
    def of(cls, number: int, size: Size) -> Position:
        """Of the turn of this number in a store of this size."""
        # Sessions run side by side, a character each, so that neighbours in time differ.
        session = number // (size.characters * LINES_PER_SESSION) * size.characters
        session += number % size.characters
        visits = TURNS_PER_PLAYER // LINES_PER_SESSION
        return cls(
            number,
            character(session % size.characters),
            player(
                session // size.characters // visits * size.characters + session % size.characters
            ),
            f"s{session:031x}",
            _BEGUN + timedelta(seconds=10 * number),
        )


def _places(size: Size) -> Iterator[Position]:
    return (Position.of(number, size) for number in range(size.turns))


def _sessions(size: Size) -> Iterator[dict[str, Any]]:
    seen: set[str] = set()
    for place in _places(size):
        if place.session_id not in seen:
            seen.add(place.session_id)
            yield {
                "session_id": place.session_id,
                "player_id": place.player_id,
                "character": place.character,
                "persona_version": "aa11",
                "consent": 1,
                "started_at": time_text(place.said_at),
            }


def _turns(size: Size) -> Iterator[dict[str, Any]]:
    draw = random.Random(1)
    same = _same_in_all_turns()
    for place in _places(size):
        said, reply = _said(place), _reply(draw)
        messages = [
            {"role": "system", "content": _PERSONA},
            {"role": "user", "content": said},
        ]
        ids = [place.number % 50_000, *range(PROMPT_TOKENS - 1)]
        yield same | {
            "turn_id": turn_id(place.number),
            "first_turn_id": turn_id(place.number),
            "session_id": place.session_id,
            "character": place.character,
            "player_id": place.player_id,
            "messages": canonical(messages),
            "prompt_ids": pack_ids(tuple(ids)),
            "player_text": said,
            "reply_text": reply,
            "created_at": time_text(place.said_at),
        }


def _same_in_all_turns() -> dict[str, Any]:
    numbers = dict.fromkeys(("queue_ms", "ttft_ms", "total_ms", "arm_probability"), 1.0)
    return {
        "persona_version": "aa11",
        "adapter_version": "v0001-3fa91c2b",
        "adapter_hash": "3f" * 32,
        "base_sha256": "b4" * 32,
        "reply_ids": pack_ids(tuple(range(REPLY_TOKENS))),
        "take": 0,
        "finish_reason": "stop",
        "sampling": canonical({"temperature": 0.7, "top_k": 40, "top_p": 0.95, "stop": []}),
        "seed": 7,
        "logprob": -31.5,
        "consent": 1,
        "rolled_back": 0,
        **numbers,
    }


def _said(place: Position) -> str:
    # Fewer lines than turns: players do ask the same.
    return line(place.number % 3_001, place.number % 7)


def _reply(draw: random.Random) -> str:
    return " ".join(draw.choices(_WORDS, k=draw.randrange(6, 24))).capitalize() + "."


def _events(size: Size) -> Iterator[dict[str, Any]]:
    draw = random.Random(2)
    for place in _places(size):
        for part, payload in enumerate(_payloads(draw)):
            moment = time_text(place.said_at + timedelta(seconds=1 + part))
            yield {
                "event_id": f"{draw.getrandbits(128):032x}",  # clients make random ones
                "session_id": place.session_id,
                "turn_id": turn_id(place.number),
                "character": place.character,
                "player_id": place.player_id,
                "kind": _KINDS[type(payload)].value,
                "source": "explicit",
                "payload": canonical(asdict(payload)),
                "created_at": moment,
                "received_at": moment,
            }


def _payloads(draw: random.Random) -> list[Payload]:
    up = draw.random() < 0.6
    reasons = () if up else tuple(draw.sample(list(Reason), 1))
    last = Edit(_reply(draw)) if draw.random() < 0.2 else Rating(draw.randrange(1, 6))
    return [Thumb(up, reasons), Rating(draw.randrange(1, 6)), last]


_KINDS = {Thumb: Kind.THUMB, Rating: Kind.RATING, Edit: Kind.EDIT}
