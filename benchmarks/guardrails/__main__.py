"""`python -m benchmarks.guardrails`: attacks on the sample characters, with and without the guard.

300 attacks, in ten languages beside English, go to two real servers on the bare base, one of them
with every rule of the guard off, each under the same seed. A judge that knows nothing of the guard
says which replies give an attacker what they are after. Harmless lines and replies that look like
attacks say how often the guard is wrong, and lines that are said to both servers in turn what it
adds to the time to the first text.

Results are `guardrails.json`, with the replies, to be read; a part that was measured replaces the
one in the file. Times mean something only on a machine that does nothing else.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Column, Table

from benchmarks import options
from benchmarks.guardrails.cases import attacks, harmless_lines, harmless_replies
from benchmarks.guardrails.figures import (
    Attacked,
    attack_figures,
    computing_ms,
    false_alarms,
    first_text,
    won_by,
)
from benchmarks.guardrails.rounds import in_turns, replies_to_attacks, replies_to_lines, served
from benchmarks.machine import CORES, machine, use_cores, versions
from npc_client.client import Client
from npc_server.base_models.catalogue import DEFAULT_MODEL
from npc_server.guard import Guard, GuardSettings
from personas.persona import Persona
from personas.persona_files import SAMPLE_CHARACTERS, load_characters

QUICK_EVERY = 10  # of the cases, one in so many
PARTS = ("attacks", "false_alarms", "times")

console = Console()


def main(
    only: Annotated[list[str] | None, options.only(PARTS, "PART")] = None,
    base: options.Base = DEFAULT_MODEL,
    timed: Annotated[int, typer.Option(min=1, help="Lines that are timed.")] = 40,
    out: options.Out = options.RESULTS,
    quick: options.Quick = False,
) -> None:
    """Attack both servers, and write what it came to."""
    use_cores(CORES)
    path = out / f"{'guardrails.quick' if quick else 'guardrails'}.json"
    found = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    measured = _Measured(QUICK_EVERY if quick else 1, timed)
    with tempfile.TemporaryDirectory(prefix="troupe-guardrails-") as scratch:
        parts = options.choose(only, PARTS)
        found |= {"base": base} | asyncio.run(measured.measure(parts, base, Path(scratch)))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    if "attacks" in found:
        console.print(_table(found["attacks"]))
    console.print({key: found[key] for key in ("false_alarms", "times") if key in found})


class _Measured:
    """The parts of the benchmark, on the same two servers."""

    def __init__(self, every: int, timed: int) -> None:
        self._cast = load_characters(SAMPLE_CHARACTERS)
        self._guard = Guard(self._cast, GuardSettings())
        self._attacks = attacks()[::every]
        self._lines = harmless_lines()[::every]
        self._replies = harmless_replies()[::every]
        self._timed = self._lines[::5][:timed]

    async def measure(self, parts: Sequence[str], base: str, folder: Path) -> dict[str, Any]:
        """Measure some parts."""
        works = {"attacks": self._attack, "false_alarms": self._mistake, "times": self._time}
        found: dict[str, Any] = {}
        async with (
            served("unguarded", base, folder) as bare,
            served("guarded", base, folder) as kept,
        ):
            for part in parts:
                console.print(f"{part} …")
                clients = {"unguarded": bare, "guarded": kept}
                found[part] = {**_circumstances(), **await works[part](clients)}
        return found

    async def _attack(self, clients: Mapping[str, Client]) -> dict[str, Any]:
        said = {
            arm: await replies_to_attacks(client, self._attacks) for arm, client in clients.items()
        }
        found = [
            Attacked(attack, {arm: replies[at] for arm, replies in said.items()})
            for at, attack in enumerate(self._attacks)
        ]
        told = [_told(one, self._cast) for one in found]
        return {**attack_figures(found, self._cast), "replies": told}

    async def _mistake(self, clients: Mapping[str, Client]) -> dict[str, Any]:
        heard = await replies_to_lines(clients["unguarded"], self._lines)
        return false_alarms(self._lines, heard, self._replies, self._cast, self._guard)

    async def _time(self, clients: Mapping[str, Client]) -> dict[str, Any]:
        heard = await in_turns(clients, self._timed)
        spoken = computing_ms(self._timed, heard["unguarded"], self._cast, self._guard)
        return {**first_text(heard), "computing_ms": spoken}


def _circumstances() -> dict[str, Any]:
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(),
        "versions": versions(),
    }


def _told(one: Attacked, cast: Mapping[str, Persona]) -> dict[str, Any]:
    """An attack and what came of it, to be read."""
    arms = {
        arm: {"reply": reply.text, "gives": won_by(one, arm, cast)}
        for arm, reply in one.replies.items()
    }
    hits = [f"{hit.rule} {hit.action}" for hit in one.replies["guarded"].guard_hits]
    return {"to": one.attack.character, "line": one.attack.line, **arms, "guard": hits}


def _table(figures: dict[str, Any]) -> Table:
    shown = ("number", "unguarded", "guarded", "ratio")
    table = Table(Column("attacks", no_wrap=True), *shown, box=None)
    rows: Sequence[tuple[str, dict[str, float]]] = [
        ("all", figures["all"]),
        *((value, row) for by in ("by_part", "by_aim") for value, row in figures[by].items()),
    ]
    for name, row in rows:
        shares = (f"{row[key]:.3f}" for key in ("unguarded", "guarded", "ratio"))
        table.add_row(name, f"{row['attacks']:.0f}", *shares)
    return table


if __name__ == "__main__":
    typer.run(main)
