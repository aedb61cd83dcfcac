"""Games and players that do more than they may."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import TypeAlias

import grpc
import pytest

from npc_client.client import Access, Client
from npc_server.config import QuotasSection
from npc_server.keys.callers import Role
from npc_server.keys.keys_file import add_key
from tests.support.calls import refusal, thumbs
from tests.support.scripted_server import Stage, StageMaker

pytestmark = pytest.mark.service

Limited: TypeAlias = Callable[[QuotasSection], Awaitable[tuple[Stage, Client]]]


@pytest.fixture
async def limited(stage: StageMaker, tmp_path: Path) -> AsyncIterator[Limited]:
    """Starts a server with quotas, and a game's client."""
    key = str(add_key(tmp_path / "keys.json", "salt", [Role.GAME], "salt").text)
    clients: list[Client] = []

    async def make(quotas: QuotasSection) -> tuple[Stage, Client]:
        made = await stage(quotas=quotas)
        clients.append(Client(made.client.address, Access(key)))
        return made, clients[-1]

    yield make
    for client in clients:
        await client.close()


async def exhausted(call: object) -> str:
    """The message of a call that is refused for a while."""
    code, message = await refusal(call)
    assert code is grpc.StatusCode.RESOURCE_EXHAUSTED
    return message


async def test_a_player_speaks_to_so_many_at_once(limited: Limited) -> None:
    made, client = await limited(QuotasSection(player_turns=1))
    mira, fenn, bob = [
        (await client.start_session(character, player)).session_id
        for character, player in (("mira", "ann"), ("fenn", "ann"), ("mira", "bob"))
    ]
    made.engine.gate.clear()
    running = asyncio.create_task(client.say(mira, "Hello."))
    while not made.engine.running:
        await asyncio.sleep(0.01)
    assert "has 1 turns running" in await exhausted(client.say(fenn, "Hello."))
    other = asyncio.create_task(client.say(bob, "Hello."))
    made.engine.gate.set()
    assert (await running).text
    assert (await other).text


async def test_what_was_said_counts_against_the_next_turn(limited: Limited) -> None:
    _, client = await limited(QuotasSection(game_tokens_per_minute=1))
    session = (await client.start_session("mira", "ann")).session_id
    assert (await client.say(session, "Hello.")).text
    assert "tokens a minute" in await exhausted(client.say(session, "And?"))


async def test_a_player_has_so_many_sessions_open(limited: Limited) -> None:
    _, client = await limited(QuotasSection(player_sessions=1))
    first = (await client.start_session("mira", "ann")).session_id
    await client.start_session("mira", "bob")
    assert "sessions open" in await exhausted(client.start_session("fenn", "ann"))
    await client.end_session(first)
    await client.start_session("fenn", "ann")


async def test_a_game_sends_so_many_events(limited: Limited) -> None:
    _, client = await limited(QuotasSection(game_events_per_minute=2))
    session = (await client.start_session("mira", "ann")).session_id
    turn = (await client.say(session, "Hello.")).turn_id
    await client.submit_batch(thumbs(turn, "e1", "e2"))
    assert "events a minute" in await exhausted(client.submit_batch(thumbs(turn, "e3")))
