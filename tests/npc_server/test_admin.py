"""The admin port: what it says in each phase of a server."""

from __future__ import annotations

import asyncio
import http.client
import threading
import time
from collections.abc import AsyncIterator

import pytest
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from npc_server import admin
from npc_server.admin import Phase, Readiness, serve_admin
from tests.support.metrics_page import free_port


class NoFigures(Collector):
    """Figures of nothing."""

    def collect(self) -> list[Metric]:
        return []


class Desk:
    """An admin port and what it is told."""

    def __init__(self) -> None:
        self.port = free_port()
        self.engine_serves = True
        self.readiness = Readiness(lambda: self.engine_serves)

    def read(self, path: str) -> tuple[int, str]:
        link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        link.request("GET", path)
        answer = link.getresponse()
        return answer.status, answer.read().decode().strip()

    async def get(self, path: str) -> tuple[int, str]:
        return await asyncio.to_thread(self.read, path)


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    desk = Desk()
    async with serve_admin(NoFigures(), desk.readiness, "127.0.0.1", desk.port):
        yield desk


@pytest.mark.parametrize("phase", [Phase.STARTING, Phase.STOPPING])
async def test_a_server_that_starts_or_stops_lives_and_is_not_ready(
    desk: Desk, phase: Phase
) -> None:
    desk.readiness.phase = phase
    assert await desk.get("/healthz") == (200, "ok")
    assert await desk.get("/readyz") == (503, phase.value)


async def test_readiness_follows_the_engine(desk: Desk) -> None:
    desk.readiness.phase = Phase.SERVING
    assert await desk.get("/readyz") == (200, "ok")
    desk.engine_serves = False
    assert await desk.get("/readyz") == (503, "the engine is being restarted")
    assert await desk.get("/healthz") == (200, "ok")


async def test_a_stalled_event_loop_is_told(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admin, "LOOP_LIMIT_S", 0.05)
    told: list[tuple[int, str]] = []
    asking = threading.Thread(target=lambda: told.append(desk.read("/healthz")))
    asking.start()
    time.sleep(1)  # the stall
    asking.join()
    assert told == [(503, "the event loop did not come round within 0.05 s")]


async def test_an_unknown_page_is_told_which_there_are(desk: Desk) -> None:
    status, text = await desk.get("/health")
    assert (status, "/healthz" in text) == (404, True)
