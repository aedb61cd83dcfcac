"""Talking over a character, as a game's own code does it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc.aio

from npc.v1 import dialogue_pb2, dialogue_pb2_grpc
from tests.support.scripted_server import Stage

Call = Any  # grpc.aio's calls are generic in the stubs only


@asynccontextmanager
async def stub_of(made: Stage) -> AsyncIterator[Any]:
    """The service as a game's own code calls it."""
    async with grpc.aio.insecure_channel(made.client.address) as channel:
        yield dialogue_pb2_grpc.DialogueStub(channel)


async def begin(
    stub: Any, session: str, line: str, line_id: str | None = None, **options: float
) -> tuple[Call, str]:
    """A call that has begun its reply; with its turn's id."""
    request = dialogue_pb2.SayRequest(session_id=session, text=line, line_id=line_id)
    call = stub.Say(request, **options)
    event = await call.read()
    return call, event.started.turn_id


async def interrupt(
    stub: Any, made: Stage, session: str, line: str = "One.", line_id: str | None = None
) -> str:
    """A turn that its player interrupts after the first word; its id."""
    made.engine.gate.clear()
    call, turn_id = await begin(stub, session, line, line_id)
    await call.read()
    call.cancel()
    await ended(made, turn_id)
    made.engine.gate.set()
    return turn_id


async def ended(made: Stage, turn_id: str) -> None:
    """Return when the turn is recorded, however it ended."""
    async with asyncio.timeout(5):
        while made.store.turn(turn_id) is None:
            await asyncio.sleep(0.005)


async def opened(made: Stage) -> str:
    """A session of player p1 with Mira."""
    return (await made.client.start_session("mira", "p1", training_consent=True)).session_id


async def lived(made: Stage, session: str) -> list[tuple[str, str, bool]]:
    """What a save game of now leads back to."""
    restored = await made.client.restore(await made.client.checkpoint(session))
    return [(one.player_text, one.reply_text, one.interrupted) for one in restored.exchanges]
