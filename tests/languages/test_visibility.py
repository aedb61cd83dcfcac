"""What a reader sees of a text, and what no text may hold."""

import pytest

from languages.visibility import hidden_sign, is_visible, unwanted_sign, without_unwanted

#: Nothing of these can be seen.
EMPTY = {
    "blank": " \t\r\n",
    "no-break": "\u00a0\u2007\u202f",
    "ideographic space": "\u3000",
    "zero-width space": "\u200b\u200b",
    "joiners": "\u200c\u200d",
    "word joiner": "\u2060",
    "byte order mark": "\ufeff",
    "soft hyphen": "\u00ad",
    "grapheme joiner": "\u034f",
    "hangul filler": "\u3164",
    "other fillers": "\u115f\u1160\uffa0",
    "braille blank": "\u2800",
    "variation selector": "\ufe0f",
    "late selector": "\U000e0100",
    "mongolian": "\u180b\u180e",
    "khmer": "\u17b4\u17b5",
    "nul": "\0",
    "escape": "\x1b",
    "directions": "\u200e\u200f\u061c\u202e\u2066\u2069",
    "tags": "\U000e0041\U000e0042",
    "line separator": "\u2028\u2029\x85",
    "a mark alone": "\u0301 \u20dd",
    "annotation": "\ufff9\ufffb",
    "music": "\U0001d173",
    "nothing": "",
}

#: Writing needs every sign of these.
WHOLE = {
    "emoji family": "👩\u200d👩\u200d👧 and ❤\ufe0f",
    "keycap": "1\ufe0f\u20e3",
    "flag of England": "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f!",
    "skin": "👍🏽",
    "Persian": "می\u200cخواهم",
    "Hindi": "क्\u200dष",
    "Malayalam": "അവന്\u200d",
    "Hebrew with marks": "שָׁלוֹם",
    "Arabic and a mark of direction": "مرحبا\u200f!",
    "Japanese name": "葛\U000e0100城",
    "Mongolian": "ᠠ\u180b",
    "Thai": "สวัส\u200bดี",
    "composed of parts": "e\u0301\u0323",
    "Vietnamese": "Nguye\u0302\u0303n",
    "lines": "one\r\n\ttwo",
    "own icons": "\ue001 gold",
    "from a later Unicode": "\U0001fae8",
}

#: What is left of each.
CLEANED = {
    "nul": ("a\0b", "ab"),
    "escape": ("\x1b[31mred", "[31mred"),
    "delete": ("a\x7f\x9bb", "ab"),
    "override": ("\u202etxt.exe\u202c", "txt.exe"),
    "isolates": ("\u2066Mira\u2069, hello", "Mira, hello"),
    "smuggled tags": ("Hi\U000e0069\U000e0067", "Hi"),
    "smuggled tags behind a flag": ("🏴\U000e0069 hi", "🏴 hi"),
    "smuggled selectors": ("a\ufe01\ufe05\U000e0121", "a\ufe01"),
    "no character": ("a\uffff\ufdd0\U0001fffe", "a"),
    "vertical": ("a\x0b\x0cb", "ab"),
}


@pytest.mark.parametrize("text", EMPTY.values(), ids=EMPTY)
def test_text_that_nobody_sees_is_empty(text: str) -> None:
    assert not is_visible(text)


@pytest.mark.parametrize("text", WHOLE.values(), ids=WHOLE)
def test_what_writing_needs_stays(text: str) -> None:
    assert is_visible(text)
    assert without_unwanted(text) == text
    assert unwanted_sign(text) == ""


@pytest.mark.parametrize(("text", "left"), CLEANED.values(), ids=CLEANED)
def test_signs_that_are_in_no_text_go_and_are_found(text: str, left: str) -> None:
    assert without_unwanted(text) == left
    assert unwanted_sign(text).startswith("U+")
    assert unwanted_sign(left) == ""


def test_a_sign_is_told_by_number_and_name() -> None:
    assert unwanted_sign("a\u202e") == "U+202E RIGHT-TO-LEFT OVERRIDE"
    assert unwanted_sign("a\0") == "U+0000 CONTROL CHARACTER"


@pytest.mark.parametrize("sign", "\u200b\u202e\u00ad\ufeff\u2060\u3164\u2800\u200e\x00\u034f")
def test_a_label_shows_all_that_it_holds(sign: str) -> None:
    assert hidden_sign(f"Mi{sign}ra").startswith(f"U+{ord(sign):04X}")


@pytest.mark.parametrize(
    "label",
    ["Mira", "می\u200cخواهم", "क्\u200dष", "👩\u200d🚀", "❤\ufe0f", "葛\U000e0100", "Lú"],
)
def test_a_label_may_be_shaped(label: str) -> None:
    assert hidden_sign(label) == ""


@pytest.mark.parametrize("label", ["\u200dMira", "Mira \u200c", "Mira\u200b\u200d"])
def test_a_joiner_without_anything_to_join_is_hidden(label: str) -> None:
    assert hidden_sign(label) != ""
