"""What a session's player has told of themselves, as its characters remember it. Pure.

Whoever hears a line may remember it. The character that is spoken to does so as long as the session
says; those who stand by do where it is remembered from session to session, since this session is
none of theirs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import replace

from feedback_store.memory_records import Finder, Span, Statement
from feedback_store.privacy.redaction import has_placeholder
from npc_server.memory.tellings import MAX_TELLINGS, Telling, tellings
from npc_server.sessions import Exchange, Session


def statements(session: Session, exchange: Exchange) -> tuple[Statement, ...]:
    """What one exchange of a session adds to the memory of those who heard it."""
    return tuple(
        _statement(session, exchange, hearer, number, one)
        for hearer in _rememberers(session, exchange)
        for number, one in enumerate(told_in(session, exchange))
    )


def proposed_statements(
    session: Session, exchange: Exchange, found: Sequence[Telling]
) -> tuple[Statement, ...]:
    """What the model found in an exchange, for those who heard it."""
    usable = [one for one in found if not has_placeholder(one.text)]
    return tuple(
        replace(
            _statement(session, exchange, hearer, MAX_TELLINGS + number, one), finder=Finder.MODEL
        )
        for hearer in _rememberers(session, exchange)
        for number, one in enumerate(usable)
    )


def told_in(session: Session, exchange: Exchange) -> tuple[Telling, ...]:
    """What the player's line tells; nothing of what was taken out of it as personal."""
    told = exchange.told_by(session.record.player_id)
    found = tellings(told, session.persona.language)
    return tuple(one for one in found if not has_placeholder(one.text))


def tells_anything(session: Session) -> bool:
    """Whether the player has told anything of themselves so far."""
    return any(told_in(session, exchange) for exchange in session.exchanges)


def first_in_prompt(session: Session, dropped_lines: int) -> int:
    """The index of the first exchange that a prompt holds which leaves out so many lines.

    The greeting, and what a client brought, come before all exchanges. Lines without an answer
    stand in one message with the next one that has any, and those that no model may read are in no
    prompt.
    """
    left = dropped_lines - bool(session.record.greeting) - len(session.brought)
    for at, exchange in enumerate(session.exchanges):
        if left <= 0:
            return at
        left -= 2 if exchange.kept.text.strip() and not exchange.kept.unread else 0
    return len(session.exchanges) if dropped_lines else 0


def _rememberers(session: Session, exchange: Exchange) -> Iterator[str]:
    own = session.persona.id
    yield own
    if session.record.memory is Span.PLAYER:
        yield from (hearer for hearer in exchange.hearers if hearer != own)


def _statement(
    session: Session, exchange: Exchange, hearer: str, number: int, told: Telling
) -> Statement:
    first = exchange.takes[0]
    named = f"{first.turn_id}/{hearer}/{number}"
    return Statement(
        statement_id=hashlib.sha256(named.encode()).hexdigest()[:12],
        session_id=session.session_id,
        turn_id=first.turn_id,
        player_id=session.record.player_id,
        character=hearer,
        spoken_to=session.persona.id,
        topic=told.topic,
        value=told.value,
        text=told.text,
        weight=told.weight,
        finder=Finder.RULE,
        span=session.record.memory,
        told_at=first.ended_at,
    )
