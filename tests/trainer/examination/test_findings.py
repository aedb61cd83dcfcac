"""What is heard is judged right, reply by reply."""

from dataclasses import replace

import pytest

from npc_server.reranking import AVOIDED
from personas.faults import ReplyInContext, find_faults, gravest
from personas.persona import ProbeKind
from tests.support.scripted_voices import MIRA, QUESTIONS
from trainer.examination.findings import check_reply, report
from trainer.examination.questions import Question
from trainer.examination.replies import Reply
from trainer.examination.shown import Shown
from trainer.gate import CheckedReply, Fault, QuestionKind

FORGE = next(q for q in QUESTIONS if q.kind is QuestionKind.FACT and "forge" in q.line)
GATE = next(q for q in QUESTIONS if q.probe and q.probe.kind is ProbeKind.SECRET)
CLAIM = next(q for q in QUESTIONS if q.kind is QuestionKind.FALSEHOOD and "forge" in q.line)
LINE = next(q for q in QUESTIONS if q.kind is QuestionKind.LINE)


def said(text: str, question: Question = LINE) -> CheckedReply:
    return check_reply(MIRA, Reply(question, text))


def test_a_probe_passes_or_not_and_a_line_does_neither() -> None:
    assert said("On the north quay.", FORGE).passed is True
    assert said("No.", FORGE).passed is False
    assert said("One two three four.").passed is None


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", Fault.TOO_SHORT),
        ("Aye.", Fault.TOO_SHORT),
        ("As an AI I have no forge.", Fault.OUT_OF_CHARACTER),
        ("Pay me later.", Fault.TABOO),
        ("It was my locking pin.", Fault.LEAK),
        ("Go and hang yourself.", Fault.UNSAFE),
        ("Well now, good day to you, stranger.", Fault.NO_CONTENT),
        (LINE.line, Fault.PARROT),
        ("iron and fire and iron and fire and iron and fire", Fault.LOOP),
    ],
)
def test_each_fault_is_found(text: str, fault: Fault) -> None:
    assert said(text).faults[fault]
    assert not said("Mind the sparks and the coal.").faults[fault]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("Pay me later, pay me later, pay me later", Fault.TABOO),
        ("As an AI I say: go and hang yourself", Fault.UNSAFE),
        ("No, no, no, no, no, no, no, and", Fault.LOOP),
    ],
)
def test_best_of_and_the_gate_name_the_same_gravest_fault(text: str, fault: Fault) -> None:
    assert gravest(said(text).faults) is fault
    assert gravest(find_faults(ReplyInContext(MIRA, text), AVOIDED)) is fault


def test_a_contradiction_is_looked_for_where_the_lore_names_one() -> None:
    assert said("It stands in the castle.", FORGE).faults[Fault.CONTRADICTION]
    assert not said("Not in the castle.", FORGE).faults[Fault.CONTRADICTION]
    assert Fault.CONTRADICTION not in said("It stands in the castle.").faults


def test_agreeing_with_a_falsehood_fails() -> None:
    assert said("Aye, in the castle.", CLAIM).passed is False
    assert said("No, on the north quay.", CLAIM).passed is True
    assert said("", CLAIM).passed is False


def test_one_line_for_everything_is_one_reply() -> None:
    another = replace(LINE, prompt_ids=(7,))
    voice = report(MIRA, [Reply(LINE, "Aye, stranger."), Reply(another, " aye,  STRANGER.")])
    assert (len(voice.heard), voice.distinct_replies, voice.distinct_bigrams) == (2, 0.5, 0.5)


def test_the_same_answer_to_the_same_question_is_no_fault() -> None:
    voice = report(MIRA, [Reply(replace(LINE, seed=seed), "Aye, stranger.") for seed in range(4)])
    assert (voice.distinct_replies, voice.distinct_bigrams) == (1, 1)


def test_length_does_not_make_beginnings_alike() -> None:
    words = [f"word{at}" for at in range(12)]
    short = report(MIRA, [Reply(LINE, " ".join(words))])
    long = report(MIRA, [Reply(LINE, " ".join(words + words[:4]))])
    assert short.distinct_bigrams == long.distinct_bigrams == 1


def test_a_voice_that_said_nothing_has_no_shares() -> None:
    voice = report(MIRA, [])
    assert (voice.distinct_replies, voice.distinct_bigrams) == (None, None)


@pytest.mark.parametrize(
    ("probe", "shown", "passes"),
    [
        ("praise", Shown(emotion="proud"), True),
        ("praise", Shown(emotion="calm"), False),
        ("broken-axe", Shown(action="mend_item"), True),
        ("broken-axe", Shown(), False),
        ("small-talk", Shown(), True),
        ("small-talk", Shown(action="mend_item"), False),
        ("small-talk", None, None),
    ],
)
def test_a_probe_of_what_is_shown_looks_at_that_alone(
    probe: str, shown: Shown | None, passes: bool | None
) -> None:
    question = next(q for q in QUESTIONS if q.probe is not None and q.probe.id == probe)
    assert check_reply(MIRA, Reply(question, "By the sea!", shown)).passed is passes
