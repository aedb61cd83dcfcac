"""A reply ends where a sentence does, in every script that marks its ends."""

import pytest

from npc_server.engine.sampling.reply_end import ReplyEnd, is_mark
from npc_server.turns import SENTENCE_RULE


def reply(text: str, most_tokens: int = 40) -> ReplyEnd:
    """One that has said a text, in a token."""
    end = ReplyEnd(SENTENCE_RULE, most_tokens)
    end.add(text)
    return end


@pytest.mark.parametrize(
    ("text", "may"),
    [
        ("", True),
        ("Erm. Orsolo\n", False),
        ("Aye.", True),
        ("Aye. \n", True),
        ("She nods to Mr.", False),
        ("*She nods.", False),
        ("*She nods.*", True),
        ("はい、そうです", False),
        ("はい、そうです。", True),
        ("ใช่ครับ", True),
    ],
)
def test_a_reply_may_end_behind_a_sentence_or_where_none_are_marked(text: str, may: bool) -> None:
    assert reply(text).may_end() is may


@pytest.mark.parametrize(
    ("piece", "mark"),
    [
        (".", True),
        ("!”", True),
        ("。", True),
        (".*", True),
        (",", False),
        (" .", False),
        ("s.", False),
    ],
)
def test_a_mark_ends_the_sentence_of_the_words_before_it(piece: str, mark: bool) -> None:
    assert is_mark(SENTENCE_RULE, piece) is mark


def test_marks_are_pushed_as_the_tokens_run_out_of_the_first_sentence() -> None:
    end, pushes = ReplyEnd(SENTENCE_RULE, 60), list[float]()
    for _ in range(59):
        end.add(" sea")
        pushes.append(end.push_to_mark)
    assert pushes == sorted(pushes)
    assert pushes[40] == 0 < pushes[50] < pushes[58]
    end.add(". And")
    assert end.push_to_mark == 0


@pytest.mark.parametrize(
    ("text", "left", "piece", "leaves"),
    [
        ("I walk along", 1, " the", False),
        ("I walk along", 1, ".", True),
        ("I walk along", 2, " the", True),
        ("I walk along", 2, ",", False),
        ("I walk along", 3, ",", True),
        ("I walk. And then", 1, " the", True),
    ],
)
def test_the_last_tokens_leave_room_for_a_whole_sentence(
    text: str, left: int, piece: str, leaves: bool
) -> None:
    assert reply(text, left + 1).leaves_room(piece) is leaves
