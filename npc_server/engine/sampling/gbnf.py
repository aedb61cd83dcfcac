"""GBNF text to a grammar that is safe to follow.

The notation is llama.cpp's, without its token elements. Reading it here and not there gives every
mistake its line and column, and refuses what would hang or end the process later: left recursion
however hidden, rules that can never be finished, nesting and repetition without bound. What comes
out is flat: rules of alternatives of elements, each a set of characters or another rule.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import NoReturn

from npc_server.engine.errors import RequestRejectedError
from npc_server.engine.sampling.gbnf_tokens import Token, describe, place, refuse, tokens
from npc_server.engine.sampling.grammar_rules import (
    ANY,
    LAST_CHARACTER,
    Alternative,
    Chars,
    DraftRule,
    Element,
    Grammar,
    Ref,
    complement,
    merged,
)
from npc_server.engine.sampling.rule_checks import check_finishing, check_recursion

ROOT = "root"
MAX_TEXT_BYTES = 32 * 1024  # reading this much takes a quarter of a second at worst
MAX_REPEATS = 2000  # of one element
MAX_ELEMENTS = 100_000  # of all rules, repetitions written out


def parse(text: str) -> Grammar:
    """Read a grammar. Raises RequestRejectedError."""
    if len(text.encode()) > MAX_TEXT_BYTES:
        raise RequestRejectedError(
            f"grammar has more than {MAX_TEXT_BYTES // 1024} KiB; make it shorter"
        )
    rules = _Parser(text).parse()
    check_recursion(rules, text)
    check_finishing(rules, text)
    return Grammar(tuple(tuple(rule.alternatives) for rule in rules), rules[0].number)


class _Parser:
    """Reads rules; groups and repetitions become rules of their own.

    Nesting is kept in a list and not on the call stack, so its depth is bounded by the text alone.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = list(tokens(text))
        self._at = 0
        self._elements = 0
        self._named: dict[str, DraftRule] = {}
        self._rules: list[DraftRule] = []
        self._rule_named(ROOT, 0)  # so that it is rule 0

    def parse(self) -> list[DraftRule]:
        self._skip_newlines()
        first = self._peek()
        while self._peek().kind != "end":
            self._read_rule()
            self._skip_newlines()
        for rule in self._rules:
            if not rule.defined:
                self._refuse_undefined(rule, first)
        return self._rules

    def _refuse_undefined(self, rule: DraftRule, first: Token) -> NoReturn:
        if rule.name == ROOT:
            start = f"the first one is {first.text!r}" if first.text else "there is none"
            what = f"expected a rule named 'root', where replies start; {start}"
            refuse(self._text, first.offset, what)
        known = [name for name, other in self._named.items() if other.defined]
        near = next(iter(get_close_matches(rule.name, known, n=1)), "")
        hint = f"did you mean {near!r}?" if near else f"the rules are {', '.join(known)[:200]}"
        refuse(self._text, rule.offset, f"no rule is named {rule.name!r}; {hint}")

    def _read_rule(self) -> None:
        name = self._expect("name", "a rule name at the start of a line")
        self._expect("define", f"'::=' after the rule name {name.text!r}")
        rule = self._rule_named(name.text, name.offset)
        if rule.defined:
            first = place(self._text, rule.offset)
            what = f"rule {name.text!r} is defined twice, first at {first}"
            refuse(self._text, name.offset, what)
        rule.offset, rule.defined = name.offset, True
        self._skip_newlines()
        self._add(rule, self._read_alternatives())

    def _read_alternatives(self) -> list[Alternative]:
        groups = [_Group(self._peek().offset)]
        while True:
            token = self._next()
            if token.kind == "end" or (token.kind == "newline" and len(groups) == 1):
                break
            if token.kind == "define" and len(groups) > 1:
                self._refuse_open(groups[-1], token)
            self._read_element(token, groups)
        if len(groups) > 1:
            self._refuse_open(groups[-1], token)
        return groups[0].flatten()

    def _refuse_open(self, group: _Group, token: Token) -> NoReturn:
        opened = place(self._text, group.offset)
        what = f"expected ')' for the '(' at {opened}, found {describe(token)}"
        refuse(self._text, token.offset, what)

    def _read_element(self, token: Token, groups: list[_Group]) -> None:
        group = groups[-1]
        match token.kind:
            case "newline":
                pass
            case "bar":
                group.alternatives.append([])
                self._skip_newlines()
            case "open":
                groups.append(_Group(token.offset))
            case "close":
                self._close(token, groups)
            case "repeat":
                self._repeat(token, group)
            case "define":
                refuse(self._text, token.offset, "found '::='; a rule starts on a line of its own")
            case _:
                group.items.append(self._item(token))

    def _close(self, token: Token, groups: list[_Group]) -> None:
        if len(groups) == 1:
            refuse(self._text, token.offset, "found ')' without its '('")
        closed = groups.pop()
        rule = self._new_rule("", closed.offset)
        self._add(rule, closed.flatten())
        groups[-1].items.append([Ref(rule.number)])

    def _item(self, token: Token) -> list[Element]:
        if token.kind == "name":
            return [Ref(self._rule_named(token.text, token.offset).number)]
        if token.kind == "any":
            return [ANY]
        if token.kind == "set":
            return [self._set(token)]
        characters = self._characters(token, 1, len(token.text) - 1)
        return [Chars(((character, character),)) for character, _ in characters]

    def _set(self, token: Token) -> Chars:
        negated = token.text.startswith("[^")
        written = list(self._characters(token, 2 if negated else 1, len(token.text) - 1))
        if not written:
            refuse(self._text, token.offset, "the set is empty; name a character or a range")
        ranges = merged(self._ranges(written))
        return Chars(tuple(complement(ranges)) if negated else ranges)

    def _ranges(self, written: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
        i = 0
        while i < len(written):
            low, offset = written[i]
            is_range = i + 2 < len(written) and self._is_dash(written[i + 1])
            high = written[i + 2][0] if is_range else low
            if high < low:
                refuse(self._text, offset, f"the range runs backwards: {chr(low)}-{chr(high)}")
            yield low, high
            i += 3 if is_range else 1

    def _is_dash(self, written: tuple[int, int]) -> bool:
        return self._text[written[1]] == "-"  # an escaped one starts with a backslash

    def _characters(self, token: Token, start: int, end: int) -> Iterator[tuple[int, int]]:
        """Characters written between two places of a token, each with its offset in the text."""
        at = start
        while at < end:
            offset = token.offset + at
            if token.text[at] != "\\":
                yield ord(token.text[at]), offset
                at += 1
                continue
            length, character = self._escape(token.text[at + 1 : end], offset)
            yield character, offset
            at += 1 + length

    def _escape(self, rest: str, offset: int) -> tuple[int, int]:
        """How long what follows a backslash is, and the character it means."""
        if rest[0] in _ESCAPES:
            return 1, ord(_ESCAPES[rest[0]])
        digits = _HEX_DIGITS.get(rest[0])
        if digits is None:
            known = r"\n \r \t \\ \" \[ \] \- \xHH \uHHHH \UHHHHHHHH"
            refuse(self._text, offset, f"unknown escape '\\{rest[0]}'; known: {known}")
        written = rest[1 : 1 + digits]
        if not re.fullmatch(rf"[0-9a-fA-F]{{{digits}}}", written):
            what = f"expected {digits} hexadecimal digits after '\\{rest[0]}', found {written!r}"
            refuse(self._text, offset, what)
        if int(written, 16) > LAST_CHARACTER:
            refuse(self._text, offset, f"'\\{rest[0]}{written}' is no Unicode character")
        return 1 + digits, int(written, 16)

    def _repeat(self, token: Token, group: _Group) -> None:
        if not group.items:
            what = f"{token.text!r} repeats nothing; put it behind an element"
            refuse(self._text, token.offset, what)
        least, most = _bounds(token.text)
        if max(least, most or 0) > MAX_REPEATS:
            what = f"{token.text} repeats more than {MAX_REPEATS} times; use a smaller number"
            refuse(self._text, token.offset, what)
        if most is not None and most < least:
            refuse(self._text, token.offset, f"{token.text} has its numbers the wrong way round")
        item = self._repeatable(group.items.pop(), token.offset)
        group.items.append([*item * least, *self._rest(item, least, most, token.offset)])
        self._count(len(group.items[-1]), token.offset)

    def _repeatable(self, item: list[Element], offset: int) -> list[Element]:
        if len(item) <= 1:
            return item
        rule = self._new_rule("", offset)
        self._add(rule, [tuple(item)])
        return [Ref(rule.number)]

    def _rest(
        self, item: list[Element], least: int, most: int | None, offset: int
    ) -> list[Element]:
        """What may come after the least number of repetitions."""
        if most is None:
            loop = self._new_rule("", offset)
            loop.loops = True
            self._add(loop, [(*item, Ref(loop.number)), ()])
            return [Ref(loop.number)]
        rest: list[Element] = []
        for _ in range(most - least):
            rule = self._new_rule("", offset)
            self._add(rule, [(*item, *rest), ()])
            rest = [Ref(rule.number)]
        return rest

    def _add(self, rule: DraftRule, alternatives: list[Alternative]) -> None:
        rule.alternatives = alternatives
        self._count(sum(len(alternative) + 1 for alternative in alternatives), rule.offset)

    def _count(self, elements: int, offset: int) -> None:
        self._elements += elements
        if self._elements > MAX_ELEMENTS:
            what = f"more than {MAX_ELEMENTS} elements with all repetitions; repeat less"
            refuse(self._text, offset, what)

    def _rule_named(self, name: str, offset: int) -> DraftRule:
        if name not in self._named:
            self._named[name] = self._new_rule(name, offset)
            self._named[name].defined = False
        return self._named[name]

    def _new_rule(self, name: str, offset: int) -> DraftRule:
        rule = DraftRule(len(self._rules), name, offset, defined=True)
        self._rules.append(rule)
        return rule

    def _peek(self) -> Token:
        return self._tokens[self._at]

    def _next(self) -> Token:
        token = self._tokens[self._at]
        self._at = min(self._at + 1, len(self._tokens) - 1)
        return token

    def _expect(self, kind: str, what: str) -> Token:
        token = self._next()
        if token.kind != kind:
            refuse(self._text, token.offset, f"expected {what}, found {describe(token)}")
        return token

    def _skip_newlines(self) -> None:
        while self._peek().kind == "newline":
            self._at += 1


_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", **{c: c for c in '\\"[]-'}}
_HEX_DIGITS = {"x": 2, "u": 4, "U": 8}


@dataclass
class _Group:
    """What has been read between parentheses so far; items are what a repetition applies to."""

    offset: int
    alternatives: list[list[list[Element]]] = field(default_factory=lambda: [[]])

    @property
    def items(self) -> list[list[Element]]:
        return self.alternatives[-1]

    def flatten(self) -> list[Alternative]:
        return [tuple(element for item in items for element in item) for items in self.alternatives]


def _bounds(repeat: str) -> tuple[int, int | None]:
    if repeat in "*+?":
        return (1 if repeat == "+" else 0), (1 if repeat == "?" else None)
    least, comma, most = repeat.strip("{}").partition(",")
    if not comma:
        return int(least), int(least)
    return int(least), int(most) if most.strip() else None
