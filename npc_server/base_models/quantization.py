"""Which quantization of a base model serves best on this CPU: names, figures, the rule, the record.

The kernels of a CPU run some number formats several times as fast as others, so the file that was
fetched need not be the one to serve. Fewer bits and a second rounding lose quality, so nothing is
chosen by speed alone: candidates are measured, and the rule below weighs the figures. A base that
nothing was chosen for yet takes what was measured before on such a CPU. Pure; making and measuring
files is done in `requantize` and `quantization_trial`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from enum import StrEnum


class Quantization(StrEnum):
    """How the weights of a base model are stored."""

    ORIGINAL = "original"  # as fetched
    Q8_0 = "q8_0"  # 8 bits
    Q4_MIX = "q4_mix"  # 4 bits, 8 where 4 hurt most
    IQ4_NL = "iq4_nl"  # 4 bits on an uneven grid
    Q4_0 = "q4_0"  # 4 bits on an even grid


@dataclass(frozen=True)
class Spread:
    """One thing measured many times."""

    best: float  # what others' work on the machine disturbed least
    median: float


@dataclass(frozen=True)
class Costs:
    """What one quantization costs."""

    quantization: Quantization
    file_bytes: int
    prefill_tok_s: Spread
    decode_ms: Mapping[int, Spread]  # of a step, by how many sequences it continues
    perplexity: float  # on a fixed text
    kl_nats: float  # mean divergence of next-token distributions from the original's


@dataclass(frozen=True)
class Rule:
    """What is weighed: a typical turn while as many run as share a step."""

    prompt_tokens: int = 40  # new ones; the persona before them is cached
    reply_tokens: int = 48
    sequences: int = 8
    perplexity_limit: float = 1.03  # times the original's
    tie: float = 0.03  # turn times this close, relative to the fastest, count as equal


@dataclass(frozen=True)
class Trial:
    """Candidates measured side by side."""

    date: str  # ISO 8601, UTC
    cpu: str
    threads: int
    rule: Rule
    candidates: tuple[Costs, ...]  # the original is one of them


@dataclass(frozen=True)
class RecordedFile:
    """A file beside the record."""

    name: str
    sha256: str


@dataclass(frozen=True)
class Choice:
    """The record: which file serves, which are known, and the trial that decided."""

    chosen: Quantization
    files: Mapping[Quantization, RecordedFile]  # the original is one of them
    date: str  # ISO 8601, UTC
    cpu: str
    trial: Trial | None = None  # None = named by the operator, or the usual one of such a CPU

    def __post_init__(self) -> None:
        for needed in (Quantization.ORIGINAL, self.chosen):
            if needed not in self.files:
                raise ValueError(f"no file is recorded for {needed}")

    @property
    def file(self) -> RecordedFile:
        """The file that serves."""
        return self.files[self.chosen]

    @property
    def original(self) -> RecordedFile:
        """The file that all others were made from."""
        return self.files[Quantization.ORIGINAL]


#: Kernels of llama.cpp, by the names it prints, with which `q4_mix` is the best of all within the
#: rule's limit: a turn takes 0.5 of the original's time with AVX-512, 0.66 with AVX2 alone. On ARM
#: nobody has measured; what makes 4 bits quick there is DOTPROD.
QUICK_IN_4_BITS = frozenset({"AVX512_VNNI", "AVX2", "DOTPROD"})


def usual(kernels: Set[str]) -> Quantization:
    """What serves best as a rule with these kernels of llama.cpp, where nothing was measured."""
    return Quantization.Q4_MIX if kernels & QUICK_IN_4_BITS else Quantization.ORIGINAL


def turn_ms(measured: Costs, rule: Rule) -> float:
    """Machine time of a typical turn: its prompt, and its share of the steps it is in."""
    prompt_ms = rule.prompt_tokens / measured.prefill_tok_s.best * 1e3
    step_ms = measured.decode_ms[rule.sequences].best
    return prompt_ms + rule.reply_tokens * step_ms / rule.sequences


def perplexity_ratio(measured: Costs, candidates: Sequence[Costs]) -> float:
    """Perplexity relative to the original's."""
    original = next(c for c in candidates if c.quantization is Quantization.ORIGINAL)
    return measured.perplexity / original.perplexity


def decide(candidates: Sequence[Costs], rule: Rule) -> Costs:
    """The fastest within the perplexity limit; of those as fast, the one of least perplexity.

    The original is always within it.
    """
    good = [c for c in candidates if perplexity_ratio(c, candidates) <= rule.perplexity_limit]
    fastest_ms = min(turn_ms(c, rule) for c in good)
    tied = [c for c in good if turn_ms(c, rule) <= fastest_ms * (1 + rule.tie)]
    return min(tied, key=lambda c: c.perplexity)
