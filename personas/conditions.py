"""Conditions on the state of a world: `quest.mill >= 2 and not weather == "rain"`. Pure.

    condition  = all { "or" all }          all  = one { "and" one }
    one        = "not" one | "(" condition ")" | operand [ sign operand ]
    operand    = a variable | a number | "a text" | true | false
    sign       = "==" "!=" "<" "<=" ">" ">="

A condition is read once into a frozen tree, held to the declarations of a world when its file is
loaded (`faults`), and evaluated on typed values. Nothing else is in the language, so that a file of
unknown origin can say nothing that takes long or does anything.
"""

import operator
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from math import prod
from types import MappingProxyType

from personas.known_names import no_such
from personas.variables import (
    NUMBERS,
    TEXTS,
    Kind,
    Value,
    ValueRefusedError,
    Values,
    Variable,
    Variables,
)

MAX_CHARACTERS = 300
_MOST_TRIED = 4096  # states, to tell whether a condition can hold
MAX_DEPTH = 16  # of parentheses and `not` within each other

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<number>-?\d+(?:\.\d+)?)(?![\w.])
      | (?P<text>"[^"]*"|'[^']*')
      | (?P<sign>==|!=|<=|>=|<|>|\(|\))
      | (?P<word>[^\W\d]\w*(?:\.\w+)*)
      | (?P<end>$)
      | (?P<other>&&|\|\||[^\s\w]|\S+)
    )""",
    re.VERBOSE,
)
_SIGNS: Mapping[str, Callable[[Value, Value], bool]] = MappingProxyType(
    {
        "==": operator.eq,
        "!=": operator.ne,
        "<": operator.lt,
        "<=": operator.le,
        ">": operator.gt,
        ">=": operator.ge,
    }
)
_EQUALITY = frozenset({"==", "!="})
_INSTEAD: Mapping[str, str] = MappingProxyType(
    {
        "=": "write ==",
        "&": "write and",
        "&&": "write and",
        "|": "write or",
        "||": "write or",
        "!": "write not",
        '"': "the quote is not closed",
        "'": "the quote is not closed",
    }
)


class ConditionError(ValueError):
    """A text is no condition; says at which character, and what to write instead."""


@dataclass(frozen=True)
class Name:
    """What a variable is now."""

    name: str


@dataclass(frozen=True)
class Literal:
    """A value as it is written."""

    value: Value


Operand = Name | Literal


@dataclass(frozen=True)
class Comparison:
    """Two values and the sign between them."""

    left: Operand
    sign: str
    right: Operand

    @property
    def compares_names(self) -> bool:
        """Whether both sides are variables."""
        return isinstance(self.left, Name) and isinstance(self.right, Name)


@dataclass(frozen=True)
class Not:
    """Holds where its part does not."""

    part: "Tree"


@dataclass(frozen=True)
class AllOf:
    """Holds where every part does."""

    parts: tuple["Tree", ...]


@dataclass(frozen=True)
class AnyOf:
    """Holds where one part does."""

    parts: tuple["Tree", ...]


Tree = Name | Literal | Comparison | Not | AllOf | AnyOf


@dataclass(frozen=True)
class Condition:
    """A condition as it is written, and as it was read."""

    text: str
    tree: Tree

    @property
    def names(self) -> frozenset[str]:
        """The variables that it asks about."""
        return frozenset(part.name for part in _operands(self.tree) if isinstance(part, Name))

    def holds(self, values: Values) -> bool:
        """Whether it is true of these values, which have every variable of `names`."""
        return _holds(self.tree, values)


@lru_cache(maxsize=1 << 14)
def parse(text: str) -> Condition:
    """Read a condition. Raises ConditionError."""
    if len(text) > MAX_CHARACTERS:
        what = f"has {len(text)} characters; a condition has at most {MAX_CHARACTERS}"
        raise ConditionError(what)
    return Condition(text, _Reader(text).read())


def faults(condition: Condition, variables: Variables) -> tuple[str, ...]:
    """What the condition says that the declared variables rule out; () = nothing."""
    found = tuple(_faults(condition.tree, variables))
    if not found and _never_holds(condition, variables):
        return ("can never hold, whatever the values",)
    return found


@dataclass(frozen=True)
class _Token:
    kind: str  # the name of its group in _TOKEN
    text: str
    at: int  # of its first character


class _Reader:
    """Reads one condition, token by token."""

    def __init__(self, text: str) -> None:
        self._tokens = list(_tokens(text))
        self._next = 0
        self._depth = 0

    def read(self) -> Tree:
        """The whole text as a tree. Raises ConditionError."""
        tree = self._any()
        if self._token.kind != "end":
            raise self._refusal("`and`, `or` or the end")
        return tree

    @property
    def _token(self) -> _Token:
        return self._tokens[self._next]

    def _take(self, *texts: str) -> _Token | None:
        token = self._token
        if token.text not in texts or token.kind == "text":
            return None
        self._next += 1
        return token

    def _any(self) -> Tree:
        parts = [self._all()]
        while self._take("or"):
            parts.append(self._all())
        return parts[0] if len(parts) == 1 else AnyOf(tuple(parts))

    def _all(self) -> Tree:
        parts = [self._one()]
        while self._take("and"):
            parts.append(self._one())
        return parts[0] if len(parts) == 1 else AllOf(tuple(parts))

    def _one(self) -> Tree:
        if self._take("not"):
            return Not(self._within(self._one))
        if self._take("("):
            tree = self._within(self._any)
            if not self._take(")"):
                raise self._refusal("`)`")
            return tree
        return self._comparison()

    def _within(self, read: Callable[[], Tree]) -> Tree:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise ConditionError(f"is nested deeper than {MAX_DEPTH} levels")
        tree = read()
        self._depth -= 1
        return tree

    def _comparison(self) -> Tree:
        left = self._operand()
        if not (sign := self._take(*_SIGNS)):
            return left
        compared = Comparison(left, sign.text, self._operand())
        if self._token.text in _SIGNS and self._token.kind == "sign":
            raise self._refusal("`and`: one comparison follows another")
        return compared

    def _operand(self) -> Operand:
        token = self._token
        if token.kind not in ("number", "text", "word") or token.text in ("and", "or", "not"):
            raise self._refusal("a variable, a number, a text in quotes, true or false")
        self._next += 1
        return _operand(token)

    def _refusal(self, expected: str) -> ConditionError:
        token = self._token
        if token.kind == "end":
            return ConditionError(f"ends where {expected} should follow")
        where = f"has {token.text} at character {token.at + 1}"
        if token.kind == "other" and token.text in _INSTEAD:
            return ConditionError(f"{where}; {_INSTEAD[token.text]}")
        return ConditionError(f"{where}; expected {expected}")


def _tokens(text: str) -> Iterator[_Token]:
    at = 0
    while match := _TOKEN.match(text, at):
        kind = match.lastgroup or "end"
        yield _Token(kind, match[kind], match.start(kind))
        if kind == "end":
            return
        at = match.end()


def _operand(token: _Token) -> Operand:
    if token.kind == "text":
        return Literal(token.text[1:-1])
    if token.kind == "number":
        return Literal(float(token.text) if "." in token.text else int(token.text))
    if token.text in ("true", "false"):
        return Literal(token.text == "true")
    return Name(token.text)


def _operands(tree: Tree) -> Iterator[Operand]:
    match tree:
        case Name() | Literal():
            yield tree
        case Comparison(left, _, right):
            yield from (left, right)
        case Not(part):
            yield from _operands(part)
        case AllOf(parts) | AnyOf(parts):
            for part in parts:
                yield from _operands(part)


def _never_holds(condition: Condition, variables: Variables) -> bool:
    """Whether no values make it true, as far as trying some tells.

    Between the values that it names, a condition on one variable at a time does not change, so one
    value of each stretch stands for all. Where it compares two variables, or asks about many, it is
    not judged.
    """
    if any(isinstance(one, Comparison) and one.compares_names for one in _parts(condition.tree)):
        return False
    literals = [one.value for one in _operands(condition.tree) if isinstance(one, Literal)]
    names = sorted(condition.names)
    tried = [tuple(_samples(variables[name], literals)) for name in names]
    if prod(map(len, tried)) > _MOST_TRIED:
        return False
    states = (dict(zip(names, values, strict=True)) for values in product(*tried))
    return not any(condition.holds(state) for state in states)


def _samples(variable: Variable, literals: Iterable[Value]) -> Iterator[Value]:
    """A value of each stretch that a condition with these literals can tell apart."""
    yield from variable.samples()
    for literal in literals:
        for value in _near(literal):
            with suppress(ValueRefusedError):
                yield variable.accepted_value(value)


def _near(literal: Value) -> tuple[Value, ...]:
    """The literal, and numbers on both sides of one."""
    if isinstance(literal, bool | str):
        return (literal,)
    return (literal - 1, literal, literal + 0.5, literal + 1)


def _parts(tree: Tree) -> Iterator[Tree]:
    yield tree
    match tree:
        case Not(part):
            yield from _parts(part)
        case AllOf(parts) | AnyOf(parts):
            for part in parts:
                yield from _parts(part)


def _holds(tree: Tree, values: Values) -> bool:
    match tree:
        case AllOf(parts):
            return all(_holds(part, values) for part in parts)
        case AnyOf(parts):
            return any(_holds(part, values) for part in parts)
        case Not(part):
            return not _holds(part, values)
        case Comparison(left, sign, right):
            return _SIGNS[sign](_value(left, values), _value(right, values))
        case Name() | Literal():
            return _value(tree, values) is True


def _value(operand: Operand, values: Values) -> Value:
    return values[operand.name] if isinstance(operand, Name) else operand.value


def _faults(tree: Tree, variables: Variables) -> Iterator[str]:
    match tree:
        case AllOf(parts) | AnyOf(parts):
            for part in parts:
                yield from _faults(part, variables)
        case Not(part):
            yield from _faults(part, variables)
        case Comparison():
            yield from _comparison_faults(tree, variables)
        case Name() | Literal():
            yield from _alone_faults(tree, variables)


def _alone_faults(operand: Operand, variables: Variables) -> Iterator[str]:
    undeclared = _missing_names(operand, variables)
    yield from undeclared
    if not undeclared and (kind := _kind(operand, variables)) is not Kind.BOOL:
        yield f"{_as_text(operand)} is {kind}, which is neither true nor false; compare it"


def _comparison_faults(tree: Comparison, variables: Variables) -> Iterator[str]:
    undeclared = (*_missing_names(tree.left, variables), *_missing_names(tree.right, variables))
    yield from undeclared
    if undeclared:
        return
    kinds = (_kind(tree.left, variables), _kind(tree.right, variables))
    if not any(set(kinds) <= group for group in (NUMBERS, TEXTS, {Kind.BOOL})):
        yield f"{_as_text(tree.left)} is {kinds[0]} and {_as_text(tree.right)} is {kinds[1]}"
    elif tree.sign not in _EQUALITY and not set(kinds) <= NUMBERS:
        yield f"{tree.sign} compares numbers; {_as_text(tree.left)} is {kinds[0]}"
    elif tree.sign in _EQUALITY:
        yield from _never_equal(tree.left, tree.right, variables)
        yield from _never_equal(tree.right, tree.left, variables)


def _never_equal(name: Operand, literal: Operand, variables: Variables) -> Iterator[str]:
    if isinstance(name, Name) and isinstance(literal, Literal):
        try:
            variables[name.name].accepted_value(literal.value)
        except ValueRefusedError as error:
            yield str(error)


def _missing_names(operand: Operand, variables: Variables) -> tuple[str, ...]:
    if isinstance(operand, Literal) or operand.name in variables:
        return ()
    return (no_such("variable", operand.name, variables.keys()),)


def _kind(operand: Operand, variables: Mapping[str, Variable]) -> Kind:
    if isinstance(operand, Name):
        return variables[operand.name].kind
    if isinstance(operand.value, bool):
        return Kind.BOOL
    if isinstance(operand.value, str):
        return Kind.TEXT
    return Kind.INT if isinstance(operand.value, int) else Kind.FLOAT


def _as_text(operand: Operand) -> str:
    if isinstance(operand, Name):
        return operand.name
    value = operand.value
    return f'"{value}"' if isinstance(value, str) else str(value).lower()
