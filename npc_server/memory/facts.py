"""What a character holds to be true of a player: the newest word on every topic. Pure.

Statements are never changed by later ones. What replaces what is found out anew whenever they are
read, so that a player who goes back to an earlier save game is believed what they had said by then.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from feedback_store.memory_records import Memories, Statement
from languages.reading import read
from npc_server.memory.tellings import NAME


@dataclass(frozen=True)
class Fact:
    """What is known on one topic."""

    told: tuple[Statement, ...]  # all that say it, oldest first; at least one
    replaced: tuple[Statement, ...] = ()  # older ones that say something else, oldest first

    @property
    def statement(self) -> Statement:
        """The newest that says it."""
        return self.told[-1]

    @property
    def turn_ids(self) -> tuple[str, ...]:
        """The turns that told it, oldest first."""
        return tuple(dict.fromkeys(one.turn_id for one in self.told))

    @property
    def fact_id(self) -> str:
        """Names the fact until a newer statement replaces it."""
        return self.statement.statement_id


def facts(statements: Iterable[Statement]) -> tuple[Fact, ...]:
    """The facts that statements of one player to one character come to, oldest first.

    Statements on one topic replace each other; without a topic, only the same words are one fact.
    """
    by_key: dict[tuple[str, str], list[Statement]] = {}
    for statement in sorted(statements, key=_order):
        by_key.setdefault(_key(statement), []).append(statement)
    return tuple(sorted(map(_fact, by_key.values()), key=lambda one: _order(one.statement)))


def player_name(known: Iterable[Fact]) -> str:
    """What the player is called; "" = they have not said."""
    names = [fact.statement.value for fact in known if fact.statement.topic == NAME]
    return names[-1] if names else ""


def forgettable(memories: Memories) -> dict[str, tuple[str, ...]]:
    """Everything that can be forgotten, by id, with the rows that must go for it.

    A fact goes with all that told it and all that it replaced, or that would be believed again.
    """
    of_facts = {
        fact.fact_id: tuple(one.statement_id for one in (*fact.told, *fact.replaced))
        for fact in facts(memories.statements)
    }
    return of_facts | {one.summary_id: (one.summary_id,) for one in memories.summaries}


def _key(statement: Statement) -> tuple[str, str]:
    return (statement.topic, "" if statement.topic else _bare(statement))


def _order(statement: Statement) -> tuple[datetime, str]:
    return statement.told_at, statement.statement_id


def _fact(alike: Sequence[Statement]) -> Fact:
    newest = alike[-1]
    same = tuple(one for one in alike if one is newest or _says_the_same(one, newest))
    return Fact(same, tuple(one for one in alike if one not in same))


def _says_the_same(one: Statement, other: Statement) -> bool:
    if one.value and other.value:
        return read(one.value) == read(other.value)
    return _bare(one) == _bare(other)


def _bare(statement: Statement) -> str:
    return read(statement.text).line
