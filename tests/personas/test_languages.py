"""The same leak is found in every language, the same good cast passes."""

import time
import unicodedata
from pathlib import Path

import pytest

from personas.checks import (
    agrees,
    contradicts,
    leaked_secrets,
    loops,
    out_of_character,
    parrots,
    probe_passed,
    says_nothing,
    word_count,
)
from personas.errors import PersonaError
from personas.faults import Fault, ReplyInContext, find_faults, gravest
from personas.persona import Fact, Persona
from personas.persona_files import load_character
from personas.unsafe import unsafe
from tests.support.smiths import LANGUAGES, LISTED, lines_in, smith, write_cast

EVERY = pytest.mark.parametrize("language", LANGUAGES)
WITH_LISTS = pytest.mark.parametrize("language", LISTED)


def fact_of(persona: Persona) -> Fact:
    return persona.lore.facts[0]


@EVERY
def test_a_good_cast_passes(language: str, tmp_path: Path) -> None:
    assert load_character(write_cast(tmp_path, language)).language == language


@EVERY
@pytest.mark.parametrize("place", ["summary", "style", "fact", "deflect", "topic"])
def test_a_leak_word_in_the_prompt_is_refused(language: str, place: str, tmp_path: Path) -> None:
    leak = lines_in(language)["leaks"][0]
    folder = write_cast(tmp_path, language, **{place: leak})
    with pytest.raises(PersonaError, match="gives away secret 'sluice'"):
        load_character(folder)


@EVERY
def test_a_leak_word_in_an_example_is_refused(language: str, tmp_path: Path) -> None:
    lines = lines_in(language)
    folder = write_cast(tmp_path, language, greeting=[lines["greeting"][0], lines["leaks"][-1]])
    with pytest.raises(PersonaError, match=r"examples\[0\].reply: gives away"):
        load_character(folder)


@EVERY
def test_a_leak_is_found_in_every_form(language: str) -> None:
    missed = [
        leak for leak in lines_in(language)["leaks"] if not leaked_secrets(leak, smith(language))
    ]
    assert missed == []


@EVERY
def test_what_is_like_the_leak_word_is_left_alone(language: str) -> None:
    lines = lines_in(language)
    for reply in (*lines["innocent"], lines["right"], lines["wrong"], lines["greeting"][1]):
        assert leaked_secrets(reply, smith(language)) == ()
        assert not out_of_character(reply, smith(language))
        assert unsafe(reply, smith(language)) == ()


@EVERY
def test_a_secret_probe_fails_on_the_leak_and_a_fact_probe_passes_on_the_answer(
    language: str,
) -> None:
    persona, lines = smith(language), lines_in(language)
    fact, secret = persona.probes
    assert not any(probe_passed(secret, leak, persona) for leak in lines["leaks"])
    assert probe_passed(secret, lines["innocent"][0], persona)
    assert probe_passed(fact, lines["right"], persona)
    assert not probe_passed(fact, lines["wrong"], persona)


@EVERY
def test_a_broken_taboo_is_found(language: str) -> None:
    reply = ReplyInContext(smith(language), lines_in(language)["taboo"]["broken"])
    assert find_faults(reply, {Fault.TABOO}) == {Fault.TABOO: True}


@EVERY
def test_a_contradiction_is_found(language: str) -> None:
    persona, lines = smith(language), lines_in(language)
    assert contradicts(lines["wrong"], fact_of(persona), language)
    assert not contradicts(lines["right"], fact_of(persona), language)


@WITH_LISTS
def test_a_denied_contradiction_is_none(language: str) -> None:
    persona, lines = smith(language), lines_in(language)
    assert not contradicts(lines["denied"], fact_of(persona), language)


@WITH_LISTS
def test_saying_yes_to_a_falsehood_is_agreeing(language: str) -> None:
    persona, lines = smith(language), lines_in(language)
    claim = lines["contradiction"]
    assert agrees(lines["short"], claim, fact_of(persona), language)
    assert not agrees(lines["right"], claim, fact_of(persona), language)


@EVERY
def test_talk_as_a_machine_is_found(language: str) -> None:
    for reply in lines_in(language)["machine"]:
        assert out_of_character(reply, smith(language)), reply


@WITH_LISTS
def test_talk_as_a_machine_is_found_in_a_language_nobody_declared(language: str) -> None:
    for reply in lines_in(language)["machine"]:
        assert out_of_character(reply), reply


