"""What a grammar may say, and how it is told what is wrong."""

import time

import pytest

from npc_server.engine.errors import RequestRejectedError
from npc_server.engine.sampling import gbnf
from npc_server.engine.sampling.gbnf import parse
from npc_server.engine.sampling.grammar_rules import Chars, Ref


def complaint(text: str) -> str:
    with pytest.raises(RequestRejectedError) as caught:
        parse(text)
    return str(caught.value).removeprefix("grammar ")


def test_a_rule_is_its_alternatives_and_their_elements() -> None:
    grammar = parse('root ::= "ab" | word\nword ::= [a-cx]')
    a, b = Chars(((97, 97),)), Chars(((98, 98),))
    assert grammar.rules[grammar.root] == ((a, b), (Ref(1),))
    assert grammar.rules[1] == ((Chars(((97, 99), (120, 120))),),)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('root ::= "a', "line 1, column 10: found a text without its closing quote"),
        ("root ::= [a", "line 1, column 10: found a set without its closing ']'"),
        ("root ::= []", "line 1, column 10: the set is empty"),
        ("root ::= [z-a]", "line 1, column 11: the range runs backwards: z-a"),
        ('root ::= "\\q"', "line 1, column 11: unknown escape '\\q'; known: \\n"),
        ('root ::= "\\x4"', "line 1, column 11: expected 2 hexadecimal digits after '\\x'"),
        ('root ::= "\\U00110000"', "line 1, column 11: '\\U00110000' is no Unicode character"),
        ('root ::= "a"{x}', "line 1, column 13: found a repetition that is none of {m}"),
        ('root ::= "a"{3,2}', "line 1, column 13: {3,2} has its numbers the wrong way round"),
        ('root ::= "a"{9999}', "line 1, column 13: {9999} repeats more than 2000 times"),
        ('root ::= * "a"', "line 1, column 10: '*' repeats nothing"),
        ('root ::= "a")', "line 1, column 13: found ')' without its '('"),
        ('root ::= ("a"\n| "b"', "line 2, column 6: expected ')' for the '(' at line 1, column 10"),
        ('root ::= ("a"\nb ::= "c"', "line 2, column 3: expected ')' for the '(' at line 1"),
        ("root ::= my_rule", "line 1, column 12: found '_', which no rule name may hold"),
        ('root = "a"', "line 1, column 6: found '=', which means nothing here"),
        ('root "a"', "line 1, column 6: expected '::=' after the rule name 'root', found '\"a\"'"),
        ('root ::= "a"\n"b"', "line 2, column 1: expected a rule name at the start of a line"),
        ('root ::= a\na ::= b ::= "c"', "line 2, column 9: found '::='; a rule starts on a line"),
        ("root ::= <eos>", "line 1, column 10: found a token element; they are not taken here"),
        ('root ::= thing\nthin ::= "a"', "line 1, column 10: no rule is named 'thing'; did you"),
        ('answer ::= "a"', "line 1, column 1: expected a rule named 'root', where replies start"),
        (" \n", "line 2, column 1: expected a rule named 'root'"),
        ('root ::= "a"\r\nroot ::= "b"', "line 2, column 1: rule 'root' is defined twice, first"),
        ('root ::= "a" root', "line 1, column 1: rule 'root' never ends"),
    ],
)  # fmt: skip
def test_a_mistake_is_placed_and_said(text: str, said: str) -> None:
    assert complaint(text)[: len(said)] == said


@pytest.mark.parametrize(
    "text",
    [
        pytest.param('root ::= root "a" | "b"', id="direct"),
        pytest.param('root ::= x\nx ::= y "a"\ny ::= x | "b"', id="through-another"),
        pytest.param('root ::= x root "a" | "b"\nx ::= y\ny ::= "" | "c"', id="behind-nothing"),
        pytest.param('root ::= ("a"?)* root "b" | "c"', id="behind-a-repetition"),
    ],
)
def test_left_recursion_is_found_wherever_it_hides(text: str) -> None:
    assert "left recursion: " in complaint(text)


def test_repeating_what_may_be_empty_is_no_left_recursion() -> None:
    assert parse('root ::= (("a"? "b"?)* "c"*)+')


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("root ::= " + '"a"' * gbnf.MAX_TEXT_BYTES, "more than 32 KiB", id="long"),
        pytest.param("root ::= " + '"a"{2000} ' * 60, "more than 100000 elements", id="repeated"),
    ],
)
def test_a_grammar_without_measure_is_refused(text: str, said: str) -> None:
    assert said in complaint(text)


CHAIN = "".join(f"r{i} ::= r{i + 1}\n" for i in range(1500))


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("root ::= " + "(" * 9000 + '"a"' + ")" * 9000, id="nested"),
        pytest.param('root ::= (((("a"{2000}){2000}){2000}){2000})', id="repeated-repetitions"),
        pytest.param("root ::= r0\n" + CHAIN + 'r1500 ::= "a"', id="chained"),
    ],
)
def test_a_deep_grammar_takes_no_stack_and_little_time(text: str) -> None:
    begun = time.perf_counter()
    assert parse(text)
    assert time.perf_counter() - begun < 2
