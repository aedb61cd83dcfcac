"""Which tokens may come next, so that a reply keeps to a grammar.

A place in the grammar is a stack of things still to be read. Ambiguous grammars have many places at
once; all are followed, and each exists once however it was reached. llama.cpp follows grammars too,
but gives up by ending the process, and multiplies places without bound; here both are an error of
the one reply that asked for it.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from npc_server.engine.errors import RequestRejectedError
from npc_server.engine.sampling.gbnf import parse
from npc_server.engine.sampling.grammar_rules import Chars, Grammar, merged

MAX_PLACES = 8192  # to be in at once
MAX_WORK = 500_000  # places looked at to find one token of a reply: some tenths of a second
_NOWHERE = -1

Mask = npt.NDArray[np.bool_]


class Pieces:
    """What the tokens of a vocabulary write, by id; control tokens write nothing."""

    def __init__(self, pieces: Sequence[bytes]) -> None:
        self.pieces = tuple(pieces)
        self.texts = tuple(_text(piece) for piece in pieces)  # None = not whole characters
        firsts = [_first_character(piece) for piece in pieces]
        self._firsts, self._first_of = np.unique(np.array(firsts, np.int32), return_inverse=True)
        self.continuing = np.array([0x80 <= (piece or b"\x00")[0] < 0xC0 for piece in pieces])

    def starting_in(self, ranges: Sequence[tuple[int, int]]) -> Mask:
        """Tokens whose first character is in the ranges.

        Those that start with a part of a character count if the ranges hold any such character.
        """
        lows, highs = np.array(ranges, np.int32).reshape(-1, 2).T
        last = np.searchsorted(lows, self._firsts, "right") - 1
        fits = (last >= 0) & (self._firsts <= highs[last]) if len(lows) else last >= 0
        fits[self._firsts == _PART] = any(high >= 0x80 for _, high in ranges)
        return np.asarray(fits[self._first_of], np.bool_)


_PART, _NOTHING = -1, -2  # instead of a first character


def _text(piece: bytes) -> str | None:
    try:
        return piece.decode()
    except UnicodeDecodeError:
        return None


def _first_character(piece: bytes) -> int:
    if not piece:
        return _NOTHING
    text = piece.decode("utf-8", "ignore") if piece[0] < 0x80 else _text(piece)
    return ord(text[0]) if text else _PART


@dataclass(frozen=True)
class Program:
    """A grammar laid out flat: elements by place, None behind the last of an alternative."""

    elements: tuple[Chars | int | None, ...]  # a number is a rule
    starts: tuple[tuple[int, ...], ...]  # places by rule, one per alternative
    root: int


@lru_cache(maxsize=32)
def compile_grammar(text: str) -> Program:
    """The program of a grammar. Raises RequestRejectedError."""
    program = _lay_out(parse(text))
    Matcher(program, _NO_PIECES)  # looks at the start, which may have too many places already
    return program


def _lay_out(grammar: Grammar) -> Program:
    elements: list[Chars | int | None] = []
    starts = []
    for rule in grammar.rules:
        places = []
        for alternative in rule:
            places.append(len(elements))
            elements += [e if isinstance(e, Chars) else e.rule for e in alternative]
            elements.append(None)
        starts.append(tuple(places))
    return Program(tuple(elements), tuple(starts), grammar.root)


class Matcher:
    """How far one reply has come in a grammar.

    A stack is a number: its top place and the number of the stack below. A state is the set of
    stacks that wait for a character. Both are numbered as they are met, so that comparing is cheap
    and the way from a state over a character is found once per reply.
    """

    def __init__(self, program: Program, pieces: Pieces) -> None:
        self._program = program
        self._pieces = pieces
        self._stacks: list[tuple[int, int]] = [(_NOWHERE, _NOWHERE)]  # 0: nothing left to be read
        self._stack_numbers: dict[tuple[int, int], int] = {}
        self._states: list[tuple[int, ...]] = []
        self._state_numbers: dict[tuple[int, ...], int] = {}
        self._ways: dict[tuple[int, int], int] = {}  # (state, character) -> state
        self._pending = b""  # of a character whose other bytes are still to come
        self._walked: dict[int, tuple[int, bytes]] = {}  # by token, from here
        self._work = 0
        starts = program.starts[program.root]
        self._state = self._expand(self._push(place, 0) for place in starts)

    @property
    def may_end(self) -> bool:
        """Whether what was read is complete."""
        return not self._pending and 0 in self._states[self._state]

    @property
    def must_end(self) -> bool:
        """Whether it is complete and nothing can follow."""
        return not self._pending and self._states[self._state] == (0,)

    def candidates(self) -> Mask:
        """Tokens that begin as it may go on; all those that `allows` accepts are among them."""
        if self._pending:
            return self._pieces.continuing.copy()
        waiting = (self._characters_after(stack) for stack in self._states[self._state] if stack)
        return self._pieces.starting_in(merged(r for chars in waiting for r in chars.ranges))

    def allows(self, token: int) -> bool:
        """Whether it may come next. Raises RequestRejectedError where too many ways lead on."""
        return self._walk(token)[0] != _NOWHERE

    def accept(self, token: int) -> None:
        """Move on past a token that may come next."""
        self._state, self._pending = self._walk(token)
        self._walked.clear()
        self._work = 0

    def _walk(self, token: int) -> tuple[int, bytes]:
        if token not in self._walked:
            self._walked[token] = self._walk_anew(token)
        return self._walked[token]

    def _walk_anew(self, token: int) -> tuple[int, bytes]:
        piece, text, rest = self._pieces.pieces[token], self._pieces.texts[token], b""
        if text is None or self._pending:
            text, rest = _decode(self._pending + piece)
        state = self._state if piece and (text or rest) else _NOWHERE
        for character in text:
            if state != _NOWHERE:
                state = self._after(state, ord(character))
        if state != _NOWHERE and rest and not self._may_become(state, rest):
            state = _NOWHERE
        return state, rest

    def _may_become(self, state: int, part: bytes) -> bool:
        low, high = _completions(part)
        return any(
            self._characters_after(stack).meets(low, high) for stack in self._states[state] if stack
        )

    def _after(self, state: int, character: int) -> int:
        way = (state, character)
        if way not in self._ways:
            self._ways[way] = self._expand(self._pass_over(state, character))
        return self._ways[way]

    def _pass_over(self, state: int, character: int) -> Iterable[int]:
        self._check_work(0, len(self._states[state]))
        for stack in self._states[state]:
            if stack and self._characters_after(stack).holds(character):
                place, below = self._stacks[stack]
                yield self._push(place + 1, below)

    def _characters_after(self, stack: int) -> Chars:
        element = self._program.elements[self._stacks[stack][0]]
        assert isinstance(element, Chars)  # only such stacks are in a state
        return element

    def _expand(self, stacks: Iterable[int]) -> int:
        """The state of these stacks once every rule on top is replaced by what it stands for."""
        seen = set(stacks)
        todo = list(seen)
        waiting = []
        while todo:
            stack = todo.pop()
            element = self._program.elements[self._stacks[stack][0]] if stack else None
            if not isinstance(element, int):
                waiting.append(stack)
                continue
            fresh = {self._enter(stack, start) for start in self._program.starts[element]} - seen
            seen |= fresh
            todo += fresh
            self._check_work(len(seen), len(fresh))
        return self._number_of(tuple(sorted(waiting)))

    def _enter(self, stack: int, start: int) -> int:
        place, below = self._stacks[stack]
        return self._push(start, self._push(place + 1, below))

    def _push(self, place: int, below: int) -> int:
        """The stack with a place on top; a place behind the last element is no place."""
        if self._program.elements[place] is None:
            return below
        key = (place, below)
        if key not in self._stack_numbers:
            self._stack_numbers[key] = len(self._stacks)
            self._stacks.append(key)
        return self._stack_numbers[key]

    def _number_of(self, state: tuple[int, ...]) -> int:
        if not state:
            return _NOWHERE
        if state not in self._state_numbers:
            self._state_numbers[state] = len(self._states)
            self._states.append(state)
        return self._state_numbers[state]

    def _check_work(self, places: int, fresh: int) -> None:
        self._work += fresh
        if places > MAX_PLACES or self._work > MAX_WORK:
            raise RequestRejectedError(
                "grammar leaves too many ways to go on at once; let alternatives differ in their"
                " first characters"
            )


_NO_PIECES = Pieces([b""])


def _decode(data: bytes) -> tuple[str, bytes]:
    """Whole characters, and the bytes of one begun; nothing at all for what is not UTF-8."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        text = decoder.decode(data)
    except UnicodeDecodeError:
        return "", b""
    return text, decoder.getstate()[0]


def _completions(part: bytes) -> tuple[int, int]:
    """First and last character that a begun one may become."""
    length = 2 if part[0] < 0xE0 else 3 if part[0] < 0xF0 else 4
    least = {2: 0x80, 3: 0x800, 4: 0x10000}[length]
    bits = part[0] & (0x7F >> length)
    for byte in part[1:]:
        bits = bits << 6 | byte & 0x3F
    missing = 6 * (length - len(part))
    return max(bits << missing, least), min((bits + 1 << missing) - 1, 0x10FFFF)
