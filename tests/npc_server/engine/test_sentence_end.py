"""A reply ends where its sentences do, and nothing is shown that could be cut off."""

import pytest

from npc_server.engine.errors import RequestRejectedError
from npc_server.engine.protocol import SentenceRule
from npc_server.engine.sentence_end import SentenceEnds, pattern_of
from npc_server.engine.text_stream import TextStream
from personas.sentences import LAST, WITHIN

RULE = SentenceRule(WITHIN, LAST)


def stream(most: int = 0, stop: tuple[str, ...] = (), min_tokens: int = 0) -> TextStream:
    return TextStream(stop, sentences=SentenceEnds(RULE, most), min_tokens=min_tokens)


def pushed(text: TextStream, *tokens: str) -> list[str]:
    """What was shown at each token."""
    return [text.push(token.encode()) for token in tokens]


def test_the_first_sentence_is_shown_as_it_comes_and_later_ones_when_they_are_whole() -> None:
    shown = pushed(stream(), "The", " forge", ".", " It", " is", " hot", ".", " And")
    assert shown == ["The", " forge", ".", "", "", "", "", " It is hot."]


def test_a_reply_is_complete_behind_its_last_sentence() -> None:
    text = stream(most=2)
    pushed(text, "Mr", ".", " Holt", ".", " It", " is", " 3", ".", "5", ".", " And")
    assert text.complete
    assert text.text == "Mr. Holt. It is 3.5."
    assert text.cut() == ""


def test_the_closing_marks_of_the_last_sentence_belong_to_it() -> None:
    text = stream(most=1)
    pushed(text, '"', "Out", "!", '"', "\n", "\n", "She")
    assert text.complete
    assert text.text == '"Out!"'


def test_a_reply_goes_on_until_it_has_its_least_number_of_tokens() -> None:
    text = stream(most=1, min_tokens=5)
    assert pushed(text, "Aye", ".", "\n", "Well", ".")[-1] == "."
    assert not text.complete
    pushed(text, " Now", " go")
    assert (text.complete, text.text, text.tokens) == (True, "Aye.\nWell.", 5)


def test_a_cut_leaves_the_least_number_of_tokens() -> None:
    text = stream(min_tokens=4)
    pushed(text, "Aye", ".", " The", " forge", " is")
    assert text.cut() == ""
    assert (text.text, text.any_whole) == ("Aye. The forge is", False)


def test_what_was_cut_off_in_mid_sentence_was_never_shown() -> None:
    text = stream()
    shown = pushed(text, "Aye", ".", " The", " forge", " is")
    assert text.cut() == ""
    assert text.text == "".join(shown) == "Aye."
    assert text.tokens == 2


def test_a_cut_behind_a_mark_is_a_whole_sentence() -> None:
    text = stream(most=2)
    pushed(text, "Aye", ".", " Out", ".")
    assert text.cut() == " Out."
    assert (text.complete, text.any_whole, text.tokens) == (True, True, 4)


def test_a_single_unfinished_sentence_stays() -> None:
    text = stream()
    pushed(text, "The", " forge", " is")
    assert text.cut() == ""
    assert (text.text, text.any_whole, text.tokens) == ("The forge is", False, 3)


def test_a_reply_that_ends_by_itself_is_shown_to_its_end() -> None:
    text = stream()
    pushed(text, "Aye", ".", " The", " forge")
    assert text.finish() == " The forge"


def test_a_token_that_a_cut_parts_is_counted() -> None:
    text = stream(most=1)
    pushed(text, "铁是", "热的", "。快", "说")
    assert (text.text, text.tokens) == ("铁是热的。", 3)


def test_a_stop_string_ends_a_reply_before_its_sentence_does() -> None:
    text = stream(most=2, stop=("END",))
    pushed(text, "Aye. Go", " END", " on.")
    assert text.stopped
    assert text.text + text.finish() == "Aye. Go "


@pytest.mark.parametrize("pattern", ["(", "no group"])
def test_a_rule_that_cannot_be_followed_is_refused(pattern: str) -> None:
    with pytest.raises(RequestRejectedError, match="sentence rule"):
        pattern_of(pattern)
