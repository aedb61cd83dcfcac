"""The engine dies; the server lives on, says so, and brings it back as it was."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import grpc.aio
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from npc_client.client import Reply
from npc_server.contract import NAMES
from tests.support.disk_faults import flip_last_byte
from tests.support.scripted_server import Stage, StageMaker

pytestmark = pytest.mark.service


async def health(stage: Stage, service: str = "") -> str:
    """What the standard health check answers."""
    async with grpc.aio.insecure_channel(stage.client.address) as channel:
        request = health_pb2.HealthCheckRequest(service=service)
        stub: Any = health_pb2_grpc.HealthStub(channel)
        answer = await stub.Check(request)
        return str(health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status))


async def healthy(stage: Stage, state: str = "SERVING") -> None:
    """Wait for a state of health."""
    async with asyncio.timeout(5):
        while await health(stage) != state:
            await asyncio.sleep(0.01)


@asynccontextmanager
async def death(stage: Stage) -> AsyncIterator[None]:
    """The engine is dead for the length of the block, and back after it."""
    stage.engine.startable.clear()
    stage.engine.die()
    await healthy(stage, "NOT_SERVING")
    yield
    stage.engine.startable.set()
    await healthy(stage)


async def cut_off(stage: Stage, session_id: str) -> grpc.aio.AioRpcError:
    """Kill the engine in the middle of a reply; it cannot start again until it is let."""
    stage.engine.gate.clear()
    speaking = asyncio.create_task(stage.client.say(session_id, "One."))
    while stage.engine.running == 0:
        await asyncio.sleep(0.01)
    stage.engine.startable.clear()
    stage.engine.die()
    stage.engine.gate.set()
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await speaking
    return caught.value


async def say(stage: Stage, session_id: str) -> Reply:
    """A turn that needs no seed."""
    return await stage.client.say(session_id, "Two.")


async def test_a_running_turn_ends_unavailable_and_is_recorded_as_failed(
    stage: StageMaker,
) -> None:
    made = await stage(lambda _: "a long reply")
    session = await made.client.start_session("mira", "p1")
    error = await cut_off(made, session.session_id)
    made.engine.startable.set()
    assert error.code() is grpc.StatusCode.UNAVAILABLE
    await healthy(made)
    await say(made, session.session_id)
    turns = {turn.player_text: turn for turn in made.store.turns("mira")}
    assert (turns["One."].finish_reason, turns["One."].reply_text) == ("failed", "a")
    assert turns["Two."].finish_reason == "stop"


async def test_health_is_bad_for_as_long_as_the_engine_is_away(stage: StageMaker) -> None:
    made = await stage()
    async with death(made):
        assert {await health(made, service) for service in NAMES} == {"NOT_SERVING"}
    assert {await health(made, service) for service in NAMES} == {"SERVING"}


async def test_turns_meanwhile_are_refused_at_once_with_a_hint(stage: StageMaker) -> None:
    made = await stage()
    session = await made.client.start_session("mira", "p1")
    async with death(made), asyncio.timeout(1):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await say(made, session.session_id)
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    assert "try again" in str(caught.value.details())


async def test_the_session_goes_on_under_its_adapter(stage: StageMaker) -> None:
    made = await stage()
    version = made.publish("mira", seed=1)
    await made.client.promote("mira", version)
    session = await made.client.start_session("mira", "p1")
    await say(made, session.session_id)
    async with death(made):
        assert made.engine.adapters == {}
    assert (await say(made, session.session_id)).adapter_version == version
    assert made.engine.requests[-1].adapter in made.engine.adapters


async def test_an_adapter_damaged_meanwhile_gives_way_to_the_base_and_is_reported(
    stage: StageMaker,
) -> None:
    made = await stage()
    version = made.publish("mira", seed=1)
    await made.client.promote("mira", version)
    async with death(made):
        flip_last_byte(made.repo.path("mira", version) / "adapter_model.safetensors")
    (listing,) = await made.client.adapters("mira")
    assert listing.live_version == ""
    assert version in listing.problem


async def test_a_promotion_on_disk_while_the_engine_is_away_is_followed_later(
    stage: StageMaker,
) -> None:
    made = await stage()
    version = made.publish("mira", seed=1)
    async with death(made):
        made.repo.promote("mira", version)
        await asyncio.sleep(0.2)  # several polls, each in vain
    (listing,) = await made.client.adapters("mira")
    assert (listing.live_version, listing.problem) == (version, "")


async def test_a_promotion_under_a_dead_engine_is_refused_and_changes_nothing(
    stage: StageMaker,
) -> None:
    made = await stage()
    version = made.publish("mira", seed=1)
    async with death(made):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await made.client.promote("mira", version)
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    assert made.repo.aliases("mira").live is None
