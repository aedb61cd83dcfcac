"""Small results of experiments, and what versions said in them."""

from __future__ import annotations

from dataclasses import replace

from benchmarks.learning.experiment import AUTO, FeedbackKind, TasteName
from benchmarks.learning.judgement import Judgement, VersionReplies
from benchmarks.learning.nights import ExperimentResult, NightResult
from benchmarks.measures import Estimate
from personas.persona_files import SAMPLE_CHARACTERS, load_character

MIRA = load_character(SAMPLE_CHARACTERS / "mira")
GOOD, HALF, BAD = "Aye, stranger.", "Aye.", "and then I"
MACHINE = "As an AI, I cannot."


def replies(*replies: str, probes: str = HALF, perplexity: float = 20.0) -> VersionReplies:
    """The replies of a version: one per question, and the same to every probe."""
    return VersionReplies(
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


def night_result(number: int, found: Judgement, state: str = "published") -> NightResult:
    """A night with this judgement and state."""
    gate = ({"name": "preference", "passed": state == "published"},)
    rows = {"train_pairs": 60, "held_out_pairs": 20, "train_labels": 90, "held_out_labels": 30}
    version = f"v000{number}-00000000"
    return NightResult(number, state, "because", version, "dpo", {}, rows, gate, found, 300.0)


def result_of(taste: TasteName, *liked: float) -> ExperimentResult:
    """An experiment of mixed feedback with these liked shares after its nights."""
    nights = tuple(night_result(i, judgement(share)) for i, share in enumerate(liked, start=1))
    return ExperimentResult(taste, FeedbackKind.MIXED, AUTO, nights, ((GOOD,),))
