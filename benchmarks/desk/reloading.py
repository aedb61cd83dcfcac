"""How long a saved file takes until the next turn speaks it: a real server, a file, a clock."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from benchmarks.desk.casts import FEW, write_cast
from benchmarks.desk.workspace import Workspace, server
from benchmarks.errors import PeerBrokeError
from benchmarks.measures import Estimate
from benchmarks.parts import PartResult
from npc_client.client import Client

CHARACTER = "mira"
_LONGEST_S = 30.0
_LOOK_S = 0.002  # between two looks at what is served


async def run(workspace: Workspace) -> PartResult:
    """Save Mira again and again, in place and by rename in turns, in a small and a large cast."""
    few = await _in_cast(workspace, "few", FEW)
    many = await _in_cast(workspace, "many", workspace.extent.characters)
    figures = {"reload_ms": _estimate(few), "reload_large_ms": _estimate(many)}
    return PartResult(figures, {"reload_ms": few, "reload_large_ms": many})


async def _in_cast(workspace: Workspace, name: str, characters: int) -> list[float]:
    workspace.tell(f"write {characters} characters", 0, workspace.extent.savings)
    root = await asyncio.to_thread(write_cast, workspace.scratch / f"cast-{name}", characters)
    async with (
        server(workspace, root, f"reload-{name}") as running,
        Client(running.address) as client,
    ):
        session = (await client.start_session(CHARACTER, "designer")).session_id
        found = []
        for number in range(workspace.extent.savings):
            workspace.tell(f"save in a cast of {characters}", number, workspace.extent.savings)
            found.append(await _time_saving_ms(client, root / CHARACTER, number))
            await client.say(session, "Who are you?", seed=number)
        return found


async def _time_saving_ms(client: Client, folder: Path, number: int) -> float:
    old = await _version(client)
    text = _edited((folder / "persona.yaml").read_text(encoding="utf-8"), number)
    _save(folder / "persona.yaml", text, by_rename=number % 2 == 1)
    saved_s = time.perf_counter()
    while await _version(client) == old:
        if time.perf_counter() - saved_s > _LONGEST_S:
            raise PeerBrokeError(f"what was saved is not served after {_LONGEST_S:g} s")
        await asyncio.sleep(_LOOK_S)
    return (time.perf_counter() - saved_s) * 1e3


async def _version(client: Client) -> str:
    return (await client.persona_status(CHARACTER)).personas[0].version


def _edited(text: str, number: int) -> str:
    lines = text.splitlines(keepends=True)
    return "".join(
        f"summary: You are known under {number} names.\n" if line.startswith("summary:") else line
        for line in lines
    )


def _save(file: Path, text: str, *, by_rename: bool) -> None:
    target = file.with_name(".saving") if by_rename else file
    target.write_text(text, encoding="utf-8")
    if by_rename:
        target.rename(file)


def _estimate(samples: list[float]) -> Estimate:
    """The slowest tenth counts, as designers remember it; the spread is that of all."""
    ordered = sorted(samples)
    return Estimate(ordered[int(0.9 * (len(ordered) - 1))], ordered[0], ordered[-1])
