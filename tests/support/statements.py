"""Statements of a player as the rules find them, for tests of what becomes of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from feedback_store.memory_records import Finder, Memories, Span, Statement
from npc_server.memory.tellings import tellings

DAY = datetime(2026, 3, 1, tzinfo=UTC)


def told(*lines: str, language: str = "", heard_by: str = "mira") -> tuple[Statement, ...]:
    """What a player's lines tell, a minute and a turn each: "turn-0", "turn-1", ..."""
    return tuple(
        Statement(
            statement_id=f"{heard_by}-{at}-{part}",
            session_id="session",
            turn_id=f"turn-{at}",
            player_id="player",
            character=heard_by,
            spoken_to="mira",
            topic=one.topic,
            value=one.value,
            text=one.text,
            weight=one.weight,
            finder=Finder.RULE,
            span=Span.PLAYER,
            told_at=DAY + timedelta(minutes=at),
        )
        for at, line in enumerate(lines)
        for part, one in enumerate(tellings(line, language))
    )


def memories(*lines: str, language: str = "") -> Memories:
    """What a character remembers of these lines."""
    return Memories(told(*lines, language=language))
