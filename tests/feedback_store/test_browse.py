"""What `make browse` shows: a real Datasette over a real store, asked for JSON."""

import json
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode
from urllib.request import urlopen

import pytest
import yaml

from feedback_store.records import Edit, Payload, Rating, Reaction, Reason, Session, Thumb
from feedback_store.store import Store
from tests.support.paths import ROOT
from tests.support.turns import TURN

BROWSE = ROOT / "feedback_store" / "browse.yaml"
NOW = datetime.now(UTC)
SAME_DAY = (NOW - timedelta(hours=2), NOW - timedelta(hours=1))
Ask = Callable[..., Any]


@pytest.fixture(scope="module")
def ask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ask]:
    """Asks Datasette for one thing as JSON."""
    file = tmp_path_factory.mktemp("data") / "feedback.db"
    with Store.open(file) as store:
        _fill(store, file)
        with _served(file) as address:

            def one(what: str = "", **parameters: str) -> Any:
                query = urlencode({"_shape": "array", **parameters})
                page = f"feedback/{what}" if what else "feedback"
                with urlopen(f"{address}/{page}.json?{query}", timeout=10) as answer:
                    return json.load(answer)

            yield one


def _fill(store: Store, file: Path) -> None:
    """Two versions of mira: the first disliked and corrected, the second liked."""
    old, new = SAME_DAY
    _say(store, "t1", "ann", "", old, reply="Go away!")
    _say(store, "t2", "bob", "", old, reply="go away!")
    _say(store, "t3", "ann", "v0001-3fa91c2b", new, reply="Welcome, dear.")
    _say(store, "t4", "ann", "v0001-3fa91c2b", new + timedelta(minutes=1), "Sit.", take=1)
    _say(store, "t0", "ann", "", NOW - timedelta(days=9), reply="Long ago.")
    _react(store, Thumb(False, (Reason.OUT_OF_CHARACTER,)), "t1", "t0")
    _react(store, Thumb(False, (Reason.BORING, Reason.OUT_OF_CHARACTER)), "t2")
    _react(store, Thumb(True), "t3")
    _react(store, Thumb(False), "t4")
    _react(store, Thumb(True), "t4")
    _react(store, Rating(1), "t1")
    _react(store, Edit("Come in."), "t1", "t2")
    with closing(sqlite3.connect(file, isolation_level=None)) as db:
        db.execute("INSERT INTO refusals VALUES ('2026-03-01', 'mira', 'rate limit', 7)")


def _say(
    store: Store,
    turn_id: str,
    player: str,
    version: str,
    at: datetime,
    reply: str,
    take: int = 0,
) -> None:
    session_id = f"{player}-{version}-{at.date() < (NOW - timedelta(days=5)).date()}"
    store.record_session(Session(session_id, player, "mira", "aa11", True, NOW)).result()
    store.record_turn(
        replace(
            TURN,
            turn_id=turn_id,
            first_turn_id=turn_id,
            session_id=session_id,
            player_id=player,
            adapter_version=version,
            created_at=at,
            player_text="Hello?",
            reply_text=reply,
            take=take,
        )
    ).result()


_SENT = iter(range(1_000))


def _react(store: Store, payload: Payload, *turn_ids: str) -> None:
    for turn_id in turn_ids:
        number = next(_SENT)
        at = NOW + timedelta(seconds=number)
        store.submit(Reaction(f"e{number:03}", payload, at, turn_id=turn_id)).result()


@contextmanager
def _served(file: Path) -> Iterator[str]:
    """The address of a Datasette on a free port."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "datasette", "serve", str(file), "-m", str(BROWSE)]
    with subprocess.Popen([*command, "--port", str(port)]) as process:
        try:
            yield _ready(f"http://127.0.0.1:{port}")
        finally:
            process.terminate()


def _ready(address: str) -> str:
    for _ in range(200):
        try:
            urlopen(f"{address}/-/versions.json", timeout=5).close()
        except URLError:
            time.sleep(0.1)
        else:
            return address
    raise AssertionError("Datasette does not answer")


def test_the_worst_lines_of_the_week_come_with_their_reasons(ask: Ask) -> None:
    (worst,) = ask("worst_lines")
    assert (worst["reply"], worst["dislikes"], worst["likes"]) == ("Go away!", 2, 0)
    assert (worst["version"], worst["stars"]) == ("base", 1.0)
    assert set(worst["reasons"].split(",")) == {"boring", "out_of_character"}


def test_the_worst_lines_of_more_days_can_be_asked_for(ask: Ask) -> None:
    assert [row["reply"] for row in ask("worst_lines", days="30")] == ["Go away!", "Long ago."]


def test_what_players_rewrite_most_comes_with_what_they_wrote(ask: Ask) -> None:
    (row,) = ask("most_rewritten")
    assert (row["reply"], row["corrections"], row["players"]) == ("Go away!", 2, 2)
    assert row["newest_correction"] == "Come in."


def test_versions_are_compared_by_the_votes_that_stand(ask: Ask) -> None:
    bare, trained = ask("versions_compared", character="mira")
    assert (bare["version"], bare["turns"], bare["liked_percent"]) == ("base", 3, 0.0)
    assert bare["rewritten_per_100"] == 66.7
    assert (trained["likes"], trained["dislikes"], trained["liked_percent"]) == (2, 0, 100.0)
    assert trained["regenerated_per_100"] == 50.0


def test_another_character_has_no_versions(ask: Ask) -> None:
    assert ask("versions_compared", character="bram") == []


def test_refused_floods_are_listed_by_day(ask: Ask) -> None:
    assert ask("refused_floods") == [
        {"day": "2026-03-01", "character": "mira", "rule": "rate limit", "events": 7}
    ]


def test_a_session_reads_as_a_conversation(ask: Ask) -> None:
    newest = [(row["speaker"], row["line"], row["vote"]) for row in ask("conversation")]
    assert newest == [
        ("player", "Hello?", None),
        ("mira", "Welcome, dear.", "up"),
        ("mira (take 2)", "Sit.", "up"),
    ]
    named = ask("conversation", session_id="bob--False")
    assert [row["line"] for row in named] == ["Hello?", "go away!"]


def test_replies_are_shown_newest_first_without_provenance(ask: Ask) -> None:
    rows = ask("replies")
    assert [row["reply"] for row in rows][:2] == ["Sit.", "Welcome, dear."]
    assert rows[-1]["reply"] == "Long ago."
    assert not {"prompt_ids", "messages"} & set(rows[0])


def test_what_is_described_is_there(ask: Ask) -> None:
    described = yaml.safe_load(BROWSE.read_text())["databases"]["feedback"]
    for name, table in described["tables"].items():
        columns = set(ask(name, _size="1", _shape="objects")["columns"])
        assert set(table.get("columns", {})) | set(table.get("facets", [])) <= columns
        assert {table.get("sort_desc"), table.get("label_column")} - {None} <= columns


def test_nothing_can_be_written(ask: Ask) -> None:
    assert ask(sql="SELECT 1 AS one") == [{"one": 1}]
    with pytest.raises(HTTPError, match="400"):
        ask(sql="DELETE FROM turns")
    assert len(ask("replies")) == 5
