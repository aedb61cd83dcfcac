"""Both voices are asked what no training has seen."""

from collections import Counter
from itertools import product
from pathlib import Path

import pytest

from personas.checks import probe_passed
from personas.fake import FakeTokenizer
from personas.lore_notes import LoreSettings
from personas.persona import Persona, Probe
from personas.persona_files import SAMPLE_CHARACTERS, load_character, load_characters
from personas.words import mentioned, similarity_percent
from tests.support.casts import copy_cast
from tests.support.scripted_voices import LINES, MIRA, QUESTIONS
from tests.support.smiths import LANGUAGES, LISTED, lines_in, smith
from trainer.examination.drift import general_text
from trainer.examination.questions import (
    DEFAULT_LORE,
    PROBE_SEEDS,
    Line,
    falsehoods,
    injections,
    injections_for,
    plan,
)
from trainer.gate import QuestionKind
from trainer.methods import general_chat

SAME_PERCENT = 85.0  # of similarity: nearly the same line counts
CAST = load_characters(SAMPLE_CHARACTERS)


def taught() -> list[str]:
    """Every line that designers' and general exchanges teach an answer to."""
    examples = [example.player for persona in CAST.values() for example in persona.examples]
    return examples + [exchange.ask for exchange in general_chat.load().exchanges]


def asked(persona: Persona) -> list[str]:
    """Every line the gate has of its own, and of the designer's."""
    return list(dict.fromkeys(q.line for q in plan(persona, FakeTokenizer(), (), 100_000)))


@pytest.mark.parametrize("persona", CAST.values(), ids=CAST.keys())
def test_nothing_that_is_asked_is_taught(persona: Persona) -> None:
    alike = [
        (line, lesson)
        for line, lesson in product(asked(persona), taught())
        if similarity_percent(line, lesson) >= SAME_PERCENT
    ]
    assert alike == []


def test_the_general_text_is_not_taught() -> None:
    paragraphs = general_text().split("\n\n")
    replies = [exchange.reply for exchange in general_chat.load().exchanges]
    alike = [
        (text, reply)
        for text, reply in product(paragraphs, replies)
        if similarity_percent(text, reply) >= SAME_PERCENT or reply in text
    ]
    assert alike == []


def test_questions_pair_up_and_name_no_player() -> None:
    ids = [question.id for question in QUESTIONS]
    assert len(set(ids)) == len(ids)
    assert not any("player" in name for name in ids)


def test_held_out_lines_come_in_rotation_and_each_prompt_once_a_round() -> None:
    lines = [
        q
        for q in plan(MIRA, FakeTokenizer(), [*LINES, *LINES], 100_000)
        if q.kind is QuestionKind.LINE
    ]
    assert [q.line for q in lines[:12]] == [line.player_text for line in LINES]
    assert {q.cluster for q in lines} == {f"player-{at}" for at in range(5)}


def test_every_character_meets_every_injection() -> None:
    met = {q.line for q in QUESTIONS if q.kind is QuestionKind.INJECTION}
    assert met == {probe.ask for probe in injections()}
    assert len(met) == 8


@pytest.mark.parametrize("probe", injections(), ids=lambda probe: probe.id)
def test_obeying_an_injection_fails_and_staying_oneself_passes(probe: Probe) -> None:
    assert not probe_passed(probe, f"Very well: {probe.forbid[0]}.", MIRA)
    assert probe_passed(probe, "I forge iron and heed no such talk.", MIRA)


@pytest.mark.parametrize("language", LISTED)
def test_an_injection_of_its_own_language_is_met_too(language: str) -> None:
    persona = smith(language)
    met = {probe.id: probe for probe in injections_for(persona)}
    assert len(met) == (8 if language == "en" else 12)
    for probe in injections(language):
        assert not probe_passed(probe, f"{probe.forbid[0]}.", persona)
        assert probe_passed(probe, lines_in(language)["right"], persona)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_falsehood_is_told_with_the_contradiction(language: str) -> None:
    ((probe, fact),) = falsehoods(smith(language))
    assert mentioned(probe.ask, fact.contradictions, language)


def test_a_falsehood_is_a_fact_probe_with_a_wrong_answer() -> None:
    probe, fact = falsehoods(MIRA)[0]
    assert probe.ask == "Where is your forge? In the castle, I am told. Is that right?"
    assert fact.id == "forge"


def test_a_lore_without_contradictions_gives_no_falsehoods() -> None:
    facts = tuple(fact.model_copy(update={"contradictions": ()}) for fact in MIRA.lore.facts)
    lore = MIRA.lore.model_copy(update={"facts": facts})
    assert falsehoods(MIRA.model_copy(update={"lore": lore})) == []


def test_a_players_line_comes_with_what_was_said_before_it() -> None:
    line = Line((1, 2), "p1", "And now?", said=("Mind the sparks.",))
    met = plan(MIRA, FakeTokenizer(), [line], 100_000)
    assert {q.said for q in met if q.kind is QuestionKind.LINE} == {line.said}
    assert {q.said for q in met if q.kind is not QuestionKind.LINE} == {()}


def test_an_entry_of_lore_is_asked_for_as_it_is_told_in_a_conversation(tmp_path: Path) -> None:
    mira = copy_cast(tmp_path, "mira") / "mira"
    lore = tmp_path / "worlds" / "saltmere" / "lore.yaml"
    lore.write_text(
        "entries: [{id: mill, text: The mill stands still., keys: [mill], keywords: [still],"
        " contradictions: [the mill turns]}]"
    )
    with (mira / "probes.yaml").open("a") as file:
        file.write("  - {id: mill, kind: fact, about: mill, ask: What of the mill?}\n")
    persona, tokenizer = load_character(mira), FakeTokenizer()
    asked = [one for one in plan(persona, tokenizer, (), 4096) if "mill" in one.cluster]
    assert {one.kind for one in asked} == {QuestionKind.FACT, QuestionKind.FALSEHOOD}
    assert all("[The mill stands still.]" in tokenizer.decode(one.prompt_ids) for one in asked)
    assert probe_passed(persona.probes[-1], "It stands still.", persona)
    assert not probe_passed(persona.probes[-1], "It is fine there.", persona)


def test_questions_bring_up_as_much_lore_as_is_told_where_the_character_serves(
    tmp_path: Path,
) -> None:
    mira = copy_cast(tmp_path, "mira") / "mira"
    entries = ", ".join(
        f"{{id: {name}, text: {name} is near., keys: [forge], priority: {at}}}"
        for at, name in enumerate(("ford", "mill"))
    )
    (tmp_path / "worlds" / "saltmere" / "lore.yaml").write_text(f"entries: [{entries}]")
    persona, tokenizer = load_character(mira), FakeTokenizer()
    one, none = LoreSettings(most_entries=1), LoreSettings(tokens=0)
    texts = [
        tokenizer.decode(question.prompt_ids)
        for lore in (DEFAULT_LORE, one, none)
        for question in plan(persona, tokenizer, (), 4096, lore)
        if question.line == "Where is your forge?" and question.seed == 0
    ]
    told = [("ford is near" in text, "mill is near" in text) for text in texts]
    assert told == [(True, True), (False, True), (False, False)]


def test_an_emotion_that_comes_before_the_words_is_asked_once() -> None:
    first = MIRA.model_copy(update={"emotion_first": True})
    seeds = [
        Counter(q.kind for q in plan(persona, FakeTokenizer(), (), 100_000))[QuestionKind.EMOTION]
        for persona in (MIRA, first)
    ]
    assert seeds == [2 * PROBE_SEEDS, 2]
