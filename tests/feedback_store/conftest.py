"""Records to test with, and a store on a real file."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from feedback_store.records import Payload, Reaction, Reason, Session, Thumb, Turn
from feedback_store.store import Store
from tests.support import turns
from tests.support.turns import NOON

SESSION = Session("s1", "ann", "mira", "aa11", consent=True, started_at=NOON)
TURN = replace(
    turns.TURN,
    adapter_version="v0001-3fa91c2b",
    adapter_hash="3fa9",
    messages=(
        {"role": "system", "content": "You are Mira."},
        {"role": "user", "content": "Où est l'église? 🐉"},
    ),
    prompt_ids=(1, 2, 2**31 - 1),
    player_text="Où est l'église? 🐉",
    sampling={"temperature": 0.7, "top_k": 40, "stop": ["\n\n"]},
    seed=2**32 - 1,
    arm_probability=0.95,
    queue_ms=0.5,
    ttft_ms=80,
    total_ms=912.25,
)
REACTION = Reaction("e1", Thumb(False, (Reason.TOO_LONG, Reason.BORING)), NOON, turn_id="t1")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the store's file goes."""
    return tmp_path / "feedback.db"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    """An open store that knows session s1 and turn t1 of player ann."""
    with Store.open(path) as opened:
        opened.record_session(SESSION).result()
        opened.record_turn(TURN).result()
        yield opened


@pytest.fixture
def session() -> Session:
    """The session the store knows."""
    return SESSION


@pytest.fixture
def turn() -> Turn:
    """The turn the store knows."""
    return TURN


@pytest.fixture
def reaction() -> Reaction:
    """A thumb on the known turn, not submitted."""
    return REACTION


@pytest.fixture
def make_reaction() -> Callable[..., Reaction]:
    """A reaction to t1, with what matters to the test replaced."""

    def made(payload: Payload, event_id: str = "e1", **changes: Any) -> Reaction:
        return replace(REACTION, payload=payload, event_id=event_id, **changes)

    return made
