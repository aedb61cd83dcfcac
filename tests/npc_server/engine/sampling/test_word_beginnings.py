"""Which tokens may begin a word, in scripts with and without blanks."""

import pytest

from npc_server.engine.sampling.word_beginnings import goes_on_with_a_word


@pytest.mark.parametrize(
    ("piece", "goes_on"),
    [
        (b"ience", True),
        (b"3", True),
        ("ева".encode(), True),
        ("쇠".encode(), True),
        (b" Pat", False),
        (b".", False),
        (b"'s", False),
        (b"\n", False),
        ("铁".encode(), False),
        ("เหล็ก".encode(), False),
        ("铁".encode()[:1], False),
        ("铁".encode()[1:], True),
        (b"", False),
    ],
)
def test_a_token_goes_on_with_a_word_or_may_begin_one(piece: bytes, goes_on: bool) -> None:
    assert goes_on_with_a_word(piece) is goes_on
