"""Experiments one after the other, within a budget of time, written down night by night."""

from __future__ import annotations

import hashlib
import shutil
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from statistics import fmean

import grpc.aio
from rich.console import Console

from benchmarks.errors import BenchmarkError
from benchmarks.learning import course, plot, portions, results
from benchmarks.learning.course import Course
from benchmarks.learning.experiment import Experiment
from benchmarks.learning.hearing import hear
from benchmarks.learning.judgement import Heard
from benchmarks.learning.results import Found
from benchmarks.learning.stages import Stages, stage
from benchmarks.learning.world import Ground, served, world
from benchmarks.machine import CORES, cpu_model
from npc_server.base_models import catalogue
from npc_server.engine.errors import EngineError
from npc_server.errors import ServerError
from personas.errors import PersonasError

FIRST_GUESS_S = 400.0  # of a night with its evening, until one was seen
PORTION_NIGHTS = 0.5  # a training without a gate, in nights
_BROKEN = (BenchmarkError, ServerError, EngineError, PersonasError, grpc.aio.AioRpcError)


@dataclass
class Clock:
    """How long things take, and how long they may."""

    budget_s: float  # 0 = no limit
    begun_s: float = field(default_factory=time.monotonic)
    night_s: list[float] = field(default_factory=list)  # of those that are over

    @property
    def elapsed_s(self) -> float:
        """Since the beginning."""
        return time.monotonic() - self.begun_s

    def needs_s(self, nights: float) -> float:
        """Judged by the nights so far."""
        return nights * (fmean(self.night_s) if self.night_s else FIRST_GUESS_S)

    def allows(self, nights: float) -> bool:
        """Whether so many would end in time."""
        return not self.budget_s or self.elapsed_s + self.needs_s(nights) <= self.budget_s


@dataclass
class Campaign:
    """What is to be done, and what has come of it."""

    ground: Ground
    stem: Path  # of the result files, without an ending
    again: bool  # finished ones too
    clock: Clock
    console: Console
    found: Found = field(init=False)
    notes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Goes on from the result file; raises BenchmarkError when it is damaged."""
        found_under = conditions(self.ground)
        self.found = results.read(self.file, found_under)
        digest = hashlib.sha256(found_under.encode()).hexdigest()[:12]
        self.ground = replace(self.ground, scratch=self.ground.scratch / f"learning-{digest}")

    @property
    def file(self) -> Path:
        """Where results are kept."""
        return Path(f"{self.stem}.json")

    async def run(self, experiments: Sequence[Experiment], rows: Sequence[int]) -> None:
        """Everything that is not done yet and fits the budget; parts are of the first taste."""
        todo = [one for one in experiments if self.again or not self.found.has(one)]
        parts = self._missing_parts(experiments, rows)
        if not todo and parts is None:
            return
        if self.again:
            for one in todo:
                shutil.rmtree(Stages(self.ground.scratch, one).evening(1), ignore_errors=True)
        bare = await self._bare()
        needs = PORTION_NIGHTS * len(rows) if parts else 0.0
        left = needs + sum(self._nights_left(one) for one in todo)
        for one in todo:
            nights = self._nights_left(one)
            await self._attempt(one.name, nights, left, partial(self._course, one, bare))
            left -= nights
        if parts is not None:
            do = partial(self._portions, parts, rows, bare)
            await self._attempt(f"{parts.taste}/portions", needs, left, do)

    def _missing_parts(
        self, experiments: Sequence[Experiment], rows: Sequence[int]
    ) -> Experiment | None:
        """The experiment of which parts are still to be tried."""
        if not rows or not experiments:
            return None
        known = self.found.has_portions(experiments[0].taste, rows)
        return experiments[0] if self.again or not known else None

    async def _bare(self) -> Heard:
        if self.found.bare is None:
            with stage(self.ground.scratch / "bare", before=None) as data:
                here = world(self.ground, data)
                async with served(here) as client:
                    bare = await hear(here, client, self.ground, "")
            self._keep(replace(self.found, bare=bare))
            return bare
        return self.found.bare

    async def _attempt(
        self, name: str, needs: float, left: float, do: Callable[[Ground], Awaitable[None]]
    ) -> None:
        """Do it if there is time for so many nights; `left` with the rest."""
        if not self.clock.allows(needs):
            self.notes.append(f"{name} was not begun: it would not end within the budget")
            return
        begun_s = time.monotonic()
        try:
            await do(replace(self.ground, tell=partial(self._tell, name, left)))
        except _BROKEN as error:
            self.notes.append(f"{name} broke off: {error}")
        else:
            self.clock.night_s.append((time.monotonic() - begun_s) / needs)
        self.console.print(f"{name}: {time.monotonic() - begun_s:.0f} s", highlight=False)

    def _tell(self, name: str, nights: float, what: str, done: int, total: int) -> None:
        minutes = self.clock.needs_s(nights) / 60
        self.ground.tell(f"{name}: {what} (about {minutes:.0f} min with the rest)", done, total)

    def _known(self, one: Experiment) -> Course | None:
        """A course that is gone on with."""
        return None if self.again else self.found.courses.get(one.name)

    def _nights_left(self, one: Experiment) -> int:
        known = self._known(one)
        return one.nights - (len(known.nights) if known else 0)

    async def _course(self, one: Experiment, bare: Heard, ground: Ground) -> None:
        def keep(found: Course) -> None:
            self._keep(self.found.with_course(one.name, found))

        await course.run(one, ground, bare, self._known(one), keep)

    async def _portions(
        self, of: Experiment, rows: Sequence[int], bare: Heard, ground: Ground
    ) -> None:
        self._keep(self.found.with_portions(await portions.run(of, rows, ground, bare)))

    def _keep(self, found: Found) -> None:
        self.found = found
        results.write(self.file, self.ground.base.name, found)
        title = f"{cpu_model()}, {CORES} cores, {self.ground.base.name}"
        plot.draw(self.stem, found, title)


def conditions(ground: Ground) -> str:
    """Names what must be equal for figures to compare."""
    sha256, extent = catalogue.file_sha256(ground.base), ground.extent
    return f"{sha256[:12]} {ground.persona.id} {ground.persona.version} {extent}"
