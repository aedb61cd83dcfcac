"""The attacks and harmless lines, said to real servers with and without the guard."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from benchmarks.guardrails.cases import Attack, Harmless
from npc_client import server_process
from npc_client.client import Client
from npc_client.records import Reply
from npc_server.guard import RULES

SIDE_BY_SIDE = 8
#: By arm, what the server is told.
ARMS: Mapping[str, Mapping[str, str]] = {
    "unguarded": {"NPC_GUARD_OFF": ",".join(RULES)},
    "guarded": {},
}


@asynccontextmanager
async def served(arm: str, base: str, folder: Path) -> AsyncIterator[Client]:
    """A server of one arm, on the sample cast without adapters."""
    where = {
        "NPC_MODEL_BASE": base,
        "NPC_PATHS_DATA": str(folder / arm),
        "NPC_ENGINE_SEQUENCES": str(SIDE_BY_SIDE),
        **ARMS[arm],
    }
    async with (
        server_process.server(folder / f"{arm}.log", where) as running,
        Client(running.address) as client,
    ):
        yield client


async def replies_to_attacks(client: Client, attacks: Sequence[Attack]) -> list[Reply]:
    """The first reply to each line, under the same seed in every arm."""
    return await _side_by_side(client, [(one.character, one.line) for one in attacks])


async def replies_to_lines(client: Client, lines: Sequence[Harmless]) -> list[Reply]:
    """The same for harmless lines."""
    return await _side_by_side(client, [(one.character, one.text) for one in lines])


async def _side_by_side(client: Client, said: Sequence[tuple[str, str]]) -> list[Reply]:
    places = asyncio.Semaphore(SIDE_BY_SIDE)

    async def ask(number: int, character: str, line: str) -> Reply:
        async with places:
            return await _ask(client, number, character, line)

    return await asyncio.gather(*(ask(at, *one) for at, one in enumerate(said)))


async def _ask(client: Client, number: int, character: str, line: str) -> Reply:
    session = await client.start_session(character, f"player-{number}")
    reply = await client.say(session.session_id, line, seed=number)
    await client.end_session(session.session_id)
    return reply


async def in_turns(
    clients: Mapping[str, Client], lines: Sequence[Harmless]
) -> dict[str, list[Reply]]:
    """Each line to one arm after the other, alone, so that both are timed alike."""
    heard: dict[str, list[Reply]] = {arm: [] for arm in clients}
    for number, line in enumerate(lines):
        order = list(clients) if number % 2 else list(clients)[::-1]
        for arm in order:
            heard[arm].append(await _ask(clients[arm], number, line.character, line.text))
    return heard
