"""Which tokens may come next, so that a reply keeps to a grammar or a JSON schema.

llguidance follows both: a lexer of lazy derivatives, and an Earley parser above it. What would take
it without measure runs into a limit and is an error of the one reply that asked for it, and so is a
panic of its Rust code; nothing here ends the process.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from llguidance import LLMatcher, LLParserLimits, LLTokenizer, TokenizerWrapper

from npc_server.engine.errors import RequestRejectedError
from npc_server.engine.sampling.gbnf import to_lark
from npc_server.engine.sampling.json_schema import read_schema

if TYPE_CHECKING:
    from npc_server.engine.protocol import Sampling

Ids = npt.NDArray[np.intp]

_LIMITS = LLParserLimits(
    max_items_in_row=2000,  # places of the grammar to be in at once
    initial_lexer_fuel=200_000,  # some tenths of a second to read a grammar
    step_lexer_fuel=200_000,
    step_max_items=200_000,  # of a mask; a grammar of single characters needs a tenth of it
    max_lexer_states=50_000,  # 1 to 2 kB each
    max_grammar_size=50_000,
    precompute_large_lexemes=False,  # would run over the whole vocabulary before it is asked for
    verbose_errors=False,
)
#: What following a form may take of the engine's time, which others wait for, too: so much for a
#: reply, and so much more for each of its tokens. Usual forms take less than a millisecond a token.
_MOST_S = 1.0
_MOST_PER_TOKEN_S = 0.02
#: Tokens need not be those that the tokenizer would have chosen; forcing them costs a look ahead as
#: long as the text is certain.
_OPTIONS = '%llguidance {"no_forcing": true}\n'
_KEPT = 32  # grammars and schemas, most recently used


class Forms:
    """Forms that replies of one model may have to keep; ready ones are kept.

    Any thread may use it; what it hands out belongs to one reply.
    """

    def __init__(self, pieces: Sequence[bytes], end: int) -> None:
        self._tokens = _tokenizer(pieces, end)
        self._size, self._end = len(pieces), end
        self._ready = lru_cache(_KEPT)(self._read)

    def begin(self, sampling: Sampling) -> Form | None:
        """A form at its start; None where none is asked for. Raises RequestRejectedError."""
        if not sampling.grammar and not sampling.json_schema:
            return None
        ready = self._ready(sampling.grammar, sampling.json_schema)
        return Form(ready.matcher.deep_copy(), self._size, self._end, quick=ready.quick)

    def _read(self, grammar: str, json_schema: str) -> _Ready:
        """Raises RequestRejectedError for what cannot be kept, or costs too much to keep."""
        if grammar:
            lark = to_lark(grammar)
            matcher, quick = self._matcher(lark.text, "grammar"), not lark.by_character
        else:
            matcher = self._matcher(f"start: %json {read_schema(json_schema)}", "json_schema")
            quick = True
        start = Form(matcher.deep_copy(), self._size, self._end, quick=quick)
        start.possible()  # refuses what no token can begin
        return _Ready(matcher, quick)

    def _matcher(self, lark: str, what: str) -> LLMatcher:
        try:
            matcher = LLMatcher(self._tokens, _OPTIONS + lark, log_level=0, limits=_LIMITS)
        except BaseException as error:
            if type(error).__name__ != "PanicException":  # which is no Exception
                raise
            raise RequestRejectedError(
                f"{what} cannot be kept to: {_reason(str(error))}"
            ) from error
        if matcher.is_error():
            raise RequestRejectedError(f"{what} cannot be kept to: {_reason(matcher.get_error())}")
        return matcher


@dataclass(frozen=True)
class _Ready:
    """A form at its start, to be copied for each reply."""

    matcher: LLMatcher
    quick: bool


class Form:
    """How far one reply has come in its form."""

    def __init__(self, matcher: LLMatcher, size: int, end: int, *, quick: bool) -> None:
        #: Whether `possible` takes no longer than some calls of `allows`, and not up to hundreds.
        self.quick = quick
        self._matcher = matcher
        self._spent_s, self._may_spend_s = 0.0, _MOST_S
        self._size, self._end = size, end
        self._bits = np.zeros((size + 31) // 32, np.uint32)

    @property
    def may_end(self) -> bool:
        """Whether what was said is complete."""
        return self._matcher.is_accepting()

    @property
    def must_end(self) -> bool:
        """Whether it is complete and nothing can follow."""
        return self._matcher.is_stopped()

    def allows(self, token: int) -> bool:
        """Whether it may come next, which is less work than all that may. No end ever may."""
        with self._watch_time():
            return token != self._end and self._matcher.validate_tokens([token]) == 1

    def possible(self) -> Ids:
        """All tokens that may come next, ends left out. Raises RequestRejectedError."""
        with self._watch_time():
            self._matcher.unsafe_compute_mask_ptr(self._bits.ctypes.data, self._bits.nbytes)
        bits = np.unpackbits(self._bits.view(np.uint8), bitorder="little", count=self._size)
        bits[self._end] = 0
        return np.flatnonzero(bits)

    def accept(self, token: int) -> None:
        """Move on past a token that may come next. Raises RequestRejectedError."""
        self._may_spend_s += _MOST_PER_TOKEN_S
        with self._watch_time():
            self._matcher.consume_token(token)

    @contextmanager
    def _watch_time(self) -> Iterator[None]:
        begun_s = time.perf_counter()
        yield
        self._spent_s += time.perf_counter() - begun_s
        self._check()

    def _check(self) -> None:
        if self._spent_s > self._may_spend_s:
            raise RequestRejectedError(
                f"the form took {self._spent_s:.1f} s to follow, which others waited for; make it"
                " simpler"
            )
        if not self._matcher.is_error():
            return
        reason = _reason(self._matcher.get_error())
        if reason.startswith("NoExtension"):
            raise RequestRejectedError("the form wants what no token of this model can write")
        raise RequestRejectedError(
            "the form leaves too many ways to go on at once; let alternatives differ in their first"
            f" characters ({reason})"
        )


@dataclass(frozen=True)
class _Vocabulary:
    """What llguidance asks of a tokenizer."""

    eos_token_id: int
    tokens: list[bytes]
    special_token_ids: list[int]  # never come next
    bos_token_id: int | None = None

    def __call__(self, _text: bytes) -> list[int]:
        return []  # nothing is forced, so nothing need be tokenized


def _tokenizer(pieces: Sequence[bytes], end: int) -> LLTokenizer:
    tokens = [piece or b"\xff<%d>" % token for token, piece in enumerate(pieces)]
    silent = [token for token, piece in enumerate(pieces) if not piece]
    vocabulary = TokenizerWrapper(_Vocabulary(end, tokens, silent))
    return LLTokenizer(vocabulary, n_vocab=len(pieces), eos_token=end)


def _reason(error: str) -> str:
    """What is wrong, out of an error that may go on to quote all of the grammar."""
    lines = error.strip().split("\n")
    first = re.sub(r"^(at \d+\(\d+\): )?(failed to compile JSON schema: )?", "", lines[0])
    return next((line for line in lines if line.startswith("error: ")), first)[:200]
