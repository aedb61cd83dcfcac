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
from benchmarks.learning import nights, plot, portions, results
from benchmarks.learning.checkpoints import Checkpoints, make_checkpoint
from benchmarks.learning.experiment import Experiment
from benchmarks.learning.installation import Workspace, install, serve
from benchmarks.learning.judgement import VersionReplies
from benchmarks.learning.nights import ExperimentResult
from benchmarks.learning.questions import collect_replies
from benchmarks.learning.results import Results
from benchmarks.machine import CORES, cpu_model
from npc_server.base_models.model_files import file_sha256
from npc_server.engine.errors import EngineError
from npc_server.errors import ServerError
from personas.errors import PersonasError

FIRST_GUESS_S = 400.0  # of a night with its evening, until one was seen
PORTION_NIGHTS = 0.5  # a training without a gate, in nights
_BROKEN = (BenchmarkError, ServerError, EngineError, PersonasError, grpc.aio.AioRpcError)


@dataclass
class Clock:
    """How long nights take, and how long all may take."""

    budget_s: float  # 0 = no limit
    begun_s: float = field(default_factory=time.monotonic)
    night_s: list[float] = field(default_factory=list)  # of those that are over

    @property
    def elapsed_s(self) -> float:
        """Since the beginning."""
        return time.monotonic() - self.begun_s

    def needs_s(self, nights: float) -> float:
        """The time that `nights` would take, judged by those so far."""
        return nights * (fmean(self.night_s) if self.night_s else FIRST_GUESS_S)

    def allows(self, nights: float) -> bool:
        """Whether `nights` more would end within the budget."""
        return not self.budget_s or self.elapsed_s + self.needs_s(nights) <= self.budget_s


@dataclass
class ExperimentRunner:
    """The experiments that are wanted, and their results so far."""

    workspace: Workspace
    stem: Path  # of the result files, without an ending
    again: bool  # repeat finished ones
    clock: Clock
    console: Console
    results: Results = field(init=False)
    notes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Continue from the result file; raises BenchmarkError when it is damaged."""
        here = conditions(self.workspace)
        self.results = results.read(self.file, here)
        digest = hashlib.sha256(here.encode()).hexdigest()[:12]
        self.workspace = replace(
            self.workspace, scratch=self.workspace.scratch / f"learning-{digest}"
        )

    @property
    def file(self) -> Path:
        """Where results are kept."""
        return Path(f"{self.stem}.json")

    async def run(self, experiments: Sequence[Experiment], rows: Sequence[int]) -> None:
        """Run what is missing and fits the budget; `rows` are sizes of parts of the first taste."""
        todo = [one for one in experiments if self.again or not self.results.has(one)]
        parts = self._missing_parts(experiments, rows)
        if not todo and parts is None:
            return
        if self.again:
            for one in todo:
                shutil.rmtree(
                    Checkpoints(self.workspace.scratch, one).after_play(1), ignore_errors=True
                )
        bare = await self._bare()
        needs = PORTION_NIGHTS * len(rows) if parts else 0.0
        left = needs + sum(self._nights_left(one) for one in todo)
        for one in todo:
            count = self._nights_left(one)
            await self._attempt(one.name, count, left, partial(self._nights, one, bare))
            left -= count
        if parts is not None:
            do = partial(self._portions, parts, rows, bare)
            await self._attempt(f"{parts.taste}/portions", needs, left, do)

    def _missing_parts(
        self, experiments: Sequence[Experiment], rows: Sequence[int]
    ) -> Experiment | None:
        """The experiment whose parts are still to be trained on."""
        if not rows or not experiments:
            return None
        known = self.results.has_portions(experiments[0].taste, rows)
        return experiments[0] if self.again or not known else None

    async def _bare(self) -> VersionReplies:
        if self.results.bare is None:
            with make_checkpoint(self.workspace.scratch / "bare", before=None) as data:
                installation = install(self.workspace, data)
                async with serve(installation) as client:
                    bare = await collect_replies(installation, client, self.workspace, "")
            self._save(replace(self.results, bare=bare))
            return bare
        return self.results.bare

    async def _attempt(
        self, name: str, needs: float, left: float, do: Callable[[Workspace], Awaitable[None]]
    ) -> None:
        """Do it if the budget allows `needs` nights; `left` counts those still to come with it."""
        if not self.clock.allows(needs):
            self.notes.append(f"{name} was not begun: it would not end within the budget")
            return
        begun_s = time.monotonic()
        try:
            await do(replace(self.workspace, tell=partial(self._tell, name, left)))
        except _BROKEN as error:
            self.notes.append(f"{name} broke off: {error}")
        else:
            self.clock.night_s.append((time.monotonic() - begun_s) / needs)
        self.console.print(f"{name}: {time.monotonic() - begun_s:.0f} s", highlight=False)

    def _tell(self, name: str, nights: float, what: str, done: int, total: int) -> None:
        minutes = self.clock.needs_s(nights) / 60
        self.workspace.tell(f"{name}: {what} (about {minutes:.0f} min with the rest)", done, total)

    def _known(self, one: Experiment) -> ExperimentResult | None:
        """The result that more nights are added to."""
        return None if self.again else self.results.courses.get(one.name)

    def _nights_left(self, one: Experiment) -> int:
        known = self._known(one)
        return one.nights - (len(known.nights) if known else 0)

    async def _nights(self, one: Experiment, bare: VersionReplies, workspace: Workspace) -> None:
        def save(result: ExperimentResult) -> None:
            self._save(self.results.with_result(one.name, result))

        await nights.run(one, workspace, bare, self._known(one), save)

    async def _portions(
        self, of: Experiment, rows: Sequence[int], bare: VersionReplies, workspace: Workspace
    ) -> None:
        self._save(self.results.with_portions(await portions.run(of, rows, workspace, bare)))

    def _save(self, changed: Results) -> None:
        self.results = changed
        results.write(self.file, self.workspace.base.name, changed)
        title = f"{cpu_model()}, {CORES} cores, {self.workspace.base.name}"
        plot.draw(self.stem, changed, title)


def conditions(workspace: Workspace) -> str:
    """What must be equal for figures to compare."""
    sha256, extent = file_sha256(workspace.base), workspace.extent
    return f"{sha256[:12]} {workspace.persona.id} {workspace.persona.version} {extent}"
