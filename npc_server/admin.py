"""The admin port: whether the server lives, whether it serves, and its figures, over HTTP.

`/healthz` is 200 while the event loop turns: a server that stays without is to be started anew.
`/readyz` is 200 while turns are accepted, else 503 with the reason: no players are to be sent.
`/metrics` is for Prometheus. Threads answer, so that a stalled event loop shows as what it is, and
they do so from the moment that the engine begins to load.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

from prometheus_client import CollectorRegistry, make_wsgi_app
from prometheus_client.exposition import ThreadingWSGIServer
from prometheus_client.registry import Collector

from npc_server.errors import ConfigError

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

#: In which a loop that turns has come round.
LOOP_LIMIT_S = 2.0
REQUEST_WITHIN_S = 10.0


class Phase(StrEnum):
    """Where in its life the server is; the value says why no turns are taken."""

    STARTING = "the server is starting"
    """The engine loads, or has not spoken its first turn."""
    SERVING = ""
    """Turns are taken while the engine lives."""
    STOPPING = "the server is stopping"
    """Running turns are drained."""


class Readiness:
    """Whether turns are taken, and why not; read by any thread."""

    def __init__(self, engine_serves: Callable[[], bool]) -> None:
        self._engine_serves = engine_serves
        self.phase = Phase.STARTING

    @property
    def engine_up(self) -> bool:
        """Whether the engine can take turns."""
        return self.phase is not Phase.STARTING and self._engine_serves()

    def why_not(self) -> str:
        """Why no turns are taken; "" = they are."""
        if self.phase is not Phase.SERVING:
            return self.phase.value
        return "" if self._engine_serves() else "the engine is being restarted"


@dataclass(frozen=True)
class AdminPages:
    """The pages, as a WSGI application."""

    metrics: WSGIApplication
    readiness: Readiness
    loop: asyncio.AbstractEventLoop

    def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        match environ["PATH_INFO"]:
            case "/metrics" | "/":
                return self.metrics(environ, start)
            case "/healthz":
                return _verdict(self._stall(), start)
            case "/readyz":
                return _verdict(self._stall() or self.readiness.why_not(), start)
            case path:
                known = f"no page {path}; known: /healthz, /metrics, /readyz"
                return _page(HTTPStatus.NOT_FOUND, known, start)

    def _stall(self) -> str:
        turned = asyncio.run_coroutine_threadsafe(asyncio.sleep(0), self.loop)
        try:
            turned.result(LOOP_LIMIT_S)
        except (TimeoutError, concurrent.futures.CancelledError):
            return f"the event loop did not come round within {LOOP_LIMIT_S:g} s"
        return ""


def _verdict(trouble: str, start: StartResponse) -> Iterable[bytes]:
    if trouble:
        return _page(HTTPStatus.SERVICE_UNAVAILABLE, trouble, start)
    return _page(HTTPStatus.OK, "ok", start)


def _page(status: HTTPStatus, text: str, start: StartResponse) -> Iterable[bytes]:
    start(f"{status.value} {status.phrase}", [("content-type", "text/plain; charset=utf-8")])
    return [f"{text}\n".encode()]


class _Request(WSGIRequestHandler):
    timeout = REQUEST_WITHIN_S

    def log_message(self, *_: object) -> None:
        """Log no scrapes."""


@asynccontextmanager
async def serve_admin(
    figures: Collector, readiness: Readiness, host: str, port: int
) -> AsyncIterator[None]:
    """Serve the pages for the length of the block; port 0 serves none. Raises ConfigError."""
    if port == 0:
        yield
        return
    registry = CollectorRegistry()
    registry.register(figures)
    pages = AdminPages(make_wsgi_app(registry), readiness, asyncio.get_running_loop())
    server = _server(pages, host, port)
    thread = threading.Thread(target=server.serve_forever, name="admin", daemon=True)
    thread.start()
    try:
        yield
    finally:
        await asyncio.to_thread(server.shutdown)
        server.server_close()
        thread.join()


def _server(pages: AdminPages, host: str, port: int) -> Any:
    try:
        return make_server(host.strip("[]"), port, pages, _family(host), _Request)
    except OSError as error:
        raise ConfigError(
            f"cannot serve metrics on {host}:{port}: {error}; set another [server] metrics_port, "
            "or 0 for none"
        ) from error


def _family(host: str) -> type[ThreadingWSGIServer]:
    if ":" not in host:
        return ThreadingWSGIServer
    return type("Server6", (ThreadingWSGIServer,), {"address_family": socket.AF_INET6})
