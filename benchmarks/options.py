"""The options that several benchmarks have in common."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated

import typer

from npc_server.config import PathsConfig

CACHE = PathsConfig().cache
RESULTS = Path("benchmarks/results")

Base = Annotated[str, typer.Option(help="GGUF file or catalogue name.")]
Cache = Annotated[Path, typer.Option(help="Folder of base models.")]
Out = Annotated[Path, typer.Option(help="Folder for results.")]
Quick = Annotated[bool, typer.Option("--quick", help="Measure little: shows that everything runs.")]


def only(known: Iterable[str], metavar: str) -> object:
    """A repeatable option that names some of the known ones."""
    return typer.Option(help=f"Repeatable; one of: {', '.join(known)}.", metavar=metavar)


def choose(named: Sequence[str] | None, known: Iterable[str]) -> list[str]:
    """The named ones in their usual order, all when none is named. Raises BadParameter."""
    names = list(known)
    if unknown := set(named or ()) - set(names):
        raise typer.BadParameter(f"{', '.join(unknown)}: choose from {', '.join(names)}")
    return [name for name in names if not named or name in named]
