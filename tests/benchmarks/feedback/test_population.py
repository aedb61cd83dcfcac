"""The generated store is one that the real code reads."""

from pathlib import Path

import pytest

from benchmarks.feedback import bare_writer, population
from benchmarks.feedback.bare_writer import Load
from benchmarks.feedback.population import EVENTS_PER_TURN, Size
from feedback_store.store import Store

SIZE = Size(characters=3, turns_each=100)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A generated store's file."""
    path = tmp_path_factory.mktemp("population") / "feedback.db"
    population.write(path, SIZE)
    return path


def test_every_character_has_as_much(path: Path) -> None:
    with Store.open(path) as store:
        assert store.characters() == ["c0", "c1", "c2"]
        for character in store.characters():
            assert len(store.turns(character)) == SIZE.turns_each
            assert len(store.events(character)) == SIZE.turns_each * EVENTS_PER_TURN


def test_turns_belong_to_sessions_of_their_player(path: Path) -> None:
    with Store.open(path) as store:
        for turn in store.turns("c1"):
            session = store.session(turn.session_id)
            assert session is not None
            assert (session.player_id, session.character) == (turn.player_id, "c1")


def test_the_bare_writer_writes_what_the_store_reads(path: Path) -> None:
    with Store.open(path) as store:
        before = sum(len(store.events(name)) for name in store.characters())
        assert bare_writer.events_per_s(path, SIZE, 30, Load(clients=30, batch=5, seed=1)) > 0
        after = sum(len(store.events(name)) for name in store.characters())
        assert after == before + 30
