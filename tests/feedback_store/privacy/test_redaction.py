"""What is taken out of a text, and what stays."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from feedback_store import redaction as door
from feedback_store.privacy.redaction import Category, findings, redact

PIECES = (
    "bob@example.org @bob a 1 202-555-0123 - . @ : / :// ?key= token= 4111111111111111 192.0.2.1 "
    "2001:db8::1 [email] [ ] [credentials] [credentials]@ email version call +44 0 ( ) #1234 "
    "discord: a_1 dot at com is % & + = é １ \u200b"
)
ANYTHING = st.text(st.characters())  # lone surrogates included
LIKE_PERSONAL_DATA = st.lists(
    st.sampled_from([*PIECES.split(" "), " ", "\ud800"]), max_size=14
).map("".join)


def test_each_category_has_its_placeholder() -> None:
    line = (
        "I'm @bob_k, bob@example.org, +44 20 7946 0123, 4111 1111 1111 1111, "
        "192.0.2.1, 2001:db8::1, https://bob:pw@example.org/?token=abc&x=1"
    )
    assert redact(line) == (
        "I'm [handle], [email], [phone], [card], [ip], [ip], "
        "https://[credentials]@example.org/?token=[credentials]&x=1"
    )


def test_every_category_is_found() -> None:
    line = (
        "a@example.org @ann_b 202-555-0123 4111111111111111 192.0.2.1 ftp://a:b@example.org"
        " GB33BUKB20201555555555"
    )
    assert {finding.category for finding in findings(line)} == set(Category)


@given(ANYTHING)
def test_any_text_is_redacted_once_and_for_all(text: str) -> None:
    assert redact(redact(text)) == redact(text)


@given(st.text("0123479+-. ()/:xa#@", max_size=60))
@settings(max_examples=500)
def test_any_digits_are_redacted_once_and_for_all(text: str) -> None:
    assert redact(redact(text)) == redact(text)


@given(LIKE_PERSONAL_DATA)
@settings(max_examples=500)
def test_what_stands_between_two_findings_is_read_as_it_will_be_read_again(text: str) -> None:
    assert redact(redact(text)) == redact(text)


@given(LIKE_PERSONAL_DATA)
def test_findings_stand_in_order_and_apart(text: str) -> None:
    ends = [place for finding in findings(text) for place in (finding.start, finding.end)]
    assert ends == sorted(ends)
    assert all(finding.start < finding.end <= len(text) for finding in findings(text))


def test_a_text_without_findings_comes_back_itself() -> None:
    text = "meet me @ the bridge at 12:30, bring 1 000 000 gold, e\u0301t\u200be\u0301 \ud800"
    assert redact(text) is text


def test_placeholders_that_are_there_stay_as_they_are() -> None:
    text = "[email] told [handle] that https://[credentials]@example.org works"
    assert redact(text) is text


def test_disguised_signs_are_read_as_what_they_look_like() -> None:
    assert redact("ｂｏｂ＠ｅｘａｍｐｌｅ．ｏｒｇ") == "[email]"
    assert redact("b\u200bob@exa\u00admple.org") == "[email]"
    assert redact("٢٠٢‑٥٥٥‑٠١٢٣ 𝟒𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏") == "[phone] [card]"


def test_what_is_not_taken_out_keeps_its_disguise() -> None:
    assert redact("ｏｋ １２ ca\u0301fe\u200b, @bob_k!") == "ｏｋ １２ ca\u0301fe\u200b, [handle]!"


def test_a_number_is_a_phone_only_where_words_say_so() -> None:
    assert redact("say 555-0134 to the guard") == "say 555-0134 to the guard"
    assert redact("call me at 555-0134") == "call me at [phone]"
    assert redact("I have 2025550123 gold, call me") == "I have 2025550123 gold, call me"


def test_a_number_that_ends_after_its_calling_code_is_none() -> None:
    text = "+39 0 123456789012"
    assert redact(text) is text


def test_a_card_needs_its_check_digit() -> None:
    assert redact("4111 1111 1111 1111 and 4111 1111 1111 1112") == "[card] and 4111 1111 1111 1112"


def test_versions_and_addresses_of_everybody_are_no_one_s() -> None:
    text = "version 1.2.3.4, v2.0.0.1, 127.0.0.1, ::1, std::vector, 0.0.0.0"
    assert redact(text) is text


def test_groups_are_addressed_by_their_name() -> None:
    text = "@everyone meet @noon, 3 swords @ 5 gold >:@"
    assert redact(text) is text


def test_what_hides_behind_findings_again_and_again_is_taken_out_whole() -> None:
    line = ":".join(["020 7946 0123"] * 40)  # each reading finds the first one only
    assert redact(line) == "[phone]:[phone]:[phone][phone]"


def test_scripts_find_it_by_its_short_name() -> None:
    assert door.redact is redact
