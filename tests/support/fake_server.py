"""A server over a scripted engine in a process of its own, to be killed and started again.

Run as `python -m tests.support.fake_server DATA_FOLDER REPLIES [CAST]`; prints its port once it
serves. After so many whole replies the next ones halt behind their first word; 0 = never. In a cast
of its own all like to hand something over.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from npc_server.config import Config, FeedbackSection, PathsConfig, ServerSection
from npc_server.engine.fake import FakeEngine
from npc_server.engine.protocol import Request
from npc_server.keys.key_book import KeyBook
from npc_server.keys.player_tokens import PlayerTokens
from npc_server.parts import Parts, open_store
from npc_server.server import running
from npc_server.turns import Model
from personas.adapter_repo import AdapterRepo
from personas.fake import FakeTokenizer
from personas.persona_files import SAMPLE_CHARACTERS, load_characters
from tests.support.actors import HANDED, taste
from tests.support.paths import ROOT
from tests.support.unguarded import UNGUARDED


@contextmanager
def child(
    folder: Path, whole_replies: int = 0, cast: Path | None = None
) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A server process and its address; killed at the end of the block, if it still runs."""
    arguments = [str(folder), str(whole_replies), *([str(cast)] if cast else [])]
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.support.fake_server", *arguments],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    try:
        assert process.stdout is not None
        yield process, f"127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.kill()
        process.wait()


def _halting_engine(whole_replies: int) -> FakeEngine:
    def script(request: Request) -> str:
        if request.sampling.json_schema:
            return HANDED
        if whole_replies and len(engine.finished) >= whole_replies:
            engine.gate.clear()
        return f"reply {request.sampling.seed}"

    engine = FakeEngine(script)
    return engine


async def _serve(folder: Path, whole_replies: int, characters: Path) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    config = Config(
        paths=PathsConfig(data=folder),
        server=ServerSection(port=0, grace_s=1),
        feedback=FeedbackSection(events_per_minute=0, turn_wait_s=0.1),
        guard=UNGUARDED,
    )
    engine = _halting_engine(whole_replies)
    engine.taste = taste("furious", "hand over")
    model = Model(engine, FakeTokenizer(), "b" * 64)
    store, pseudonyms = open_store(config)
    with contextlib.closing(store):
        cast, repo = load_characters(characters), AdapterRepo(config.paths.adapters)
        heads, keys = AdapterRepo(config.paths.heads), KeyBook(config.paths.keys)
        tokens = PlayerTokens(config.paths.signing_keys)
        parts = Parts(cast, model, store, repo, heads, pseudonyms, keys, tokens)
        async with running(parts, config, lambda port: print(port, flush=True)):
            await stop.wait()


if __name__ == "__main__":
    chosen = Path(sys.argv[3]) if len(sys.argv) > 3 else SAMPLE_CHARACTERS
    asyncio.run(_serve(Path(sys.argv[1]), int(sys.argv[2]), chosen))
