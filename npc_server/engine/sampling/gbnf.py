"""GBNF text to the Lark notation that llguidance follows.

The notation is llama.cpp's, without its token elements. Reading it here gives every mistake its
line and column, and keeps what is handed on within what llguidance's own reader takes: it recurses
once per nested rule, and a stack that runs out ends the process.

llguidance reads text as longest possible words of a lexer, GBNF as single characters: `"x" | "xy"`
before a "y" must be able to stop after the x. So a grammar without recursion becomes one regular
expression, one word, which is the fastest there is; in any other each character is a word.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from typing import NoReturn

from npc_server.engine.errors import RequestRejectedError
from npc_server.engine.sampling.gbnf_rules import Item, Rule, finishing, without_recursion
from npc_server.engine.sampling.gbnf_tokens import Token, describe, place, refuse, tokens

ROOT = "root"
MAX_TEXT_BYTES = 32 * 1024
MAX_REPEATS = 2000  # of one element
MAX_RULES = 500  # groups counted; llguidance's stack of 8 MiB ran out at four times as many
_LONGEST_WORD = 64  # of those that are put together by their first characters
_LAST_CHARACTER = 0x10FFFF
_SURROGATES = range(0xD800, 0xE000)
_ANY = r"[\x{0}-\x{10ffff}]"


@dataclass(frozen=True)
class Lark:
    """A grammar in Lark notation."""

    text: str
    by_character: bool  # each character is a word of the lexer; not one word all of it


def to_lark(text: str) -> Lark:
    """The same grammar in Lark notation. Raises RequestRejectedError."""
    if len(text.encode()) > MAX_TEXT_BYTES:
        raise RequestRejectedError(
            f"grammar has more than {MAX_TEXT_BYTES // 1024} KiB; make it shorter"
        )
    rules = _Parser(text).parse()
    _check_finishing(rules, text)
    regular = without_recursion(rules)
    if rules[0].number in regular:
        lines = ["start: RULE_0", *(_line(rules[i], "RULE") for i in sorted(regular))]
        return Lark("\n".join(lines), by_character=False)
    lines = ["start: rule_0", *(_line(rule, "rule") for rule in rules)]
    return Lark("\n".join(lines), by_character=True)


def _check_finishing(rules: Sequence[Rule], text: str) -> None:
    ending = finishing(rules)
    for rule in rules:
        if rule.number not in ending and rule.name:
            what = f"rule {rule.name!r} never ends; give it an alternative without itself"
            refuse(text, rule.offset, what)


def _line(rule: Rule, prefix: str) -> str:
    """The rule in Lark: a terminal if the prefix is in capitals, else a rule of terminals."""
    words = [items[0].characters for items in rule.alternatives if _is_word(items)]
    if len(words) == len(rule.alternatives) > 1:
        return f"{prefix}_{rule.number}: {_tree(words)}"
    alternatives = (
        " ".join(_notation(item, prefix) for item in items if item.most != 0) or '""'
        for items in rule.alternatives
    )
    return f"{prefix}_{rule.number}: " + " | ".join(alternatives)


def _is_word(items: Sequence[Item]) -> bool:
    once = len(items) == 1 and (items[0].least, items[0].most) == (1, 1)
    return once and 0 < len(items[0].characters) <= _LONGEST_WORD


def _tree(words: Iterable[Sequence[str]]) -> str:
    """A list of words by their first characters, so that few are begun at once."""
    rests: dict[str, list[Sequence[str]]] = {}
    for word in words:
        rests.setdefault(word[0] if word else "", []).append(word[1:])
    parts = (
        f"/{first}/" + (f" ({_tree(rest)})" if any(rest) else "") if first else '""'
        for first, rest in rests.items()
    )
    return " | ".join(parts)


def _notation(item: Item, prefix: str) -> str:
    if item.rule is not None:
        what = f"{prefix}_{item.rule}"
    else:
        what = " ".join(f"/{character}/" for character in item.characters) or '""'
        what = f"({what})" if len(item.characters) > 1 else what
    if (item.least, item.most) == (1, 1):
        return what
    return f"{what}{{{item.least},{'' if item.most is None else item.most}}}"


class _Parser:
    """Reads rules; groups become rules of their own.

    Nesting is kept in a list and not on the call stack, so its depth is bounded by the text alone.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = list(tokens(text))
        self._at = 0
        self._named: dict[str, Rule] = {}
        self._rules: list[Rule] = []
        self._rule_named(ROOT, 0)  # so that it is rule 0

    def parse(self) -> list[Rule]:
        self._skip_newlines()
        first = self._peek()
        while self._peek().kind != "end":
            self._read_rule()
            self._skip_newlines()
        for rule in self._rules:
            if not rule.defined:
                self._refuse_undefined(rule, first)
        return self._rules

    def _refuse_undefined(self, rule: Rule, first: Token) -> NoReturn:
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
        rule.alternatives = self._read_alternatives()

    def _read_alternatives(self) -> list[tuple[Item, ...]]:
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
        return groups[0].finished

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
        rule.alternatives = closed.finished
        groups[-1].items.append(Item(rule=rule.number))

    def _item(self, token: Token) -> Item:
        if token.kind == "name":
            return Item(rule=self._rule_named(token.text, token.offset).number)
        if token.kind == "any":
            return Item((_ANY,))
        if token.kind == "set":
            return Item((self._set(token),))
        characters = self._characters(token, 1, len(token.text) - 1)
        return Item(tuple(_hex(character) for character, _ in characters))

    def _set(self, token: Token) -> str:
        negated = token.text.startswith("[^")
        written = list(self._characters(token, 2 if negated else 1, len(token.text) - 1))
        if not written:
            refuse(self._text, token.offset, "the set is empty; name a character or a range")
        ranges = (f"{_hex(low)}-{_hex(high)}" for low, high in self._ranges(written))
        return f"[{'^' if negated else ''}{''.join(ranges)}]"

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
        if int(written, 16) > _LAST_CHARACTER or int(written, 16) in _SURROGATES:
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
        group.items.append(self._times(group.items.pop(), least, most, token.offset))

    def _times(self, item: Item, least: int, most: int | None, offset: int) -> Item:
        """The item so many times; one that is repeated already becomes a rule of its own."""
        if (item.least, item.most) != (1, 1):
            rule = self._new_rule("", offset)
            rule.alternatives = [(item,)]
            item = Item(rule=rule.number)
        return replace(item, least=least, most=most)

    def _rule_named(self, name: str, offset: int) -> Rule:
        if name not in self._named:
            self._named[name] = self._new_rule(name, offset)
            self._named[name].defined = False
        return self._named[name]

    def _new_rule(self, name: str, offset: int) -> Rule:
        if len(self._rules) >= MAX_RULES:
            refuse(self._text, offset, f"more than {MAX_RULES} rules and groups; use fewer")
        rule = Rule(len(self._rules), name, offset, defined=True)
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
    """What has been read between parentheses so far."""

    offset: int
    alternatives: list[list[Item]] = field(default_factory=lambda: [[]])

    @property
    def items(self) -> list[Item]:
        return self.alternatives[-1]

    @property
    def finished(self) -> list[tuple[Item, ...]]:
        return [tuple(items) for items in self.alternatives]


def _hex(character: int) -> str:
    """The character as a regular expression, whatever it would mean in one."""
    return f"\\x{{{character:x}}}"


def _bounds(repeat: str) -> tuple[int, int | None]:
    if repeat in "*+?":
        return (1 if repeat == "+" else 0), (1 if repeat == "?" else None)
    least, comma, most = repeat.strip("{}").partition(",")
    if not comma:
        return int(least), int(least)
    return int(least), int(most) if most.strip() else None
