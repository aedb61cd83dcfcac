"""What a run's files hold: one dataclass per file, written when its stage is finished.

Fields are keys of JSON files that must stay readable: a new field needs a default.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import TypeAlias

from pydantic import JsonValue

from trainer.examination.samples import Sample
from trainer.gate import Measurements, Verdict
from trainer.heads.head_card import Card
from trainer.progress import RunResult


class State(StrEnum):
    """How a job ended."""

    WAITING = "waiting"  # there is too little feedback, or nothing new; no run was begun
    REJECTED = "rejected"  # the gate refused the candidate
    PUBLISHED = "published"  # a new version exists and is not live
    PROMOTED = "promoted"  # a new version is live
    FAILED = "failed"  # an error ended it; the incumbent stayed live
    ABANDONED = "abandoned"  # what it was begun on changed before it ended


@dataclass(frozen=True)
class Terms:
    """What a run was begun on. It is continued only while nothing of this changed."""

    character: str
    base_sha256: str
    persona_version: str
    parent: str | None  # version that training continues; None = the bare base
    live: str | None  # the alias when the run was begun
    method: str
    config: dict[str, JsonValue]  # the method's, in full
    gate: dict[str, JsonValue]  # thresholds, in full
    reward_head: dict[str, JsonValue] | None  # its config, in full; None = switched off
    reason: str  # why it was begun
    snapshot_hash: str
    counts: dict[str, int]  # rows by side and kind, players
    dropped: dict[str, int]  # rows by reason
    started_at: str  # ISO 8601, UTC
    incumbent: str | None = None  # version that the gate compares with; None = the bare base
    chat_format: str = ""  # of its prompts, as manifests name it; older records lack it

    @property
    def starts_over(self) -> bool:
        """Whether it is trained from the bare base though a version of that base is live."""
        return self.parent is None and self.incumbent is not None


@dataclass(frozen=True)
class Nearness:
    """How far training led from the base, and how much of that was taken back."""

    trained_kl: float  # nats per token from the base, on plain prose, as training left it
    scale: float  # of the adapter's update since; 1 = as trained

    @property
    def text(self) -> str:
        """The distance in words."""
        kept = "kept" if self.scale == 1 else f"scaled to {self.scale:.2f} to stay near"
        return f"{self.trained_kl:.3f} nats per token from the base; {kept}"


@dataclass(frozen=True)
class Rounding:
    """How far a base in four bits is from the exact one."""

    kl: float  # nats per token on plain prose
    same_next: float  # share of positions where both find the same token likeliest

    @property
    def text(self) -> str:
        """The same in words."""
        return (
            f"four bits move the base by {self.kl:.3f} nats per token; the likeliest next token is"
            f" the same at {self.same_next:.0%}"
        )


@dataclass(frozen=True)
class Trained:
    """A finished training."""

    result: RunResult
    content_hash: str  # of the candidate's two files
    seconds: float
    nearness: Nearness | None = None  # None = of a release that did not measure it
    rounding: Rounding | None = None  # None = the base was not held in four bits

    @property
    def held(self) -> str:
        """What computed it, and how, in words; "" = of a release that did not record it."""
        if self.result.held is None:
            return ""
        cost = f"; {self.rounding.text}" if self.rounding else ""
        return f"{self.result.held.text}{cost}"


@dataclass(frozen=True)
class TrainedHead:
    """A finished training of a reward head, or the reason why there is no head."""

    card: Card | None  # its accuracy; None = there is no head
    why_not: str  # "" = there is one
    content_hash: str  # of the head's adapter
    seconds: float


@dataclass(frozen=True)
class Measured:
    """A finished examination."""

    measurements: Measurements
    samples: tuple[Sample, ...]
    seconds: float


@dataclass(frozen=True)
class Published:
    """The version that the candidate became."""

    version: str


@dataclass(frozen=True)
class Ending:
    """How a run ended."""

    state: State
    reasons: tuple[str, ...]
    version: str  # "" = nothing was published
    curves: dict[str, list[float | None]]  # by metric, one value per logged step
    seconds: dict[str, float]  # by stage, of the attempt that finished it
    started_at: str
    finished_at: str
    settled: bool  # the same rows under the same terms would end the same
    error: str = ""  # traceback


Entry: TypeAlias = Terms | Trained | TrainedHead | Measured | Verdict | Published | Ending

FILES: Mapping[type, str] = {
    Terms: "job.json",
    Trained: "trained.json",
    TrainedHead: "headed.json",
    Measured: "measured.json",
    Verdict: "verdict.json",
    Published: "published.json",
    Ending: "run.json",
}


def curves(history: Sequence[object]) -> dict[str, list[float | None]]:
    """Logged steps as one list per metric, without metrics that were never measured."""
    names = vars(history[0]) if history else ()
    columns = {name: [vars(step)[name] for step in history] for name in names}
    return {name: values for name, values in columns.items() if any(v is not None for v in values)}


def now() -> str:
    """The time, as records write it."""
    return datetime.now(UTC).isoformat(timespec="seconds")
