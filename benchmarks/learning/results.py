"""`learning.json`: the results so far, written after every night and read to continue.

Results hold under their conditions (base, persona, how much was asked); under others everything is
measured again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from benchmarks.errors import BenchmarkError
from benchmarks.learning.experiment import Experiment
from benchmarks.learning.figures import MARKS, figures
from benchmarks.learning.judgement import VersionReplies
from benchmarks.learning.nights import ExperimentResult
from benchmarks.learning.portions import Portions
from benchmarks.machine import machine, versions
from benchmarks.marks import entry
from benchmarks.results_file import replace_text


@dataclass(frozen=True)
class Results:
    """All results so far."""

    conditions: str  # results under other ones do not compare
    bare: VersionReplies | None = None  # what the base says; the same for all experiments
    courses: Mapping[str, ExperimentResult] = field(default_factory=dict)  # by experiment
    portions: Mapping[str, Portions] = field(default_factory=dict)  # by taste

    def has(self, experiment: Experiment) -> bool:
        """Whether an experiment is done, with as many nights or more."""
        result = self.courses.get(experiment.name)
        return result is not None and len(result.nights) >= experiment.nights

    def has_portions(self, taste: str, rows: Sequence[int]) -> bool:
        """Whether parts of these sizes were tried."""
        known = self.portions.get(taste)
        return known is not None and {part.pairs for part in known.portions} >= set(rows)

    def with_result(self, name: str, result: ExperimentResult) -> Results:
        """These results and another."""
        return replace(self, courses={**self.courses, name: result})

    def with_portions(self, portions: Portions) -> Results:
        """These results and parts of a population's feedback."""
        return replace(self, portions={**self.portions, portions.taste: portions})


_RESULTS = TypeAdapter(Results)


def read(path: Path, conditions: str) -> Results:
    """Read the results that hold under these conditions. Raises BenchmarkError."""
    if not path.is_file():
        return Results(conditions)
    try:
        results = _RESULTS.validate_python(json.loads(path.read_text())["found"])
    except (OSError, ValueError, KeyError, ValidationError) as error:
        raise BenchmarkError(
            f"{path} cannot be continued: {error}; move it away, or use another --out"
        ) from error
    return results if results.conditions == conditions else Results(conditions)


def write(path: Path, base: str, results: Results) -> None:
    """Replace the file, whole or not at all."""
    values = figures(list(results.courses.values()))
    content: dict[str, Any] = {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "base": base,
        "machine": machine(),
        "versions": versions(),
        **{mark.key: entry(mark, values.get(mark.key)) for mark in MARKS},
        "found": asdict(results),
    }
    replace_text(path, json.dumps(content, indent=1, ensure_ascii=False) + "\n")
