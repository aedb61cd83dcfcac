"""A GBNF grammar as data: rules of alternatives of items, and what its rules come down to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Item:
    """Characters or a rule, and how often they come."""

    characters: tuple[str, ...] = ()  # a regular expression for each
    rule: int | None = None
    least: int = 1
    most: int | None = 1  # None = without end

    @property
    def leaves(self) -> tuple[int, ...]:
        """The rule it needs, if any, to be read to an end."""
        return (self.rule,) if self.rule is not None and self.least else ()


@dataclass
class Rule:
    """A rule while its grammar is read."""

    number: int
    name: str  # "" = made from a group
    offset: int  # of its definition, or of the first place that needs it
    alternatives: list[tuple[Item, ...]] = field(default_factory=list)
    defined: bool = False

    @property
    def rules(self) -> set[int]:
        """Every rule that it names."""
        return {item.rule for items in self.alternatives for item in items if item.rule is not None}


def finishing(rules: Sequence[Rule]) -> set[int]:
    """Rules that can be read to an end; the others only ever lead to more of themselves."""
    needs = [[{rule for item in a for rule in item.leaves} for a in r.alternatives] for r in rules]
    return _fixpoint(rules, lambda number, found: any(need <= found for need in needs[number]))


def without_recursion(rules: Sequence[Rule]) -> set[int]:
    """Rules that never come back to themselves, directly or through others."""
    needs = [rule.rules for rule in rules]
    return _fixpoint(rules, lambda number, found: needs[number] <= found)


def _fixpoint(rules: Sequence[Rule], ready: Callable[[int, set[int]], bool]) -> set[int]:
    """Rules that are ready once enough of those they name are, from the ground up."""
    users: dict[int, list[int]] = {}
    for rule in rules:
        for needed in rule.rules:
            users.setdefault(needed, []).append(rule.number)
    found: set[int] = set()
    todo = [rule.number for rule in rules]
    while todo:
        number = todo.pop()
        if number not in found and ready(number, found):
            found.add(number)
            todo += users.get(number, [])
    return found
