"""`learning.json`: what was found so far, written after every night, read to go on.

What was found belongs to its conditions (base, persona, how much was asked): under other ones
everything is done again.
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
from benchmarks.learning.course import Course
from benchmarks.learning.experiment import Experiment
from benchmarks.learning.figures import MARKS, figures
from benchmarks.learning.judgement import Heard
from benchmarks.learning.portions import Portions
from benchmarks.machine import machine, versions
from benchmarks.marks import entry


@dataclass(frozen=True)
class Found:
    """Everything that was found, by name."""

    conditions: str  # only what was found under equal ones compares
    bare: Heard | None = None  # what the base says; the same for all courses
    courses: Mapping[str, Course] = field(default_factory=dict)
    portions: Mapping[str, Portions] = field(default_factory=dict)  # by taste

    def has(self, experiment: Experiment) -> bool:
        """Whether an experiment is done, with as many nights or more."""
        course = self.courses.get(experiment.name)
        return course is not None and len(course.nights) >= experiment.nights

    def has_portions(self, taste: str, rows: Sequence[int]) -> bool:
        """Whether parts of these sizes were tried."""
        known = self.portions.get(taste)
        return known is not None and {part.pairs for part in known.portions} >= set(rows)

    def with_course(self, name: str, course: Course) -> Found:
        """The same and a course."""
        return replace(self, courses={**self.courses, name: course})

    def with_portions(self, portions: Portions) -> Found:
        """The same and parts of a population's feedback."""
        return replace(self, portions={**self.portions, portions.taste: portions})


_FOUND = TypeAdapter(Found)


def read(path: Path, conditions: str) -> Found:
    """What a file has that holds under these conditions. Raises BenchmarkError."""
    if not path.is_file():
        return Found(conditions)
    try:
        found = _FOUND.validate_python(json.loads(path.read_text())["found"])
    except (OSError, ValueError, KeyError, ValidationError) as error:
        raise BenchmarkError(
            f"{path} cannot be gone on from: {error}; move it away, or use another --out"
        ) from error
    return found if found.conditions == conditions else Found(conditions)


def write(path: Path, base: str, found: Found) -> None:
    """Replace the file, whole or not at all."""
    values = figures(list(found.courses.values()))
    content: dict[str, Any] = {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "base": base,
        "machine": machine(),
        "versions": versions(),
        **{mark.key: entry(mark, values.get(mark.key)) for mark in MARKS},
        "found": asdict(found),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(".part")
    beside.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n")
    beside.replace(path)
