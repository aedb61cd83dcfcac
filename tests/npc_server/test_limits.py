"""What one call may carry."""

import pytest

from npc_server.errors import InvalidRequestError
from npc_server.limits import MAX_ID_CHARACTERS, check_id, check_stop_text, check_text


@pytest.mark.parametrize("text", ["", " \n", "\u200b\u200b", "\0", "\u3164", "\u202e\u2060"])
def test_text_that_nobody_sees_is_empty(text: str) -> None:
    with pytest.raises(InvalidRequestError, match="text is empty"):
        check_text("text", text)


def test_what_a_player_says_loses_control_characters_and_nothing_else() -> None:
    assert (
        check_text("text", "Grüß\x1b[1m dich\u202e, 👩\u200d🚀!\n") == "Grüß[1m dich, 👩\u200d🚀!\n"
    )


def test_the_limit_counts_what_is_kept() -> None:
    assert len(check_text("text", "\0" * 100 + "x" * 2000)) == 2000


@pytest.mark.parametrize("value", ["", " ", "\u200b"])
def test_an_id_of_nothing_is_empty(value: str) -> None:
    with pytest.raises(InvalidRequestError, match="turn_id is empty"):
        check_id("turn_id", value)


@pytest.mark.parametrize("value", ["a\u200bb", "a\0b", "\ufeffa", "a\u202e"])
def test_an_id_shows_all_that_it_holds(value: str) -> None:
    with pytest.raises(InvalidRequestError, match=r"line_id holds U\+.* does not show"):
        check_id("line_id", value)


def test_an_id_has_a_limit() -> None:
    with pytest.raises(InvalidRequestError, match="at most 128"):
        check_id("line_id", "x" * (MAX_ID_CHARACTERS + 1))


def test_a_stop_text_may_be_blank_but_holds_no_control_character() -> None:
    assert check_stop_text("stop", "\n") == "\n"
    with pytest.raises(InvalidRequestError, match=r"stop holds U\+0000"):
        check_stop_text("stop", "\0")
