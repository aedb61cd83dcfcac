"""The figures to reach, and whether they are reached. Pure."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from benchmarks.measures import Estimate


@dataclass(frozen=True)
class Mark:
    """One figure: its key, its meaning and its bounds."""

    key: str
    what: str
    at_least: float | None = None
    at_most: float | None = None  # neither bound: the figure is only reported

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
