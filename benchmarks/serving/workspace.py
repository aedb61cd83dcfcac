"""What every scenario is given, and what it returns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.console import Tell
from benchmarks.machine import CORES
from benchmarks.measures import Estimate, Round
from benchmarks.serving.cast import Adapters, Base, Cast, write_cast
from benchmarks.serving.peers import Capacity

CONTEXT_TOKENS = 1024
SHORT, LONG = 130, 600  # tokens of a persona


@dataclass(frozen=True)
class Extent:
    """How much is measured."""

    rounds: int  # of each peer, alternating
    publications: int
    first_meetings: int  # characters met cold
    zipf_turns: int
    zipf_characters: int
    idle_sessions: int
    talk_turns: int  # of one long session


FULL = Extent(
    rounds=5,
    publications=7,
    first_meetings=7,
    zipf_turns=64,
    zipf_characters=100,
    idle_sessions=100,
    talk_turns=60,
)
QUICK = Extent(
    rounds=2,
    publications=2,
    first_meetings=3,
    zipf_turns=16,
    zipf_characters=20,
    idle_sessions=10,
    talk_turns=30,
)


@dataclass(frozen=True)
class Workspace:
    """Where and how a scenario runs."""

    base: Base
    adapters: Adapters
    scratch: Path
    cache: Path  # for the unpacked base
    extent: Extent
    llama_server: Path | None
    tell: Tell

    def cast(self, name: str, members: int, persona_tokens: int) -> Cast:
        """Write a cast for one scenario."""
        return write_cast(self.scratch / name, self.base, self.adapters, members, persona_tokens)

    def log(self, name: str) -> Path:
        """The file for a peer's log."""
        return self.scratch / f"{name}.log"


@dataclass(frozen=True)
class ScenarioResult:
    """What a scenario found."""

    figures: Mapping[str, Estimate]
    rounds: Mapping[str, Sequence[Round]] = field(default_factory=dict)  # by peer
    samples: Mapping[str, Sequence[float]] = field(default_factory=dict)  # other raw values
    notes: Sequence[str] = ()


def capacity_for(sequences: int) -> Capacity:
    """What a peer for that many users runs on."""
    return Capacity(sequences, CONTEXT_TOKENS, CORES)
