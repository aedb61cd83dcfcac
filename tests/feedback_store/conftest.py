"""Records to test with, and a store on a real file."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from feedback_store.records import Payload, Reaction, Reason, Session, Thumb, Turn
from feedback_store.store import Store

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
SESSION = Session("s1", "ann", "mira", "aa11", consent=True, started_at=NOON)
TURN = Turn(
    turn_id="t1",
    session_id="s1",
    character="mira",
    player_id="ann",
    persona_version="aa11",
    adapter_version="v0001-3fa91c2b",
    adapter_hash="3fa9",
    base_sha256="b4se",
    messages=(
        {"role": "system", "content": "You are Mira."},
        {"role": "user", "content": "Où est l'église? 🐉"},
    ),
    prompt_ids=(1, 2, 2**31 - 1),
    reply_ids=(7, 8),
    player_text="Où est l'église? 🐉",
    reply_text="Past the mill, dear.",
    take=0,
    first_turn_id="t1",
    finish_reason="stop",
    sampling={"temperature": 0.7, "top_k": 40, "stop": ["\n\n"]},
    seed=2**32 - 1,
    arm_probability=0.95,
    logprob=None,
    queue_ms=0.5,
    ttft_ms=80,
    total_ms=912.25,
    created_at=NOON,
    consent=True,
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
