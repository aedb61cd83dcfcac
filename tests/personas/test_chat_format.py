"""What a template takes is found by asking it, and a conversation is put into that shape."""

import pytest

from personas.chat import Message
from personas.chat_format import SILENCE, ChatFormat, Manner
from personas.chat_template import ChatTemplate
from personas.errors import ChatFormatError
from tests.support.chat_templates import CHATML, LOOK_ALIKES, TURNS

PLAIN = Manner(
    has_system=True, repeats=True, assistant_first=True, keeps_blanks=True, in_parts=False
)


def format_of(name: str) -> ChatFormat:
    return ChatFormat(ChatTemplate(LOOK_ALIKES[name][0], bos="<s>", eos="</s>"))


def told(*lines: tuple[str, str]) -> list[Message]:
    return [Message(role, content) for role, content in lines]


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("chatml", {}),
        ("llama-3", {"keeps_blanks": False}),
        (
            "gemma-2",
            {
                "has_system": False,
                "repeats": False,
                "assistant_first": False,
                "keeps_blanks": False,
            },
        ),
        ("drops-system", {"has_system": False}),
        ("moves-system", {"has_system": False, "repeats": False, "assistant_first": False}),
        ("in-parts", {"in_parts": True}),
    ],
)
def test_a_manner_is_found(name: str, other: dict[str, bool]) -> None:
    assert format_of(name).manner == Manner(**{**vars(PLAIN), **other})


def test_without_a_system_the_character_is_told_with_the_first_line() -> None:
    said = told(("system", "You are Ada."), ("user", "Hi"), ("assistant", "Hello."))
    assert format_of("drops-system").fit(said) == tuple(
        told(("user", "You are Ada.\n\nHi"), ("assistant", "Hello."))
    )


def test_a_greeting_follows_what_the_character_is_told() -> None:
    said = told(("system", "You are Ada."), ("assistant", "Welcome."), ("user", "Hi"))
    assert format_of("gemma-2").fit(said) == tuple(
        told(("user", "You are Ada."), ("assistant", "Welcome."), ("user", "Hi"))
    )


def test_a_greeting_without_anything_before_it_answers_silence() -> None:
    said = told(("assistant", "Welcome."), ("user", "Hi"))
    assert format_of("gemma-2").fit(said)[0] == Message("user", SILENCE)


def test_messages_in_a_row_are_joined_where_roles_alternate() -> None:
    said = told(("user", "One"), ("user", "Two"), ("assistant", "A"), ("assistant", "B"))
    assert format_of("gemma-2").fit(said) == tuple(
        told(("user", "One\nTwo"), ("assistant", "A\nB"))
    )
    assert format_of("chatml").fit(said) == tuple(said)


def test_blanks_go_everywhere_where_a_template_cuts_off_some() -> None:
    said = told(("system", " You "), ("user", "\tHi\n"))
    assert format_of("llama-3").fit(said) == tuple(told(("system", "You"), ("user", "Hi")))
    assert format_of("chatml").fit(said) == tuple(said)


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("hi", "leaves out what the user says"),
        ("{{ messages[0].content }}{{ messages[0].content }}", "repeats what the user says"),
        ("{{ messages[0].content }}", "leaves out what the assistant says"),
        ("{% for m in messages | reverse %}{{ m.content }}{% endfor %}", "moves messages about"),
        ("{% if messages[9] %}{{ raise_exception('too long') }}{% endif %}" + TURNS, "too long"),
    ],
)
def test_a_template_that_loses_words_is_refused(source: str, why: str) -> None:
    with pytest.raises(ChatFormatError, match=why):
        ChatFormat(ChatTemplate(source, bos="", eos=""))


def test_a_reply_begins_where_earlier_ones_do_if_the_template_does_not_say() -> None:
    knowing, ignorant = (
        ChatFormat(ChatTemplate(source, bos="", eos="")) for source in (CHATML, TURNS)
    )
    roles = ("system", "user", "assistant", "user")
    assert ignorant.pieces(roles, asks=True) == knowing.pieces(roles, asks=True)
    assert ignorant.pieces(roles, asks=False) == knowing.pieces(roles, asks=False)
