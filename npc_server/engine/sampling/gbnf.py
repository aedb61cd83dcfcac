"""GBNF text to a grammar that is safe to follow.

The notation is llama.cpp's, without its token elements. Reading it here and not there gives every
mistake its line and column, and refuses what would hang or end the process later: left recursion
however hidden, rules that can never be finished, nesting and repetition without bound. What comes
out is flat: rules of alternatives of elements, each a set of characters or another rule.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import NoReturn

from npc_server.engine.errors import RequestRejectedError

ROOT = "root"
MAX_TEXT_BYTES = 32 * 1024  # reading so much takes a quarter of a second at worst
MAX_REPEATS = 2000  # of one element
MAX_ELEMENTS = 100_000  # of all rules, repetitions written out
_LAST_CHARACTER = 0x10FFFF


@dataclass(frozen=True)
class Chars:
    """One character out of sorted, separate, inclusive ranges."""

    ranges: tuple[tuple[int, int], ...]

    def holds(self, character: int) -> bool:
        """Whether the character is one of them."""
        return self.meets(character, character)

    def meets(self, low: int, high: int) -> bool:
        """Whether any character from `low` to `high` is one of them."""
        last = bisect_right(self.ranges, (high, _LAST_CHARACTER)) - 1
        return last >= 0 and self.ranges[last][1] >= low


@dataclass(frozen=True)
class Ref:
    """Whatever the rule with this number stands for."""

    rule: int


Element = Chars | Ref
Alternative = tuple[Element, ...]
ANY = Chars(((0, _LAST_CHARACTER),))


@dataclass(frozen=True)
class Grammar:
    """Rules by number; each is its alternatives, and each alternative its elements."""

    rules: tuple[tuple[Alternative, ...], ...]
    root: int


def parse(text: str) -> Grammar:
    """Read a grammar. Raises RequestRejectedError."""
    if len(text.encode()) > MAX_TEXT_BYTES:
        raise RequestRejectedError(
            f"grammar has more than {MAX_TEXT_BYTES // 1024} KiB; make it shorter"
        )
    rules = _Parser(text).parse()
    _check_recursion(rules, text)
    _check_finishing(rules, text)
    return Grammar(tuple(tuple(rule.alternatives) for rule in rules), rules[0].number)


def merged(ranges: Iterable[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """The same characters in sorted, separate ranges."""
    joined: list[tuple[int, int]] = []
    for low, high in sorted(ranges):
        if joined and low <= joined[-1][1] + 1:
            joined[-1] = (joined[-1][0], max(joined[-1][1], high))
        else:
            joined.append((low, high))
    return tuple(joined)


def _complement(ranges: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    start = 0
    for low, high in merged(ranges):
        if low > start:
            yield start, low - 1
        start = high + 1
    if start <= _LAST_CHARACTER:
        yield start, _LAST_CHARACTER


@dataclass(frozen=True)
class _Token:
    kind: str  # a group name of _TOKEN; "end" after the last
    text: str
    offset: int


_TOKEN = re.compile(
    r"""(?P<space>[ \t]+|\#[^\r\n]*)
      | (?P<newline>\r\n|\r|\n)
      | (?P<define>::=)
      | (?P<name>[a-zA-Z0-9-]+)
      | (?P<literal>"(?:[^"\\\r\n]|\\.)*")
      | (?P<set>\[(?:[^\]\\\r\n]|\\.)*\])
      | (?P<repeat>[*+?]|\{[ \t]*\d{1,9}[ \t]*(?:,[ \t]*(?:\d{1,9}[ \t]*)?)?\})
      | (?P<any>\.)
      | (?P<bar>\|)
      | (?P<open>\()
      | (?P<close>\))""",
    re.VERBOSE,
)
_UNREADABLE = {
    '"': "a text without its closing quote; close it on the same line, a new line in it is \\n",
    "[": "a set without its closing ']' on the same line",
    "{": "a repetition that is none of {m}, {m,} and {m,n} with whole numbers",
    "<": "a token element; they are not taken here: write the text itself in quotes",
    "!": "a token element; they are not taken here: write the text itself in quotes",
    "_": "'_', which no rule name may hold; use letters, digits and '-'",
}


def _tokens(text: str) -> Iterator[_Token]:
    offset = 0
    while offset < len(text):
        found = _TOKEN.match(text, offset)
        if found is None:
            read = _UNREADABLE.get(text[offset], f"{text[offset]!r}, which means nothing here")
            _refuse(text, offset, f"found {read}")
        assert found.lastgroup is not None  # every branch is named
        if found.lastgroup != "space":
            yield _Token(found.lastgroup, found.group(), offset)
        offset = found.end()
    yield _Token("end", "", offset)


def _refuse(text: str, offset: int, what: str) -> NoReturn:
    raise RequestRejectedError(f"grammar {_place(text, offset)}: {what}")


def _place(text: str, offset: int) -> str:
    before = text[:offset].replace("\r\n", "\n").replace("\r", "\n")
    return f"line {before.count(chr(10)) + 1}, column {len(before) - before.rfind(chr(10))}"


def _named(token: _Token) -> str:
    names = {"end": "the end of the grammar", "newline": "the end of the line"}
    return names.get(token.kind) or repr(token.text)


@dataclass
class _Rule:
    number: int
    name: str  # "" = made from a group or a repetition
    offset: int  # of its definition, or of the first place that needs it
    alternatives: list[Alternative] = field(default_factory=list)
    defined: bool = False
    loops: bool = False  # its last element may be itself, which is how repetition is written


class _Parser:
    """Reads rules; groups and repetitions become rules of their own.

    Nesting is kept in a list and not on the call stack, so its depth is bounded by the text alone.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = list(_tokens(text))
        self._at = 0
        self._elements = 0
        self._named: dict[str, _Rule] = {}
        self._rules: list[_Rule] = []
        self._rule_named(ROOT, 0)  # so that it is rule 0

    def parse(self) -> list[_Rule]:
        self._skip_newlines()
        first = self._peek()
        while self._peek().kind != "end":
            self._read_rule()
            self._skip_newlines()
        for rule in self._rules:
            if not rule.defined:
                self._refuse_undefined(rule, first)
        return self._rules

    def _refuse_undefined(self, rule: _Rule, first: _Token) -> NoReturn:
        if rule.name == ROOT:
            start = f"the first one is {first.text!r}" if first.text else "there is none"
            _refuse(
                self._text,
                first.offset,
                f"expected a rule named 'root', where replies start; {start}",
            )
        known = [name for name, other in self._named.items() if other.defined]
        near = next(iter(get_close_matches(rule.name, known, n=1)), "")
        hint = f"did you mean {near!r}?" if near else f"the rules are {', '.join(known)[:200]}"
        _refuse(self._text, rule.offset, f"no rule is named {rule.name!r}; {hint}")

    def _read_rule(self) -> None:
        name = self._expect("name", "a rule name at the start of a line")
        self._expect("define", f"'::=' after the rule name {name.text!r}")
        rule = self._rule_named(name.text, name.offset)
        if rule.defined:
            first = _place(self._text, rule.offset)
            _refuse(
                self._text, name.offset, f"rule {name.text!r} is defined twice, first at {first}"
            )
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
        return groups[0].finished()

    def _refuse_open(self, group: _Group, token: _Token) -> NoReturn:
        opened = _place(self._text, group.offset)
        what = f"expected ')' for the '(' at {opened}, found {_named(token)}"
        _refuse(self._text, token.offset, what)

    def _read_element(self, token: _Token, groups: list[_Group]) -> None:
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
                _refuse(self._text, token.offset, "found '::='; a rule starts on a line of its own")
            case _:
                group.items.append(self._item(token))

    def _close(self, token: _Token, groups: list[_Group]) -> None:
        if len(groups) == 1:
            _refuse(self._text, token.offset, "found ')' without its '('")
        closed = groups.pop()
        rule = self._new_rule("", closed.offset)
        self._add(rule, closed.finished())
        groups[-1].items.append([Ref(rule.number)])

    def _item(self, token: _Token) -> list[Element]:
        if token.kind == "name":
            return [Ref(self._rule_named(token.text, token.offset).number)]
        if token.kind == "any":
            return [ANY]
        if token.kind == "set":
            return [self._set(token)]
        characters = self._characters(token, 1, len(token.text) - 1)
        return [Chars(((character, character),)) for character, _ in characters]

    def _set(self, token: _Token) -> Chars:
        negated = token.text.startswith("[^")
        written = list(self._characters(token, 2 if negated else 1, len(token.text) - 1))
        if not written:
            _refuse(self._text, token.offset, "the set is empty; name a character or a range")
        ranges = merged(self._ranges(written))
        return Chars(tuple(_complement(ranges)) if negated else ranges)

    def _ranges(self, written: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
        i = 0
        while i < len(written):
            low, offset = written[i]
            is_range = i + 2 < len(written) and self._is_dash(written[i + 1])
            high = written[i + 2][0] if is_range else low
            if high < low:
                _refuse(self._text, offset, f"the range runs backwards: {chr(low)}-{chr(high)}")
            yield low, high
            i += 3 if is_range else 1

    def _is_dash(self, written: tuple[int, int]) -> bool:
        return self._text[written[1]] == "-"  # an escaped one starts with a backslash

    def _characters(self, token: _Token, start: int, end: int) -> Iterator[tuple[int, int]]:
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
            _refuse(self._text, offset, f"unknown escape '\\{rest[0]}'; known: {known}")
        written = rest[1 : 1 + digits]
        if not re.fullmatch(rf"[0-9a-fA-F]{{{digits}}}", written):
            what = f"expected {digits} hexadecimal digits after '\\{rest[0]}', found {written!r}"
            _refuse(self._text, offset, what)
        if int(written, 16) > _LAST_CHARACTER:
            _refuse(self._text, offset, f"'\\{rest[0]}{written}' is no Unicode character")
        return 1 + digits, int(written, 16)

    def _repeat(self, token: _Token, group: _Group) -> None:
        if not group.items:
            what = f"{token.text!r} repeats nothing; put it behind an element"
            _refuse(self._text, token.offset, what)
        least, most = _bounds(token.text)
        if max(least, most or 0) > MAX_REPEATS:
            what = f"{token.text} repeats more than {MAX_REPEATS} times; use a smaller number"
            _refuse(self._text, token.offset, what)
        if most is not None and most < least:
            _refuse(self._text, token.offset, f"{token.text} has its numbers the wrong way round")
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

    def _add(self, rule: _Rule, alternatives: list[Alternative]) -> None:
        rule.alternatives = alternatives
        self._count(sum(len(alternative) + 1 for alternative in alternatives), rule.offset)

    def _count(self, elements: int, offset: int) -> None:
        self._elements += elements
        if self._elements > MAX_ELEMENTS:
            what = f"more than {MAX_ELEMENTS} elements with all repetitions; repeat less"
            _refuse(self._text, offset, what)

    def _rule_named(self, name: str, offset: int) -> _Rule:
        if name not in self._named:
            self._named[name] = self._new_rule(name, offset)
            self._named[name].defined = False
        return self._named[name]

    def _new_rule(self, name: str, offset: int) -> _Rule:
        rule = _Rule(len(self._rules), name, offset, defined=True)
        self._rules.append(rule)
        return rule

    def _peek(self) -> _Token:
        return self._tokens[self._at]

    def _next(self) -> _Token:
        token = self._tokens[self._at]
        self._at = min(self._at + 1, len(self._tokens) - 1)
        return token

    def _expect(self, kind: str, what: str) -> _Token:
        token = self._next()
        if token.kind != kind:
            _refuse(self._text, token.offset, f"expected {what}, found {_named(token)}")
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

    def finished(self) -> list[Alternative]:
        return [tuple(element for item in items for element in item) for items in self.alternatives]


def _bounds(repeat: str) -> tuple[int, int | None]:
    if repeat in "*+?":
        return (1 if repeat == "+" else 0), (1 if repeat == "?" else None)
    least, comma, most = repeat.strip("{}").partition(",")
    if not comma:
        return int(least), int(least)
    return int(least), int(most) if most.strip() else None


def _check_recursion(rules: Sequence[_Rule], text: str) -> None:
    """Refuse rules that come back to themselves before a character is read."""
    empty = _derivable(rules, with_characters=False)
    done: set[int] = set()
    for rule in rules:
        cycle = _left_cycle(rules, empty, rule.number, done)
        if cycle:
            named = [rules[number].name for number in cycle if rules[number].name]
            start = next(rules[number] for number in cycle if rules[number].name)
            what = " → ".join([*named, named[0]])
            _refuse(text, start.offset, f"left recursion: {what} without reading a character first")


def _left_cycle(rules: Sequence[_Rule], empty: set[int], start: int, done: set[int]) -> list[int]:
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


def _leftmost(rule: _Rule, empty: set[int]) -> Iterator[int]:
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


def _check_finishing(rules: Sequence[_Rule], text: str) -> None:
    """Refuse rules that only ever lead to more of themselves."""
    ending = _derivable(rules, with_characters=True)
    for rule in rules:
        if rule.number not in ending and rule.name:
            what = f"rule {rule.name!r} never ends; give it an alternative without itself"
            _refuse(text, rule.offset, what)


def _derivable(rules: Sequence[_Rule], *, with_characters: bool) -> set[int]:
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
