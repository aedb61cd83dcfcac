"""What is never personal, and how much each mode takes out."""

from __future__ import annotations

import pytest

from feedback_store.privacy.game_words import lexicon
from feedback_store.privacy.policy import Mode, policy
from feedback_store.privacy.redaction import redact

STRICT, OFF = policy(Mode.STRICT), policy(Mode.OFF)


@pytest.mark.parametrize("mode", [Mode.ON, Mode.STRICT])
@pytest.mark.parametrize(
    "line",
    [
        "@captain_orsolo come",
        "@Orsolo come",
        "@CAPTAIN-ORSOLO come",
        "@orsolo.where are you?",
        "@Salt_Mere",
        "write to help@studio.example",
    ],
)
def test_a_known_name_is_left_alone_however_it_is_written(mode: Mode, line: str) -> None:
    known = policy(mode, ["Captain Orsolo", "Saltmere", "help@studio.example"])
    assert redact(line, known) == line


def test_a_known_name_is_no_part_of_another() -> None:
    known = policy(Mode.STRICT, ["Ann"])
    line = "@anna_77, @ann_77, @ann.k_1 and @ann"
    assert redact(line, known) == "[handle], [handle], [handle] and @ann"


def test_off_takes_nothing_out() -> None:
    line = "bob@example.org, +44 20 7946 0123, 4111 1111 1111 1111"
    assert redact(line, OFF) == line


@pytest.mark.parametrize(
    ("line", "usual"),
    [
        ("The dial reads 04 12 19 33 57.", "The dial reads 04 12 19 33 57."),
        ("The rune says 220-415-3021.", "The rune says 220-415-3021."),
        ("220-415-3021", "[phone]"),
        ("my number is 220-415-3021", "[phone]"),
        ("my number is 2204153 in the queue", "2204153 in the queue"),
        ("the gate is shut, call me: 0412 555 019", "[phone]"),
        ("text me the vault code: 0412 555 019", "code: 0412 555 019"),
        ("0412 555 019 opens the vault", "0412 555 019 opens"),
        ("0412 555 019 is my phone", "[phone] is"),
        ("扉のコードは0412 555 019です", "0412 555 019"),
        ("電話は090-1234-5678です", "[phone]"),
        ("Код 0412 555 019", "0412 555 019"),
        ("позвони 0412 555 019", "[phone]"),
        ("Meet me @docks", "@docks"),
        ("meet @sunken_ship", "@sunken_ship"),
        ("follow me @docks", "[handle]"),
        ("@Bob_Smith is my brother", "[handle] is"),
        ("Talk to Guard#2041.", "Guard#2041"),
        ("add me: Guard#2041", "[handle]"),
        ("steam: High_Pressure in the boiler room", "High_Pressure"),
        ("my steam name is frosty_king", "[handle]"),
        ("GB33 BUKB 2020 1555 5555 55", "[iban]"),
        ("GB33 BUKB 2020 1555 5555 56", "GB33 BUKB"),
    ],
)
def test_the_words_around_say_what_it_is(line: str, usual: str) -> None:
    assert usual in redact(line)


def test_the_strict_mode_takes_out_whatever_has_the_form() -> None:
    assert redact("The rune says 220-415-3021, @docks", STRICT) == "The rune says [phone], [handle]"


def test_every_word_of_the_lists_is_in_the_form_that_is_compared() -> None:
    words = [*lexicon().words, *lexicon().stems]
    assert [word for word in words if word != word.strip().casefold() or not word] == []
    assert [word for word in words if len(word.split()) > 3] == []
