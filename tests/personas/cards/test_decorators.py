"""Decorators are taken off a text and nothing of it is lost."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from personas.cards.decorators import Decorator, decorators_of

TEXTS = st.lists(st.sampled_from(["@@depth 4", "@@@role user", "text", "", " @@activate "]))


def test_the_first_known_one_of_a_decorator_and_its_fallbacks_counts() -> None:
    content = "@@new 1\n@@@newer 2\n@@@depth 3\n@@@depth 4\n@@activate\nThe mill."
    found = decorators_of(content, {"depth", "activate"})
    assert found.decorators == (Decorator("depth", "3"), Decorator("activate", ""))
    assert found.text == "The mill."


def test_an_unknown_decorator_is_told_of_and_has_no_value() -> None:
    found = decorators_of("@@depth 4\n@@exclude_keys a, b\nx", {"exclude_keys"})
    assert [one.name for one in found.decorators] == ["depth", "exclude_keys"]
    assert found.words("exclude_keys") == ("a", "b")
    assert (found.number("depth"), found.number("role")) == (4, None)


def test_a_decorator_in_the_text_is_text() -> None:
    assert decorators_of("The mill.\n@@depth 4", {"depth"}).text == "The mill.\n@@depth 4"


@settings(deadline=None)
@given(TEXTS.map("\n".join))
def test_head_and_text_are_the_whole(content: str) -> None:
    found = decorators_of(content, {"depth"})
    assert found.head + found.text == content
