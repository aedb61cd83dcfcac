"""Following a form: what may come next, and where it ends."""

import itertools
import random
import time
from pathlib import Path

import llama_cpp as lc
import llama_cpp.llama_grammar as lg
import numpy as np
import pytest

from npc_server.engine.errors import RequestRejectedError
from npc_server.engine.llama import ContextShape, Llama
from npc_server.engine.protocol import Sampling
from npc_server.engine.sampling.forms import Form, Forms

WORDS = ["", "a", "b", "ab", "é", "\n", '"', "{", "bb", "日本"]
#: Words, then single bytes: characters may come in parts. Token 0 ends a reply.
PIECES = [*(word.encode() for word in WORDS), *(bytes([byte]) for byte in range(256))]
FORMS = Forms(PIECES, end=0)


def token(piece: str | bytes) -> int:
    return PIECES.index(piece.encode() if isinstance(piece, str) else piece)


def after(grammar: str, *said: str | bytes) -> Form:
    form = FORMS.begin(Sampling(grammar=grammar))
    assert form is not None
    for piece in said:
        assert form.allows(token(piece)), piece
        form.accept(token(piece))
    return form


def next_words(form: Form) -> list[str]:
    return [word for i, word in enumerate(WORDS) if form.allows(i)]


def test_what_may_come_next_follows_from_what_was_said() -> None:
    grammar = 'root ::= "a" ("b" | "é")* "\\n"'
    assert next_words(after(grammar)) == ["a", "ab"]
    assert next_words(after(grammar, "ab")) == ["b", "é", "\n", "bb"]


def test_a_token_that_writes_nothing_never_comes_next() -> None:
    assert "" not in next_words(after("root ::= .*"))
    assert 0 not in after("root ::= .*").possible()
    assert not after("root ::= .*", b"\xc3").allows(token(""))


def test_the_end_is_known_before_during_and_after() -> None:
    grammar = 'root ::= "a"{1,2}'
    ends = [(m.may_end, m.must_end) for m in (after(grammar, *"a" * n) for n in range(3))]
    assert ends == [(False, False), (True, False), (True, True)]


def test_a_character_may_come_in_parts() -> None:
    form = after("root ::= [é-ü]+", b"\xc3")
    assert not form.may_end
    assert form.allows(token(b"\xa9"))
    assert not form.allows(token(b"\x80"))  # À, which the grammar leaves out
    assert not form.allows(token("é"))  # a character cannot start inside another
    assert after("root ::= [é-ü]+", b"\xc3", b"\xa9").may_end


@pytest.mark.parametrize("grammar", ['root ::= "a"? [b日é]+', 'root ::= "a"? [b日é] root?'])
def test_all_that_is_allowed_is_what_is_allowed_one_by_one(grammar: str) -> None:
    for said in ([], ["a"], [b"\xe6"], ["a", b"\xe6", b"\x97"]):
        form = after(grammar, *said)
        allowed = [i for i in range(len(PIECES)) if form.allows(i)]
        assert allowed
        assert form.possible().tolist() == allowed


@pytest.mark.parametrize("root", ['("x" | "xy") "y"', '("x" | "xy") "y" | "(" root ")"'])
def test_a_shorter_alternative_may_be_followed_by_what_the_longer_one_has(root: str) -> None:
    assert after(f"root ::= {root}", b"x", b"y").may_end
    assert after(f"root ::= {root}", b"x", b"y", b"y").may_end


@pytest.mark.parametrize("root", ['[a-b]+ "b"', '[a-b]+ "b" | "(" root ")"'])
def test_a_repetition_leaves_what_follows_it(root: str) -> None:
    assert after(f"root ::= {root}", "a", "b").may_end


def test_recursion_goes_as_deep_as_the_reply() -> None:
    grammar = 'root ::= "a" root "b" | "\\n"'
    form = after(grammar, *["a"] * 1000, "\n", *["b"] * 999)
    assert not form.may_end
    form.accept(token("b"))
    assert form.must_end


def test_left_recursion_is_followed() -> None:
    assert after('root ::= x root "a" | "b"\nx ::= y\ny ::= "" | "{"', "b", "a", "a").may_end


def test_one_reply_does_not_move_another() -> None:
    grammar = 'root ::= "a" "b"'
    first, second = after(grammar), after(grammar)
    first.accept(token("a"))
    assert next_words(first) == ["b"]
    assert next_words(second) == ["a", "ab"]


def test_nothing_that_can_begin_is_an_error() -> None:
    with pytest.raises(RequestRejectedError, match="what no token of this model can write"):
        Forms([b"a", b""], end=1).begin(Sampling(grammar='root ::= "b"'))


LETTERS = "abcdefghijkl"
WORD_LIST = " | ".join(f'"{a}{b}{c}"' for a, b, c in itertools.product(LETTERS, repeat=3))


@pytest.mark.parametrize("rest", ["", " root?"])
def test_many_words_are_not_too_many_places(rest: str) -> None:
    assert next_words(after(f"root ::= ({WORD_LIST}){rest}")) == ["a", "b", "ab", "bb"]


def chain(last: str, link: str = "r{0} x") -> str:
    rules = "".join(f"r{i} ::= {link.format(f'{i + 1}')}\n" for i in range(40))
    return f'root ::= r0\nx ::= "x"\n{rules}r40 ::= {last}'


