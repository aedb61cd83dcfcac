"""Replies held back as far as they could become a fault."""

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from personas.cast_names import names_of_cast
from personas.faults import Fault
from personas.guarded_stream import GUARDED, GuardedStream, watch_of
from personas.guardrails import Guardrails
from personas.persona import Persona
from personas.persona_files import SAMPLE_CHARACTERS, load_characters

CAST = load_characters(SAMPLE_CHARACTERS)
NAMES = names_of_cast(CAST.values())
MIRA = watch_of(CAST["mira"], NAMES)

FAULTY = [
    pytest.param(Fault.LEAK, "It was my locking pin that broke.", id="a secret"),
    pytest.param(Fault.LEAK, "It had a f-l-a-w from the start.", id="a secret, spelled"),
    pytest.param(Fault.LEAK, "It had a fl4w from the start.", id="a secret, in digits"),
    pytest.param(Fault.UNSAFE, "Go and kill yourself then.", id="unsafe"),
    pytest.param(Fault.OUT_OF_CHARACTER, "Well, I am an AI and no smith.", id="machine talk"),
    pytest.param(Fault.OUT_OF_CHARACTER, "Nun, ich bin ein Computer.", id="in German"),
    pytest.param(Fault.OUT_OF_CHARACTER, "我是一个语言模型。", id="in Chinese"),
    pytest.param(Fault.OUT_OF_CHARACTER, "Hm. <|im_start|>system", id="a mark"),
    pytest.param(Fault.OUT_OF_CHARACTER, "Aye.\nFenn Tarrow: Ha!", id="another character"),
    pytest.param(Fault.OUT_OF_CHARACTER, "Aye.\n**Player** : mend it", id="the player"),
    pytest.param(Fault.RECITES, CAST["mira"].voice.style, id="the instructions"),
]
HARMLESS = (
    "I am Mira Holt, the blacksmith of Saltmere. You speak of iron? Fenn brings it.",
    "The old gate is best left cold.\nFenn and Orsolo know: iron first!",
    "A robot? I am a smith, and I am an honest one. <3 [sic]",
    "四百十二册，都在钟楼里。",
)


def parts_of(text: str, cuts: list[int]) -> list[str]:
    places = sorted({0, len(text), *(cut % (len(text) + 1) for cut in cuts)})
    return [text[start:end] for start, end in pairwise(places)]


@pytest.mark.parametrize(("fault", "text"), FAULTY)
def test_a_fault_is_found(fault: Fault, text: str) -> None:
    stream = GuardedStream(MIRA)
    stream.push(text)
    stream.finish()
    assert stream.fault is fault


@pytest.mark.parametrize(("fault", "text"), FAULTY)
@given(cuts=st.lists(st.integers(0, 200), max_size=30))
def test_the_verdict_is_the_same_however_the_text_comes(
    fault: Fault, text: str, cuts: list[int]
) -> None:
    stream = GuardedStream(MIRA)
    for part in parts_of(text, cuts):
        stream.push(part)
    stream.finish()
    assert stream.fault is fault


@pytest.mark.parametrize(("fault", "text"), FAULTY)
def test_no_beginning_of_what_is_withheld_is_shown(fault: Fault, text: str) -> None:
    stream = GuardedStream(MIRA)
    shown = "".join(stream.push(sign) for sign in text) + stream.finish()
    assert stream.fault is fault
    assert text.startswith(shown)
    # What follows on the shown text is the fault from its first word: without that word, none.
    following = text[len(shown) :].lstrip()
    assert MIRA.fault_in(shown) is None
    assert MIRA.fault_in(f"x {following}") is fault or fault is Fault.OUT_OF_CHARACTER


@given(st.sampled_from(HARMLESS), st.lists(st.integers(0, 200), max_size=30))
def test_a_reply_without_fault_comes_through_whole(text: str, cuts: list[int]) -> None:
    stream = GuardedStream(MIRA)
    shown = "".join(map(stream.push, parts_of(text, cuts))) + stream.finish()
    assert (stream.fault, shown, stream.shown) == (None, text, text)


def test_words_come_as_soon_as_they_can_begin_nothing() -> None:
    stream = GuardedStream(MIRA)
    assert [stream.push(word) for word in ("I ", "am ", "an ", "early ", "riser ")] == [
        "",
        "",
        "",
        "I am an early",
        " riser",
    ]


def test_letters_come_before_their_word_is_whole_where_no_fault_begins_so() -> None:
    stream = GuardedStream(MIRA)
    shown = [
        stream.push(part) for part in ("Early", " rise", "rs", ",", " I", " h", "ave", " a fl")
    ]
    assert shown == ["Early", " rise", "rs", ",", "", "", " I have", " a"]


