"""Reading a store while it is closed."""

import threading
from pathlib import Path

import pytest

from feedback_store.errors import StoreClosedError
from feedback_store.read_connections import ReadConnections
from feedback_store.store import Store


@pytest.fixture
def connections(tmp_path: Path) -> ReadConnections:
    with Store.open(tmp_path / "feedback.db"):
        pass
    return ReadConnections(tmp_path / "feedback.db", busy_timeout_s=1)


def test_closing_waits_for_a_read_that_runs(connections: ReadConnections) -> None:
    reading, go_on, found = threading.Event(), threading.Event(), list[int]()

    def read() -> None:
        with connections.reading() as db:
            reading.set()
            go_on.wait()
            found.append(db.execute("SELECT 7").fetchone()[0])

    reader, closer = threading.Thread(target=read), threading.Thread(target=connections.close)
    reader.start()
    reading.wait()
    closer.start()
    go_on.set()
    for thread in (reader, closer):
        thread.join()
    assert found == [7]


def test_nobody_reads_from_what_is_closed(connections: ReadConnections) -> None:
    connections.close()
    with pytest.raises(StoreClosedError, match="is closed; open it again"), connections.reading():
        pass


def test_a_read_that_never_ends_keeps_its_connection(
    connections: ReadConnections, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("feedback_store.read_connections.END_S", 0.01)
    with connections.reading() as db:
        connections.close()
        assert db.execute("SELECT 7").fetchone() == (7,)