HOSTILE = {
    "nested": "root ::= " + "(" * 450 + '"a" root?' + ")" * 450,
    "chained": "".join(f"r{i} ::= r{i + 1}\n" for i in range(450)) + 'r450 ::= "a"\nroot ::= r0',
    "repeated-repetitions": 'root ::= (((("a"{2000}){2000}){2000}){2000})',
    "repeated-recursion": 'root ::= (((("a"{2000}){2000}){2000}){2000}) root?',
    "doubled": chain('"a"', "r{0} r{0}"),
    "doubled-nothing": chain('.? | "(" root ")"', "r{0} r{0}"),
    "equal-beginnings": chain('"a"', 'r{0} "x" | r{0} "y"'),
    "no-beginning": "root ::= root root | . | ''".replace("''", '""'),
    "many-ways": 'root ::= . root | . root "b" | . root root "c" | "\\n"',
    "far-behind": 'root ::= (.* "a" .{20} | .* "b" .{21} | .* "c" .{19})*',
    "optional": "root ::= (" + "[a-z]? " * 4000 + ') "(" root? ")"',
    "sets": "root ::= " + " ".join(f"[^{letter}]*" for letter in LETTERS * 80),
    "long": 'root ::= "' + "a" * 32_000 + '" root?',
}


@pytest.mark.slow
@pytest.mark.parametrize("grammar", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_grammar_is_followed_or_refused_within_seconds(grammar: str) -> None:
    begun, choose = time.perf_counter(), random.Random(0)
    try:
        form = after(grammar)
        for _ in range(40):
            if form.must_end or not len(allowed := form.possible()):
                break
            form.accept(choose.choice(allowed.tolist()))
    except RequestRejectedError:
        pass
    assert time.perf_counter() - begun < 20  # a hundredth of it, but for busy machines


def test_too_many_places_at_once_end_the_reply_on_the_way() -> None:
    ways = " | ".join(f'"b{i}" x' for i in range(2300))
    form = after(f'root ::= "a" x\nx ::= "." | {ways}')
    with pytest.raises(RequestRejectedError, match="too many ways to go on"):
        form.accept(token("a"))


def test_a_form_that_takes_too_long_ends_its_reply(monkeypatch: pytest.MonkeyPatch) -> None:
    form = after('root ::= "a"*')
    monkeypatch.setattr(form, "_may_spend_s", 0.0)
    with pytest.raises(RequestRejectedError, match="to follow, which others waited for"):
        form.possible()


CHESS = """
root ::= ("1. " move " " move "\\n") ([1-9] [0-9]? ". " move " " move "\\n")*
move ::= (pawn | piece | castle) [+#]?
piece ::= [NBKQR] [a-h]? [1-8]? "x"? [a-h] [1-8]
pawn ::= ([a-h] "x")? [a-h] [1-8] ("=" [NBQR])?
castle ::= "O-O" "-O"?
"""
SCRIPTS = """
# runs of one script each
root ::= (kana+ | han+ | cyrillic+ | emoji) ([ \\t\\n] root)?
kana ::= [ぁ-ゟ] | [゠-ヿ]
han ::= [一-龠]
cyrillic ::= [а-яё]
emoji ::= [\\U0001F600-\\U0001F64F]
"""
PUBLIC = {
    "json": (lg.JSON_GBNF, '{"a": [1, 2.5e3, null], "b": {"c": "\\u00e9"}}'),
    "array": (lg.JSON_ARR_GBNF, '[\n{"a": 1}\n]'),
    "c": (lg.C_GBNF, "int main(){return 3;}"),
    "arithmetic": (lg.ARITHMETIC_GBNF, "1+2=x\n"),
    "list": (lg.LIST_GBNF, "- one\n- two\n"),
    "chess": (CHESS, "1. e4 e5\n2. Nf3 O-O\n"),
    "scripts": (SCRIPTS, "かなカナ 日本 привет 😀"),
}


@pytest.mark.parametrize(("grammar", "text"), PUBLIC.values(), ids=PUBLIC)
def test_a_grammar_of_a_usual_kind_takes_what_it_describes(grammar: str, text: str) -> None:
    form = after(grammar, *(bytes([byte]) for byte in text.encode()))
    assert form.may_end


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
    pieces = [tiny_llama.token_bytes(i) for i in range(size)]
    end = next(i for i in range(size) if not pieces[i])
    theirs = lc.llama_sampler_init_grammar(tiny_llama.vocab, grammar.encode(), b"root")
    ours, choose = Forms(pieces, end).begin(Sampling(grammar=grammar)), random.Random(0)
    assert ours is not None
    whole = [i for i in range(size) if is_whole(pieces[i])]
    for _ in range(12):
        allowed = [i for i in whole if ours.allows(i)]
        assert allowed == [i for i in whole if i in allowed_by(theirs, size)]
        if not allowed:
            break
        ours.accept(chosen := choose.choice(allowed))
        lc.llama_sampler_accept(theirs, chosen)
    lc.llama_sampler_free(theirs)


def is_whole(piece: bytes) -> bool:
    try:
        return bool(piece.decode()) and piece != b"\0"
    except UnicodeDecodeError:
        return False


def allowed_by(sampler: object, size: int) -> set[int]:
    entries = (lc.llama_token_data * size)(*(lc.llama_token_data(i, 0.0, 0.0) for i in range(size)))
    given = lc.llama_token_data_array(data=entries, size=size, selected=-1, sorted=False)
    lc.llama_sampler_apply(sampler, given)
    return {i for i, entry in enumerate(entries) if np.isfinite(entry.logit)}


@pytest.fixture(scope="module")
def tiny_llama(tiny_model: Path) -> Llama:
    return Llama(tiny_model, ContextShape(1, 64, 32, 1))
