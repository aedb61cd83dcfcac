"""The figures to reach, by the kind of CPU, and whether they are reached. Pure."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any, Self

from benchmarks.measures import Estimate


class CpuKind(StrEnum):
    """What multiplies: peers gain unequally from wider instructions, so ratios differ."""

    AVX512 = "AVX-512"
    OTHER = "without AVX-512"  # such as AVX2


@dataclass(frozen=True)
class Mark:
    """One figure: its key, its meaning and its bounds."""

    key: str
    what: str
    at_least: float | None = None
    at_most: float | None = None  # neither bound: the figure is only reported
    without_avx512: float | None = None  # at_least on such a CPU; None = the same

    def on(self, cpu: CpuKind) -> Self:
        """The mark as it holds for a kind of CPU."""
        if cpu is CpuKind.AVX512 or self.without_avx512 is None:
            return self
        return replace(self, at_least=self.without_avx512)

    @property
    def bound(self) -> str:
        """The bound in words."""
        if self.at_least is not None:
            return f"at least {self.at_least:g}"
        return "reported" if self.at_most is None else f"at most {self.at_most:g}"


def passed(mark: Mark, figure: Estimate) -> bool | None:
    """Whether a figure reaches its mark; None when the mark has no bound."""
    if mark.at_least is not None:
        return figure.value >= mark.at_least
    return None if mark.at_most is None else figure.value <= mark.at_most


def entry(mark: Mark, found: Estimate | None) -> dict[str, Any]:
    """A figure with its mark, as it stands in a result file."""
    if found is None:
        return {"value": None, "mark": mark.bound, "passed": None, "what": mark.what}
    rounded = {key: round(value, 3) for key, value in asdict(found).items()}
    return {**rounded, "mark": mark.bound, "passed": passed(mark, found), "what": mark.what}
