"""What a grammar may say, and how it is told what is wrong."""

import time
from contextlib import suppress

import pytest

from npc_server.engine.errors import RequestRejectedError
from npc_server.engine.sampling import gbnf
from npc_server.engine.sampling.gbnf import to_lark


def complaint(text: str) -> str:
    with pytest.raises(RequestRejectedError) as caught:
        to_lark(text)
    return str(caught.value).removeprefix("grammar ")


def test_a_grammar_without_recursion_is_one_word() -> None:
    lark = to_lark('root ::= "a/" word?\nword ::= [^a-c] .')
    assert not lark.by_character
    assert lark.text.split("\n") == [
        "start: RULE_0",
        r"RULE_0: (/\x{61}/ /\x{2f}/) RULE_1{0,1}",
        r"RULE_1: /[^\x{61}-\x{63}]/ /[\x{0}-\x{10ffff}]/",
    ]


def test_each_character_is_a_word_where_a_rule_comes_back_to_itself() -> None:
    lark = to_lark('root ::= "a" root | ""')
    assert lark.by_character
    assert lark.text.split("\n") == ["start: rule_0", r'rule_0: /\x{61}/ rule_0 | ""']


def test_words_that_begin_alike_share_their_beginning() -> None:
    assert (
        r"/\x{61}/ (/\x{62}/ | /\x{63}/) | /\x{64}/" in to_lark('root ::= "ab" | "ac" | "d"').text
    )


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
        ('root ::= "\\ud800"', "line 1, column 11: '\\ud800' is no Unicode character"),
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
    ("text", "said"),
    [
        pytest.param("root ::= " + '"a"' * gbnf.MAX_TEXT_BYTES, "more than 32 KiB", id="long"),
        pytest.param("root ::= " + '("a")' * 600, "more than 500 rules and groups", id="many"),
    ],
)
def test_a_grammar_without_measure_is_refused(text: str, said: str) -> None:
    assert said in complaint(text)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("root ::= " + "(" * 9000 + '"a"' + ")" * 9000, id="nested"),
        pytest.param("root ::= " + '"a" ' * 8000, id="long"),
        pytest.param("root ::= " + '"a"?' * 8000, id="optional"),
    ],
)
def test_reading_a_deep_or_long_grammar_takes_no_stack_and_little_time(text: str) -> None:
    begun = time.thread_time()
    with suppress(RequestRejectedError):
        to_lark(text)
    assert time.thread_time() - begun < 2
