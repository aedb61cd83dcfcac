"""Ends runs: writes the record and its report, and removes players' words."""

from __future__ import annotations

import traceback
from collections.abc import Sequence

from trainer.errors import DivergedError, GaveUpError, TrainingError
from trainer.records import entries, report, runs
from trainer.records.entries import Ending, Measured, State, Terms, Trained, TrainedHead
from trainer.records.runs import Run


def end(run: Run, state: State, reasons: Sequence[str], version: str = "") -> None:
    """End a run. Raises OSError."""
    trained = run.legible(Trained)
    history = trained.result.history if trained else ()
    _record(run, _ending(run, state, reasons, version, history))


def abandon(run: Run, reason: str, version: str = "") -> None:
    """End a run that may not go on. Raises OSError."""
    end(run, State.ABANDONED, (reason,), version)


def fail(run: Run, error: Exception) -> str:
    """End a run that an error stopped; return the reason. Raises OSError."""
    runs.clear(run)  # first: on a full disk the record needs the room
    reason = f"{type(error).__name__}: {error}"
    logged = error.history if isinstance(error, TrainingError) else ()
    trained = run.legible(Trained)
    ending = _ending(
        run,
        State.FAILED,
        (reason,),
        "",
        trained.result.history if trained else logged,
        settled=isinstance(error, (DivergedError, GaveUpError)),
        error="".join(traceback.format_exception(error)),
    )
    _record(run, ending)
    return reason


def _ending(
    run: Run,
    state: State,
    reasons: Sequence[str],
    version: str,
    history: Sequence[object],
    settled: bool | None = None,
    error: str = "",
) -> Ending:
    terms = run.legible(Terms)
    now = entries.now()
    return Ending(
        state=state,
        reasons=tuple(reasons),
        version=version,
        curves=entries.curves(history),
        seconds=_seconds(run),
        started_at=terms.started_at if terms else now,
        finished_at=now,
        settled=state is not State.ABANDONED if settled is None else settled,
        error=error,
    )


def _record(run: Run, ending: Ending) -> None:
    run.write(ending)
    run.write_text(run.report.name, report.page(run))
    runs.clear(run)


def _seconds(run: Run) -> dict[str, float]:
    stages = {
        "train": run.legible(Trained),
        "reward head": run.legible(TrainedHead),
        "examine": run.legible(Measured),
    }
    return {name: found.seconds for name, found in stages.items() if found}
