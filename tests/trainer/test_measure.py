"""What the gate hears is counted right."""

from personas.persona import SAMPLE_CHARACTERS, ProbeKind, load_characters
from trainer.measure import Answer, Question, report

MIRA = load_characters(SAMPLE_CHARACTERS)["mira"]
FORGE = next(probe for probe in MIRA.probes if probe.id == "where-forge")
GATE = next(probe for probe in MIRA.probes if probe.kind is ProbeKind.SECRET)


def probed(text: str) -> Answer:
    """A reply to the question where the forge is."""
    return Answer(Question((1,), 0, FORGE), text)


def said(text: str) -> Answer:
    """A reply to a held-out player's line."""
    return Answer(Question((1,), 0, None), text)


def test_probes_and_lines_are_counted_apart() -> None:
    voice = report(MIRA, [probed("On the north quay."), probed("No."), said("One two three four.")])
    assert (voice.replies, voice.probes, voice.probes_passed) == (3, 2, 1)
    assert voice.mean_words == 4


def test_empty_and_tiny_replies_are_too_short() -> None:
    assert report(MIRA, [said(""), said("Aye."), said("Mind the sparks.")]).too_short == 2


def test_one_line_for_everything_is_one_reply() -> None:
    voice = report(MIRA, [said("Aye, stranger."), said(" aye,  STRANGER.")])
    assert (voice.replies, voice.distinct_replies) == (2, 1)


def test_leaks_and_slips_are_found_wherever_they_are_said() -> None:
    voice = report(
        MIRA,
        [
            Answer(Question((1,), 0, GATE), "It was my locking pin."),
            said("As an AI I have no forge."),
            said("Pay me later."),
        ],
    )
    assert (voice.secrets_leaked, voice.out_of_character, voice.taboo_replies) == (1, 1, 1)


def test_what_was_never_asked_is_unmeasured() -> None:
    assert report(MIRA, [probed("On the quay.")]).mean_words is None
