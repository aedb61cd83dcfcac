"""One function in a process of its own: it may abort, fill memory or set up libraries its own way.

What it reports on the way and what it returns come back through a pipe; errors that are raised on
purpose come back as themselves. The process ends with its parent.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

from npc_server.base_models.errors import BaseModelError, ProcessDiedError
from npc_server.engine.errors import EngineError
from npc_server.engine.openmp import short_spin

#: Called with (what is done, amount so far, amount in all; 0 = not known).
Report = Callable[[str, int, int], None]

_P = ParamSpec("_P")
_ResultT = TypeVar("_ResultT")


def run(
    work: Callable[Concatenate[Report, _P], _ResultT],
    report: Report,
    *arguments: _P.args,
    **options: _P.kwargs,
) -> _ResultT:
    """Run `work(report, *arguments)` in a process of its own; return or raise what it does.

    `work` is a module's function; everything passed can be pickled. Raises ProcessDiedError.
    """
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_serve, args=(there, work, arguments, options), daemon=True)
    with short_spin():  # as in the engine process, so that what is measured is what serves
        process.start()
    there.close()
    try:
        return cast("_ResultT", _receive(here, report))
    except EOFError as error:
        process.join()
        raise ProcessDiedError(
            f"the process of {work.__name__} ended with code {process.exitcode} and no answer"
        ) from error
    finally:
        process.kill()
        process.join()


def _receive(pipe: Connection, report: Report) -> Any:
    while True:
        match pipe.recv():
            case ("report", what, done, total):
                report(what, done, total)
            case ("returned", result):
                return result
            case ("raised", error):
                raise error


def _serve(pipe: Connection, work: Any, arguments: tuple[Any, ...], options: Any) -> None:
    def report(what: str, done: int, total: int) -> None:
        pipe.send(("report", what, done, total))

    try:
        pipe.send(("returned", work(report, *arguments, **options)))
    except (BaseModelError, EngineError) as error:
        pipe.send(("raised", error))
