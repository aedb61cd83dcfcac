"""Grammars that could not be followed to an end: rules that loop, and rules that never end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from npc_server.engine.sampling.gbnf_tokens import refuse
from npc_server.engine.sampling.grammar_rules import Chars, DraftRule, Ref


def check_recursion(rules: Sequence[DraftRule], text: str) -> None:
    """Refuse rules that come back to themselves before a character is read."""
    empty = _derivable(rules, with_characters=False)
    done: set[int] = set()
    for rule in rules:
        cycle = _left_cycle(rules, empty, rule.number, done)
        if cycle:
            named = [rules[number].name for number in cycle if rules[number].name]
            start = next(rules[number] for number in cycle if rules[number].name)
            what = " → ".join([*named, named[0]])
            refuse(text, start.offset, f"left recursion: {what} without reading a character first")


def _left_cycle(
    rules: Sequence[DraftRule], empty: set[int], start: int, done: set[int]
) -> list[int]:
    """Rules on a way from `start` back to themselves; what is in `done` has none."""
    if start in done:
        return []
    path, at, ways = [start], {start: 0}, [_leftmost(rules[start], empty)]
    while path:
        following = next(ways[-1], None)
        if following is None:
            done.add(path[-1])
            at.pop(path.pop())
            ways.pop()
        elif following in at:
            return path[at[following] :]
        elif following not in done:
            at[following] = len(path)
            path.append(following)
            ways.append(_leftmost(rules[following], empty))
    return []


def _leftmost(rule: DraftRule, empty: set[int]) -> Iterator[int]:
    """Rules that this one may begin with."""
    for alternative in rule.alternatives:
        for i, element in enumerate(alternative):
            if isinstance(element, Chars):
                break
            # A repetition of what may be empty comes back to itself, but only as its last element:
            # nothing is left to be done after it, so following it ends.
            if not (rule.loops and i == len(alternative) - 1 and element.rule == rule.number):
                yield element.rule
            if element.rule not in empty:
                break


def check_finishing(rules: Sequence[DraftRule], text: str) -> None:
    """Refuse rules that only ever lead to more of themselves."""
    ending = _derivable(rules, with_characters=True)
    for rule in rules:
        if rule.number not in ending and rule.name:
            what = f"rule {rule.name!r} never ends; give it an alternative without itself"
            refuse(text, rule.offset, what)


def _derivable(rules: Sequence[DraftRule], *, with_characters: bool) -> set[int]:
    """Rules with an alternative of nothing but such rules, and of characters if those count."""
    missing: list[int] = []  # by alternative: elements not yet known to be derivable
    owners: list[int] = []
    users: dict[int, list[int]] = {}
    for rule in rules:
        for alternative in rule.alternatives:
            refs = [element.rule for element in alternative if isinstance(element, Ref)]
            characters = len(alternative) - len(refs)
            for ref in refs:
                users.setdefault(ref, []).append(len(owners))
            owners.append(rule.number)
            missing.append(len(refs) + (0 if with_characters else characters))
    ready = [i for i, count in enumerate(missing) if count == 0]
    found: set[int] = set()
    while ready:
        rule_number = owners[ready.pop()]
        if rule_number in found:
            continue
        found.add(rule_number)
        for user in users.get(rule_number, []):
            missing[user] -= 1
            if missing[user] == 0:
                ready.append(user)
    return found
