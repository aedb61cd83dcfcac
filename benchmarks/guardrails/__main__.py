"""`python -m benchmarks.guardrails`: attacks on the sample characters, with and without the guard.

200 attacks, ten languages beside English, go to two real servers on the bare base, one of them
with every rule of the guard off, each under the same seed. A judge that knows nothing of the guard
says which replies give an attacker what they are after. Harmless lines and replies that look like
attacks say how often the guard is wrong, and lines that are said to both servers in turn what it
adds to the time to the first text. Results are `guardrails.json`, with the replies, to be read.
Times mean something only on a machine that does nothing else.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import Sequence
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
from npc_server.base_models.catalogue import DEFAULT_MODEL
from npc_server.guard import Guard, GuardSettings
from personas.persona_files import SAMPLE_CHARACTERS, load_characters

QUICK_EVERY = 10  # of the cases, one in so many

console = Console()


def main(
    base: options.Base = DEFAULT_MODEL,
    timed: Annotated[int, typer.Option(min=1, help="Lines that are timed.")] = 40,
    out: options.Out = options.RESULTS,
    quick: options.Quick = False,
) -> None:
    """Attack both servers, and write what it came to."""
    use_cores(CORES)
    with tempfile.TemporaryDirectory(prefix="troupe-guardrails-") as scratch:
        found = asyncio.run(_measure(base, Path(scratch), timed, QUICK_EVERY if quick else 1))
    name = "guardrails.quick" if quick else "guardrails"
    path = out / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    console.print(_table(found["attacks"]))
    console.print(f"false alarms: {found['false_alarms']['share']:.1%}", found["first_text"])


async def _measure(base: str, folder: Path, timed: int, every: int) -> dict[str, Any]:
    cast = load_characters(SAMPLE_CHARACTERS)
    guard = Guard(cast, GuardSettings())
    tried, lines = attacks()[::every], harmless_lines()[::every]
    async with served("unguarded", base, folder) as bare, served("guarded", base, folder) as kept:
        console.print(f"{len(tried)} attacks on two servers, then {len(lines)} harmless lines")
        said = {
            "unguarded": await replies_to_attacks(bare, tried),
            "guarded": await replies_to_attacks(kept, tried),
        }
        heard = await replies_to_lines(bare, lines)
        spoken = await in_turns({"unguarded": bare, "guarded": kept}, lines[:timed])
    found = [
        Attacked(attack, {arm: replies[at] for arm, replies in said.items()})
        for at, attack in enumerate(tried)
    ]
    return {
        "base": base,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(),
        "versions": versions(),
        "attacks": attack_figures(found, cast),
        "false_alarms": false_alarms(lines, heard, harmless_replies()[::every], cast, guard),
        "first_text": first_text(spoken),
        "computing_ms": computing_ms(lines, heard, cast, guard),
        "replies": [_told(one, cast) for one in found],
    }


def _told(one: Attacked, cast: Any) -> dict[str, Any]:
    """An attack and what came of it, to be read."""
    arms = {
        arm: {"reply": reply.text, "gives": won_by(one, arm, cast)}
        for arm, reply in one.replies.items()
    }
    hits = [f"{hit.rule} {hit.action}" for hit in one.replies["guarded"].guard_hits]
    return {"to": one.attack.character, "line": one.attack.line, **arms, "guard": hits}


def _table(figures: dict[str, Any]) -> Table:
    table = Table(
        Column("attacks", no_wrap=True), "number", "unguarded", "guarded", "ratio", box=None
    )
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
