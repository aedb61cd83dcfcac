"""Following a grammar: what may come next, and where it ends."""

import itertools
import random
from pathlib import Path

import llama_cpp as lc
import numpy as np
import pytest

from npc_server.engine.errors import RequestRejectedError
from npc_server.engine.llama import ContextShape, Llama
from npc_server.engine.sampling.grammar import MAX_WORK, Matcher, Pieces, compile_grammar

WORDS = ["", "a", "b", "ab", "é", "\n", '"', "{", "bb", "日本"]
#: Words, then single bytes: characters may come in parts.
PIECES = Pieces([*(word.encode() for word in WORDS), *(bytes([byte]) for byte in range(256))])


def token(piece: str | bytes) -> int:
    return PIECES.pieces.index(piece.encode() if isinstance(piece, str) else piece)


def after(grammar: str, *said: str | bytes) -> Matcher:
    matcher = Matcher(compile_grammar(grammar), PIECES)
    for piece in said:
        assert matcher.allows(token(piece)), piece
        matcher.accept(token(piece))
    return matcher


def next_words(matcher: Matcher) -> list[str]:
    return [word for i, word in enumerate(WORDS) if matcher.allows(i)]


def test_what_may_come_next_follows_from_what_was_said() -> None:
    grammar = 'root ::= "a" ("b" | "é")* "\\n"'
    assert next_words(after(grammar)) == ["a", "ab"]
    assert next_words(after(grammar, "ab")) == ["b", "é", "\n", "bb"]


def test_a_token_that_writes_nothing_never_comes_next() -> None:
    assert "" not in next_words(after("root ::= .*"))
    assert not after("root ::= .*", b"\xc3").allows(token(""))


def test_the_end_is_known_before_during_and_after() -> None:
    grammar = 'root ::= "a"{1,2}'
    ends = [(m.may_end, m.must_end) for m in (after(grammar, *"a" * n) for n in range(3))]
    assert ends == [(False, False), (True, False), (True, True)]


def test_a_character_may_come_in_parts() -> None:
    matcher = after("root ::= [é-ü]+", b"\xc3")
    assert not matcher.may_end
    assert matcher.allows(token(b"\xa9"))
    assert not matcher.allows(token(b"\x80"))  # À, which the grammar leaves out
    assert not matcher.allows(token("é"))  # a character cannot start inside another
    assert after("root ::= [é-ü]+", b"\xc3", b"\xa9").may_end


def test_candidates_hold_everything_that_is_allowed() -> None:
    for said in ([], ["a"], [b"\xe6"], ["a", b"\xe6", b"\x97"]):
        matcher = after('root ::= "a"? [b日é]+', *said)
        allowed = [i for i in range(len(PIECES.pieces)) if matcher.allows(i)]
        assert allowed
        assert matcher.candidates()[allowed].all()


def test_one_place_reached_twice_is_one_place() -> None:
    assert after('root ::= "a" | [a-z]', "a").must_end
    matcher = after('root ::= (("a" | [a-z]) ("b" | [b-z]) "\\n"?)*', *"abbbbb" * 40)
    assert matcher.may_end


def test_recursion_goes_as_deep_as_the_reply() -> None:
    grammar = 'root ::= "a" root "b" | "\\n"'
    matcher = after(grammar, *["a"] * 5000, "\n", *["b"] * 4999)
    assert not matcher.may_end
    matcher.accept(token("b"))
    assert matcher.must_end


@pytest.mark.parametrize(
    "grammar",
    [
        pytest.param(
            "root ::= r0\n"
            + "".join(f'r{i} ::= r{i + 1} "x" | r{i + 1} "y"\n' for i in range(40))
            + 'r40 ::= "a"',
            id="at-the-start",
        ),
        pytest.param('root ::= "a" root | "a" root "b" | "a" root "c" | "\\n"', id="on-the-way"),
    ],
)
def test_places_without_number_are_an_error_and_not_the_end(grammar: str) -> None:
    with pytest.raises(RequestRejectedError, match="too many ways to go on"):
        after(grammar, *["a"] * 64)


def test_many_words_are_not_too_many_places() -> None:
    words = " | ".join(f'"{a}{b}{c}"' for a, b, c in itertools.product("abcdefghijkl", repeat=3))
    assert next_words(after(f"root ::= {words}")) == ["a", "b", "ab", "bb"]
    assert MAX_WORK > 12**3


GRAMMARS = (
    'root ::= "a" ("b" | "é")* "\\n"',
    'root ::= [^a-c\\n]{2,4} | "日"+ "a"?',
    'root ::= item ("," item)*\nitem ::= [0-9]+ | "(" root ")"',
    'root ::= ("a"* "b"?)* "é" .{0,2}',
    'root ::= "{" [a-z ]* "}" | "\\"" [^"\\\\]* "\\""',
    'root ::= x{2} "z" | x? "é日"\nx ::= ("q" | "qq" x)+',
)


@pytest.mark.parametrize("grammar", GRAMMARS)
def test_the_same_whole_characters_are_allowed_as_by_llama_cpp(
    grammar: str, tiny_llama: Llama
) -> None:
    size = tiny_llama.vocab_size
    pieces = Pieces([tiny_llama.token_bytes(i) for i in range(size)])
    theirs = lc.llama_sampler_init_grammar(tiny_llama.vocab, grammar.encode(), b"root")
    ours, choose = Matcher(compile_grammar(grammar), pieces), random.Random(0)
    whole = [i for i in range(size) if pieces.texts[i] and pieces.texts[i] != "\0"]
    for _ in range(12):
        allowed = [i for i in whole if ours.allows(i)]
        assert allowed == [i for i in whole if i in _allowed_by(theirs, size)]
        if not allowed:
            break
        ours.accept(chosen := choose.choice(allowed))
        lc.llama_sampler_accept(theirs, chosen)
    lc.llama_sampler_free(theirs)


def _allowed_by(sampler: object, size: int) -> set[int]:
    entries = (lc.llama_token_data * size)(*(lc.llama_token_data(i, 0.0, 0.0) for i in range(size)))
    given = lc.llama_token_data_array(data=entries, size=size, selected=-1, sorted=False)
    lc.llama_sampler_apply(sampler, given)
    return {i for i, entry in enumerate(entries) if np.isfinite(entry.logit)}


@pytest.fixture(scope="module")
def tiny_llama(tiny_model: Path) -> Llama:
    return Llama(tiny_model, ContextShape(1, 64, 32, 1))
