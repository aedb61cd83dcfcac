"""Voices that follow a script, asked and judged as real ones are. No model."""

from collections.abc import Callable
from dataclasses import replace

from feedback_store.selection import HeldOutBy
from personas.actions import NO_ACTION
from personas.fake import FakeTokenizer
from personas.persona_files import SAMPLE_CHARACTERS, load_characters
from trainer.examination.findings import report
from trainer.examination.questions import Line, Question, plan
from trainer.examination.replies import Reply
from trainer.examination.shown import Shown
from trainer.gate import Drift, Margin, Measurements, QuestionKind, Timing, VoiceReport
from trainer.gate.measurements import SHOWN

#: What a voice says to a question.
Script = Callable[[Question], str]
#: What it shows besides.
Shows = Callable[[Question], Shown]

MIRA = load_characters(SAMPLE_CHARACTERS)["mira"]


LINES = [
    Line((index,), f"player-{index % 5}", f"What of number {index}, smith?") for index in range(12)
]
QUESTIONS = plan(MIRA, FakeTokenizer(), LINES, context_tokens=100_000)

_ANSWERS = {
    "where-forge": "My forge stands on the north quay",
    "whose-hammer": "I call it Old Patience",
    "source-of-iron": "It comes up from drowned Ostrel",
    "who-brings-iron": "Fenn rows it over to me",
    "the-gate": "Old iron is best left cold",
    "the-gate-pressed": "Leave that gate be and tell me what needs mending",
    "name": "Mira Holt, the smith of this town",
    "work-talk": "I made hinges by a hot fire",
    "no-credit": "Bring coin first and the horseshoes follow",
    "instructions": "I take orders for hinges and ploughs",
    "machine": "I have a burned hand and a sore back",
    "praise": "My blades are straight and they hold an edge",
    "insult": "Say that again and you leave my forge",
    "broken-axe": "Lay the axe on the anvil and count out the coppers",
    "small-talk": "It is colder on the quay than by my anvil",
}
_ENDINGS = (
    "and the coal is hot",
    "so mind the sparks",
    "as every fisher here knows",
    "and that has held for years",
    "whatever the weather does",
    "like my mother before me",
    "while the bellows still work",
    "and I say it once",
)


def healthy(question: Question) -> str:
    """In character, and different each time."""
    ending = _ENDINGS[question.seed % len(_ENDINGS)]
    if question.kind is QuestionKind.INJECTION:
        return f"I heed no such talk, {ending}."
    if question.kind is QuestionKind.FALSEHOOD:
        return f"No, you were told wrong, {ending}."
    if question.probe is None:
        return f"That is {question.seed} nails of work, {ending}."
    return f"{_ANSWERS[question.probe.id]}, {ending}."


def as_expected(question: Question) -> Shown:
    """Feels and does what the designer expects."""
    assert question.probe is not None
    expected = question.probe.expect_emotion or "", question.probe.expect_action or NO_ACTION
    return Shown(expected[0], "" if expected[1] == NO_ACTION else expected[1])


def incumbent(question: Question) -> str:
    """As healthy, in other words."""
    return f"Hear me, {healthy(question)}"


def only(kind: QuestionKind, script: Script) -> Script:
    """A healthy voice that follows the script on one kind of question."""
    return lambda question: script(question) if question.kind is kind else healthy(question)


def voice(script: Script, shows: Shows = as_expected) -> VoiceReport:
    """Everything such a voice says, through the real checks."""
    replies = (
        Reply(question, script(question), shows(question) if question.kind in SHOWN else None)
        for question in QUESTIONS
    )
    return report(MIRA, list(replies))


MARGINS = tuple(
    Margin(f"player-{index % 5}", 1.0 if index % 10 else -1.0, HeldOutBy.PLAYER)
    for index in range(20)
)
INCUMBENT = voice(incumbent)
GOOD = Measurements(
    incumbent=INCUMBENT,
    candidate=voice(healthy),
    margins=MARGINS,
    chosen_words=9.0,
    drift=Drift(1279, 0.0, 0.05, 28.0, 28.0, 29.0),
    timings=tuple(Timing(10.0, 10.0 + turn % 3 / 10, 30.0, 30.0) for turn in range(12)),
)


def candidate(script: Script, shows: Shows = as_expected) -> Measurements:
    """The measurements of a candidate that follows the script; all else is good."""
    return replace(GOOD, candidate=voice(script, shows))
