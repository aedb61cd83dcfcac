"""A page of another origin in a real browser: what it may do, and that words come one by one."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pytest

from npc_server.config import HttpSection
from tests.support.scripted_server import Stage, StageMaker
from tests.support.web_calls import WORDS

pytestmark = [pytest.mark.service, pytest.mark.web]

PROGRAMS = ("chromium-headless-shell", "chromium", "google-chrome")
OPTIONS = ("--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-port=0")
CLIENTS = pytest.mark.parametrize("client", ["connect", "connect-grpc-web", "grpc-web-text"])


class Site:
    """The server of the page; the page sends what it found here."""

    def __init__(self, folder: Path) -> None:
        self.told: SimpleQueue[Any] = SimpleQueue()
        handler = partial(_Handler, self.told, directory=str(folder))
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.origin = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def close(self) -> None:
        """Serve no more."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Handler(SimpleHTTPRequestHandler):
    def __init__(self, told: SimpleQueue[Any], *args: Any, **options: Any) -> None:
        self._told = told
        super().__init__(*args, **options)

    def do_POST(self) -> None:
        self._told.put(json.loads(self.rfile.read(int(self.headers["content-length"]))))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def site(web_clients: Path, tmp_path: Path) -> Iterator[Site]:
    """The page, in one file with all it imports."""
    bundler = web_clients / "node_modules" / ".bin" / "esbuild"
    options = ("--bundle", "--format=esm", f"--outfile={tmp_path / 'page.js'}")
    subprocess.run([bundler, "page.js", *options], cwd=web_clients, check=True)
    (tmp_path / "index.html").write_text('<script type="module" src="page.js"></script>')
    site = Site(tmp_path)
    yield site
    site.close()


async def found(site: Site, port: int, client: str, scenario: str) -> Any:
    """What the page found."""
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    assert program, "no Chromium: apt-get install chromium-headless-shell"
    address = f"{site.origin}/#http://127.0.0.1:{port},{client},{scenario}"
    browser = subprocess.Popen(
        [program, *OPTIONS, address], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        return await asyncio.to_thread(site.told.get, timeout=60)
    finally:
        browser.kill()
        browser.wait()


@CLIENTS
async def test_a_listed_page_hears_a_reply_and_reads_refusals(
    stage: StageMaker, site: Site, web_port: int, client: str
) -> None:
    await stage(lambda _: WORDS, http_port=web_port, http=HttpSection(origins=(site.origin,)))
    assert "".join(await found(site, web_port, client, "talk")) == WORDS
    unary, stream = await found(site, web_port, client, "refuse")
    assert ("'nobody'" in unary[1], "'nope'" in stream[1]) == (True, True)


@CLIENTS
async def test_words_come_one_by_one_and_leaving_ends_the_turn(
    stage: StageMaker, site: Site, web_port: int, client: str
) -> None:
    made: Stage = await stage(
        lambda _: WORDS, http_port=web_port, http=HttpSection(origins=(site.origin,))
    )
    made.engine.gate.clear()  # the first word is all that comes
    assert await found(site, web_port, client, "leave")
    async with asyncio.timeout(5):
        while made.engine.running:
            await asyncio.sleep(0.01)


async def test_a_page_that_is_not_listed_gets_nothing(
    stage: StageMaker, site: Site, web_port: int
) -> None:
    made: Stage = await stage(
        lambda _: WORDS, http_port=web_port, http=HttpSection(origins=("https://x.example",))
    )
    told = await found(site, web_port, "connect", "talk")
    assert (str(told).startswith("failed"), made.engine.finished) == (True, [])
