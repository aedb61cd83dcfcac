"""Seeing what the engine does: over gRPC, on the command line, and as Prometheus does."""

import asyncio
import json
import socket
import sys
from dataclasses import fields
from typing import Any

import grpc
import grpc.aio
import pytest

from npc.v1 import adapters_pb2
from npc_server.convert.adapters import engine_stats
from npc_server.engine.errors import EngineBusyError
from npc_server.engine.protocol import Request, Stats
from npc_server.errors import ConfigError
from tests.support.metrics_page import free_port, scrape, status_of
from tests.support.scripted_server import Stage, StageMaker

pytestmark = pytest.mark.service


async def talk(stage: Stage) -> None:
    """One session with one turn."""
    session = await stage.client.start_session("mira", "p1")
    await stage.client.say(session.session_id, "Hello.")


def test_the_contract_has_every_figure_under_its_own_name() -> None:
    contract = [field.name for field in adapters_pb2.StatsResponse.DESCRIPTOR.fields]
    assert contract == [field.name for field in fields(Stats)]


async def test_stats_arrive_as_the_engine_told_them(stage: StageMaker) -> None:
    made = await stage()
    await talk(made)
    assert engine_stats(await made.client.stats()) == await made.engine.stats()


async def test_the_command_prints_figures_for_scripts(stage: StageMaker) -> None:
    made = await stage(lambda _: "two words")
    await talk(made)
    command = (sys.executable, "-m", "npc_server.commands.main", "stats", "--json")
    process = await asyncio.create_subprocess_exec(
        *command, "--server", made.client.address, stdout=asyncio.subprocess.PIPE
    )
    printed = json.loads((await process.communicate())[0])
    assert printed["stats"]["generated_tokens"] == 2
    assert printed["figures"]["ttft_ms_p95"] <= 1


async def test_a_scrape_sees_counters_move(stage: StageMaker) -> None:
    port = free_port()
    made = await stage(metrics_port=port)
    before = await scrape(port)
    await talk(made)
    after = await scrape(port)
    moved = {key: after[key] - before.get(key, 0) for key in after}
    assert moved["troupe_grpc_requests_total", "OK"] == 1
    assert moved["troupe_dialogues_open", ""] == 1
    assert moved["troupe_engine_turns_total", ""] == 1
    assert moved["troupe_engine_first_token_seconds_count", ""] == 1


async def test_calls_are_counted_by_their_status(stage: StageMaker) -> None:
    port = free_port()
    made = await stage(metrics_port=port)
    with pytest.raises(grpc.aio.AioRpcError):
        await made.client.say("nope", "Hello.")
    assert (await scrape(port))["troupe_grpc_requests_total", "NOT_FOUND"] == 1


async def test_a_scrape_of_a_dead_engine_has_its_last_figures(stage: StageMaker) -> None:
    port = free_port()
    made = await stage(metrics_port=port)
    await talk(made)
    await scrape(port)
    made.engine.startable.clear()
    made.engine.die()
    after = await scrape(port)
    assert after["troupe_engine_up", ""] == 0
    assert after["troupe_engine_turns_total", ""] == 1
    assert after["troupe_engine_stats_age_seconds", ""] > 0


async def test_a_metrics_port_in_use_stops_the_start_and_is_named(stage: StageMaker) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=rf"127\.0\.0\.1:{port}.*metrics_port"):
            await stage(metrics_port=port)


async def test_a_busy_engine_says_when_to_come_again(stage: StageMaker) -> None:
    def crowded(request: Request) -> str:
        if request.request_id == "warm-up":
            return "warm"
        raise EngineBusyError("256 turns are waiting; try again in a moment", retry_after_s=1.25)

    made = await stage(crowded)
    session = await made.client.start_session("mira", "p1")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await made.client.say(session.session_id, "Hello.")
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    trailers: Any = caught.value.trailing_metadata()
    assert trailers["retry-after-ms"] == "1250"
    assert "x-request-id" in trailers


async def test_a_server_is_ready_while_its_engine_lives(stage: StageMaker) -> None:
    port = free_port()
    made = await stage(metrics_port=port)
    assert await status_of(port, "/readyz") == 200
    made.engine.startable.clear()
    made.engine.die()
    assert await status_of(port, "/readyz") == 503
    assert await status_of(port, "/healthz") == 200
