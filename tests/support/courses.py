"""Small courses of nights, and what versions said in them."""

from __future__ import annotations

from dataclasses import replace

from benchmarks.learning.course import Course, Night
from benchmarks.learning.experiment import AUTO, Kind, TasteName
from benchmarks.learning.judgement import Heard, Judgement
from benchmarks.measures import Estimate
from personas.persona import SAMPLE_CHARACTERS, load_character

MIRA = load_character(SAMPLE_CHARACTERS / "mira")
GOOD, HALF, BAD = "Aye, stranger.", "Aye.", "and then I"
MACHINE = "As an AI, I cannot."


def heard(*replies: str, probes: str = HALF, perplexity: float = 20.0) -> Heard:
    """A version that says one thing to each question, and to every probe the same."""
    return Heard(
        "v0001-00000000",
        tuple((text,) for text in replies),
        tuple((probes,) for _ in MIRA.probes),
        perplexity,
    )


def judgement(liked: float = 0.5, **changes: object) -> Judgement:
    """A night that taught something, from nothing liked before."""
    share = Estimate(liked, liked, liked)
    made = Judgement(
        liked_before=Estimate(0, 0, 0),
        liked=share,
        gain=share,
        preferred=Estimate(0.9, 0.8, 1.0),
        probes_before=0.7,
        probes=0.7,
        out_of_character_before=0.01,
        out_of_character=0.0,
        words_before=50,
        words=12,
        perplexity_ratio=1.1,
    )
    return replace(made, **changes)  # type: ignore[arg-type]  # any field


def night(number: int, found: Judgement, state: str = "published") -> Night:
    """A night, that and no more."""
    gate = ({"name": "preference", "passed": state == "published"},)
    rows = {"train_pairs": 60, "held_out_pairs": 20, "train_labels": 90, "held_out_labels": 30}
    version = f"v000{number}-00000000"
    return Night(number, state, "because", version, "dpo", {}, rows, gate, found, 300.0)


def course(taste: TasteName, *liked: float) -> Course:
    """A course of mixed feedback with these liked shares after its nights."""
    nights = tuple(night(i, judgement(share)) for i, share in enumerate(liked, start=1))
    return Course(taste, Kind.MIXED, AUTO, nights, ((GOOD,),))
