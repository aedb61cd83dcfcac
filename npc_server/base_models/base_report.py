"""What was found of a base before anything is served, and what follows from it. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from npc_server.base_models.memory import ServedMemory, served_memory
from npc_server.base_models.speed_trial import SpeedTrial
from npc_server.engine.base_figures import BaseFigures
from npc_server.engine.settings import EngineSettings

#: Tokens a second that a player reads along with; a turn that gets less makes them wait.
READING_TOKENS_PER_S = 4.0
_BITS_OF_FOUR = 7.0  # a weight, the 8 of some tensors among them; what has more can be made smaller


@dataclass(frozen=True)
class Training:
    """Whether a base can be trained, as the trainer says."""

    possible: bool | None  # None = nobody looked
    reason: str
    least_cosine: float = 0.0  # of served and trained logits; 0 = not compared
    explained_cosine: float = 0.0  # what rounding alone would leave
    layers: tuple[str, ...] = ()  # that adapters sit in


@dataclass(frozen=True)
class BaseReport:
    """All that was found. What could not be found because of a fault is None."""

    base: str  # name or path, as it was asked for
    path: Path
    file_bytes: int
    sha256: str
    weights: int  # how many
    figures: BaseFigures
    settings: EngineSettings
    trained_tokens: int  # of context; 0 = unknown
    prompts: tuple[str, ...]  # how conversations are written for it; none = they cannot be
    thought_tokens: int  # that it may think before a reply; 0 = it replies at once
    chat_fault: str  # why it cannot be prompted; "" = it can
    doubts: tuple[str, ...]  # what may go wrong, and does not keep it from serving
    trial: SpeedTrial | None
    engine_fault: str  # why the engine does not run it; "" = it does
    room_fault: str  # why it does not fit as configured, and what would; "" = it does
    free_bytes: int | None  # of memory; None = the system does not say
    training: Training
    quantizable: bool  # it goes by a name, is as fetched, and this CPU is quick with 4 bits

    @property
    def memory(self) -> ServedMemory:
        """What it takes under the settings."""
        return served_memory(self.figures, self.settings)

    @property
    def faults(self) -> tuple[str, ...]:
        """Why it cannot be served; none = it can."""
        found = (self.chat_fault, self.engine_fault, self.room_fault)
        return tuple(fault for fault in found if fault)


@dataclass(frozen=True)
class Setting:
    """A line for npc.toml, or a command, and why."""

    line: str
    why: str


def settings_to_use(report: BaseReport) -> list[Setting]:
    """What to write into npc.toml and what to type; nothing for a base that cannot be served."""
    if report.faults:
        return []
    found = [Setting(f'[model] base = "{report.base}"', "serve it")]
    found += [*_context(report), *_sequences(report)]
    return [*found, *_quantization(report)]


def _context(report: BaseReport) -> Iterator[Setting]:
    trained = report.trained_tokens
    if 0 < trained < report.settings.context_tokens:
        yield Setting(
            f"[engine] context_tokens = {trained}",
            "it was trained on so many; beyond them replies can turn into gibberish",
        )


def _sequences(report: BaseReport) -> Iterator[Setting]:
    """As many turns as players can read along with, when that is fewer than configured."""
    if report.trial is None:
        return
    speeds = report.trial.speeds
    slow = [s for s in speeds if s.tokens_per_s < READING_TOKENS_PER_S]
    quick = [s.turns for s in speeds if s.tokens_per_s >= READING_TOKENS_PER_S]
    most = max(quick, default=1)
    if slow and most < report.settings.sequences:
        told = next(s for s in slow if s.turns > most or most == 1)
        yield Setting(
            f"[engine] sequences = {most}",
            f"{told.turns} turns get {told.tokens_per_s:.1f} tokens a second each, and people read"
            f" {READING_TOKENS_PER_S:.0f}; who waits is told so",
        )


def _quantization(report: BaseReport) -> Iterator[Setting]:
    bits = 8 * report.file_bytes / report.weights if report.weights else 0.0
    if report.quantizable and bits > _BITS_OF_FOUR:
        yield Setting(
            f"npc model pull {report.base} --quantize auto",
            f"its weights have {bits:.1f} bits, and this CPU is quickest with 4; before the first"
            " training",
        )