@pytest.mark.parametrize("said", ["Sprachmodell", "Ein Riesensprachmodell"])
def test_of_a_word_joined_to_another_two_letters_are_seen_at_most(said: str) -> None:
    stream = GuardedStream(MIRA)
    shown = "".join(map(stream.push, said)) + stream.push(" bin ich.")
    assert stream.fault is Fault.OUT_OF_CHARACTER
    assert not shown.lower().endswith("spr")


SAID = (
    *("I", "am", "an", "a", "AI", "flaw", "pin", "locking", "my", "kill", "yourself"),
    *("Fenn", "Tarrow", ":", "\n", "f", "l", "w", "<|im_start|>"),
)
PLAIN = ("early", "riser", "The", "smith", "inkwell", "amble", "killed", "Well,", "flower", "sp")


@given(
    st.lists(st.sampled_from((*SAID, *PLAIN)), max_size=12).map(" ".join),
    st.lists(st.integers(0, 200), max_size=30),
)
def test_nothing_that_is_withheld_was_begun(text: str, cuts: list[int]) -> None:
    stream, whole = GuardedStream(MIRA), GuardedStream(MIRA)
    shown = "".join(map(stream.push, parts_of(text, cuts))) + stream.finish()
    whole.push(text)
    whole.finish()
    assert stream.fault is whole.fault
    assert text.startswith(shown)
    assert MIRA.fault_in(shown) is None
    if stream.fault in (Fault.LEAK, Fault.UNSAFE):
        assert MIRA.fault_in(f"x {text[len(shown) :].lstrip()}") in (Fault.LEAK, Fault.UNSAFE)


def test_at_a_fault_whole_sentences_come_through_and_no_lead_up_to_it() -> None:
    stream = GuardedStream(MIRA)
    assert stream.push("Aye. It was my locking pin.") == "Aye."
    assert stream.push(" More.") == ""
    assert stream.shown == "Aye."


def test_a_reply_may_go_on_from_what_was_shown() -> None:
    stream = GuardedStream(MIRA, "It was my")
    assert stream.push(" hammer. It") + stream.finish() == " hammer. It"
    again = GuardedStream(MIRA, "It was my locking")
    assert again.push(" pin. It") == ""
    assert again.fault is Fault.LEAK


def test_as_a_whole_nothing_is_shown_before_the_end() -> None:
    stream = GuardedStream(MIRA, as_a_whole=True)
    assert stream.push("Aye. So be it. ") == ""
    assert stream.finish() == "Aye. So be it. "


def test_blocked_words_and_taboos_are_the_designers(ada: Persona) -> None:
    strict = ada.model_copy(update={"guardrails": Guardrails(blocked_words=("Zorn",))})
    watch = watch_of(strict, among=GUARDED | {Fault.TABOO})
    assert watch.fault_in("By Zorn!") is Fault.BLOCKED
    assert watch.fault_in("The bread is burnt.") is Fault.TABOO
    assert watch_of(strict).fault_in("The bread is burnt.") is None


def test_a_secret_of_another_state_of_the_world_is_none_yet(ada: Persona) -> None:
    (secret,) = ada.lore.secrets
    later = secret.model_copy(update={"when": "quest.mill >= 2"})
    lore = ada.lore.model_copy(update={"secrets": (later,)})
    watch = watch_of(ada.model_copy(update={"lore": lore}))
    assert replace(watch, state={"quest.mill": 1}).fault_in("It is chalk.") is None
    assert replace(watch, state={"quest.mill": 2}).fault_in("It is chalk.") is Fault.LEAK


def test_a_character_that_is_a_machine_may_say_so(ada: Persona) -> None:
    said = "I am a robot, and I bake."
    machine = ada.model_copy(update={"role": "the bakery's robot"})
    declared = ada.model_copy(update={"guardrails": Guardrails(world_words=("robot",))})
    assert watch_of(ada).fault_in(said) is Fault.OUT_OF_CHARACTER
    assert watch_of(machine).fault_in(said) is None
    assert watch_of(declared).fault_in(said) is None
    assert watch_of(machine).fault_in("I am a machine of brass.") is None
    assert watch_of(machine).fault_in("I am a language model.") is Fault.OUT_OF_CHARACTER


def test_a_name_of_the_cast_is_no_speaker_without_its_colon() -> None:
    assert MIRA.fault_in("Fenn: Ha!") is Fault.OUT_OF_CHARACTER
    assert MIRA.fault_in("Mira: Aye.") is None  # her own
    assert MIRA.fault_in("Fenn brings it: bar by bar.") is None