@EVERY
def test_unsafe_words_are_found(language: str) -> None:
    assert unsafe(lines_in(language)["unsafe"], smith(language))


@EVERY
def test_english_is_found_in_every_language(language: str) -> None:
    assert out_of_character("As an AI language model, I cannot say.", smith(language))
    assert unsafe("Go and kill yourself.", smith(language))


@EVERY
def test_an_example_that_asks_what_a_probe_asks_is_refused(language: str, tmp_path: Path) -> None:
    lines = lines_in(language)
    folder = write_cast(tmp_path, language, greeting=[lines["ask_fact"], lines["greeting"][1]])
    with pytest.raises(PersonaError, match="asks what probe 'where' asks"):
        load_character(folder)


@EVERY
def test_saying_it_again_in_other_dress_is_noticed(language: str) -> None:
    said = lines_in(language)["right"]
    again = ReplyInContext(smith(language), f"  {said.upper()}!", earlier=(said,))
    assert find_faults(again, {Fault.SAID_BEFORE})[Fault.SAID_BEFORE]
    assert parrots(said, unicodedata.normalize("NFD", said))


@EVERY
def test_a_loop_is_a_loop_in_every_script(language: str) -> None:
    said = lines_in(language)["right"]
    assert loops(f"{said} {said} {said}")
    assert not loops(said)


@EVERY
def test_lengths_compare(language: str) -> None:
    lines = lines_in(language)
    assert word_count(lines["short"]) < 3 <= word_count(lines["right"]) <= 12


@WITH_LISTS
def test_a_reply_of_small_words_says_nothing(language: str) -> None:
    lines = lines_in(language)
    assert says_nothing(lines["short"], smith(language))
    assert not says_nothing(lines["right"], smith(language))


@EVERY
def test_the_right_answer_has_no_fault(language: str) -> None:
    persona, lines = smith(language), lines_in(language)
    reply = ReplyInContext(persona, lines["right"], lines["ask_fact"], fact=fact_of(persona))
    assert gravest(find_faults(reply, set(Fault))) is None


@pytest.mark.parametrize("language", sorted(set(LANGUAGES) - {"en"}))
def test_an_undeclared_language_is_refused_with_what_to_write(
    language: str, tmp_path: Path
) -> None:
    folder = write_cast(tmp_path, language)
    card = folder / "persona.yaml"
    card.write_text(card.read_text("utf-8").replace(f"language: {language}\n", ""), "utf-8")
    with pytest.raises(PersonaError, match=f"write `language: {language}`"):
        load_character(folder)


def test_text_of_another_script_than_declared_is_refused(tmp_path: Path) -> None:
    folder = write_cast(tmp_path, "ja")
    card = folder / "persona.yaml"
    card.write_text(card.read_text("utf-8").replace("language: ja", "language: ru"), "utf-8")
    with pytest.raises(PersonaError, match="Russian is declared"):
        load_character(folder)


@pytest.mark.parametrize("macro", ["{{char}}", "{{user}}", "<USER>", "{{random: a, b}}"])
def test_a_macro_that_nothing_fills_in_is_refused(macro: str, tmp_path: Path) -> None:
    folder = write_cast(tmp_path, "en", greeting=["Hello!", f"{macro} nods at you."])
    with pytest.raises(PersonaError, match="which nothing fills in here"):
        load_character(folder)


@pytest.mark.parametrize("language", ["de", "fi", "tr", "ko", "ar", "ja"])
def test_a_word_without_end_costs_no_time(language: str) -> None:
    began = time.thread_time()
    for sign in ("aba", "аба", "열쇠", "鍵", "กุ"):
        leaked_secrets(sign * 2000, smith(language))
    assert time.thread_time() - began < 2


@pytest.mark.parametrize("language", ["th", "fi"])
def test_what_cannot_be_checked_is_told(language: str) -> None:
    bare = smith(language).model_copy(update={"machine_talk": (), "unsafe": ()})
    closing = [gap for gap in bare.gaps if gap.closes_gate]
    assert [gap.remedy for gap in closing] == [
        "write machine_talk: in persona.yaml",
        "write unsafe: in persona.yaml",
    ]
    assert not any(gap.closes_gate for gap in smith(language).gaps)
    assert smith("ja").gaps == ()
