"""Macros are filled in once, and the same way every time."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personas.cards.macros import Names, rendering

NAMES = Names("Mira", "stranger")


@pytest.mark.parametrize(
    ("text", "rendered"),
    [
        ("{{char}} nods at {{user}}.", "Mira nods at stranger."),
        ("{{ CHAR }} and <USER> and <bot>", "Mira and stranger and Mira"),
        ("{char} {user}", "Mira stranger"),
        ("a{{// a note}}b{{comment: c}}d{{hidden_key: key}}", "abd"),
        ("a{{newline}}b{{noop}}", "a\nb"),
        ("{{random:same,same}}{{pick::same::same}}", "samesame"),
        (r"{{random:one\, two,one\, two}}", "one, two"),
        ("{{pick::{{char}}::{{char}}}}", "Mira"),
        ("{{roll:1}} {{roll:3d1+2}}", "1 5"),
        ("<START>go", "go"),
    ],
)
def test_a_macro_is_filled_in(text: str, rendered: str) -> None:
    assert rendering(text, NAMES).text == rendered


def test_a_choice_is_made_once_and_told() -> None:
    first = rendering("{{random:red,green,blue}} {{roll:d20}}", NAMES)
    assert first == rendering("{{random:red,green,blue}} {{roll:d20}}", NAMES)
    colour, number = first.text.split()
    assert colour in {"red", "green", "blue"}
    assert 1 <= int(number) <= 20
    assert first.chosen == ("{{random:red,green,blue}}", "{{roll:d20}}")


def test_what_nothing_fills_in_is_left_out_and_told() -> None:
    found = rendering("It is {{time}}{{roll:x}}.", NAMES)
    assert (found.text, found.unknown) == ("It is .", ("{{time}}", "{{roll:x}}"))


@settings(deadline=None)
@given(st.text(st.sampled_from("{}<>chartuse:,/d1 "), max_size=60))
def test_no_macro_is_left(text: str) -> None:
    left = rendering(text, NAMES).text
    assert rendering(left, NAMES) == rendering(left, Names("x", "y"))
