"""A demo's findings as numbers and as Markdown."""

from npc_client.demo_report import Findings, compare, markdown, short
from npc_client.tastes import BLUNT

GOOD, FAIR, BAD = "Aye, stranger.", "Aye.", "and then I"


def findings(failure: str = "") -> Findings:
    """A small demo."""
    return Findings(
        stage_s={"Start": 1.0, "Train": 2.5},
        counts={"edits": 3},
        training={
            "gate": [
                {
                    "name": "probes",
                    "incumbent": 0.5,
                    "candidate": None,
                    "passed": False,
                    "rule": "not below",
                }
            ]
        },
        swap="1 of 4 streams crossed.",
        questions=["Who?"],
        takes_per_question=2,
        before=[BAD, BAD],
        after=[GOOD, "a | b"],
        taste=BLUNT,
        failure=failure,
    )


def test_likes_and_duels_are_counted() -> None:
    result = compare(BLUNT, [BAD, FAIR, GOOD, FAIR], [GOOD, FAIR, FAIR, GOOD])
    assert (result.liked_before, result.liked_after, result.preferred) == (0.25, 0.5, 0.625)


def test_the_report_names_every_stage_with_its_time() -> None:
    report = markdown(findings())
    assert "| Start | 1.0 |" in report
    assert "| **all** | **3.5** |" in report


def test_a_failed_gate_rule_is_told_with_its_rule() -> None:
    assert "| probes | 0.5 | - | NO: must be not below |" in markdown(findings())


def test_a_failure_is_the_first_thing_said() -> None:
    assert "**Failed:** the gate rejected it" in markdown(findings("the gate rejected it"))


def test_a_reply_cannot_break_the_table() -> None:
    row = next(line for line in markdown(findings()).splitlines() if line.startswith("| Who?"))
    assert row == "| Who? | and then I | Aye, stranger. |"


def test_the_short_form_leaves_the_replies_out() -> None:
    assert "Who?" not in short(markdown(findings()))
