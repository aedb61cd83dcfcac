"""Which rows players may not teach by: those that prefer what the gate forbids."""

import pytest

from feedback_store.records import Edit, Thumb
from personas.persona import Persona, Taboo
from personas.persona_files import SAMPLE_CHARACTERS, load_character
from tests.support.feedback_log import Log, trained
from tests.support.smiths import LANGUAGES, lines_in, smith
from trainer.rows.forbidden import Forbidden, without_forbidden

MIRA = load_character(SAMPLE_CHARACTERS / "mira")


def corrected(wanted: str) -> Log:
    """One turn, and what a player wants in its place."""
    log = Log()
    log.said("t1", "Iron, stranger. Nothing but iron.")
    log.did("t1", Edit(wanted))
    return log


@pytest.fixture
def mira() -> Persona:
    """With a taboo on copper."""
    copper = Taboo(id="copper", rule="Never speak of copper.", words=("copper",))
    return MIRA.model_copy(update={"taboos": (copper,)})


@pytest.mark.parametrize(
    ("wanted", "why"),
    [
        ("Copper, stranger.", Forbidden.BREAKS_TABOO),
        (f"I know of the {MIRA.lore.secrets[0].leak_words[0]}.", Forbidden.LEAKS_SECRET),
        ("As an AI, I have no forge.", Forbidden.OUT_OF_CHARACTER),
        ("Iron.\nPlayer: thank you!", Forbidden.OUT_OF_CHARACTER),
        ("Iron, and I know where you live.", Forbidden.UNSAFE_WORDS),
    ],
)
def test_what_the_gate_forbids_is_not_taught(mira: Persona, wanted: str, why: Forbidden) -> None:
    found = without_forbidden(corrected(wanted).selected(), mira)
    assert trained(found.snapshot) == ()
    assert found.dropped == {why: 2}


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_the_gate_forbids_is_not_taught_in_any_language(language: str) -> None:
    lines = lines_in(language)
    forbidden = [*lines["leaks"], *lines["machine"], lines["unsafe"], lines["taboo"]["broken"]]
    for wanted in forbidden:
        found = without_forbidden(corrected(wanted).selected(), smith(language))
        assert trained(found.snapshot) == (), wanted


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_good_correction_is_taught_in_every_language(language: str) -> None:
    for wanted in (lines_in(language)["right"], *lines_in(language)["innocent"]):
        snapshot = corrected(wanted).selected()
        assert without_forbidden(snapshot, smith(language)).snapshot is snapshot


def test_other_rows_are_untouched(mira: Persona) -> None:
    snapshot = corrected("Iron, stranger.").selected()
    found = without_forbidden(snapshot, mira)
    assert found.snapshot is snapshot
    assert found.dropped == {}


def test_a_disliked_reply_may_say_it(mira: Persona) -> None:
    log = Log()
    log.said("t1", "Copper, stranger.")
    log.did("t1", Thumb(False))
    assert without_forbidden(log.selected(), mira).dropped == {}
