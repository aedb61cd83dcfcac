"""Real servers for the service tests: in this process over a scripted engine, or as `npc serve`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from feedback_store.privacy.pseudonyms import Pseudonyms
from feedback_store.rate_limit import RateLimit
from feedback_store.store import NO_LIMIT, Store
from npc_client.client import Client
from npc_server.config import Config, FeedbackSection, PrivacySection, ServerSection
from npc_server.engine.fake import FakeEngine, Script
from npc_server.server import Parts, running
from npc_server.turns import Model
from personas.adapter_repo import JSON, AdapterRepo, Draft
from personas.fake import FakeTokenizer
from personas.persona import SAMPLE_CHARACTERS, load_characters
from personas.reward_heads import METHOD
from tests.support import tiny_gguf

BASE_SHA256 = "b" * 64
HASTY = FeedbackSection(turn_wait_s=0.1)
KEEP = PrivacySection()
WORDS: dict[str, JSON] = {
    "good": {"text": " good", "token": 7},
    "bad": {"text": " bad", "token": 8},
}
PSEUDONYMS = Pseudonyms(b"k" * 32)


@dataclass(frozen=True)
class Stage:
    """A server over a scripted engine, and a client connected to it."""

    client: Client
    engine: FakeEngine
    store: Store
    repo: AdapterRepo
    heads: AdapterRepo
    folder: Path  # of the test's own data

    async def settled(self) -> None:
        """Return when everything that was enqueued so far is on disk."""
        await asyncio.sleep(0.05)  # the recorder takes up what was just noticed
        await asyncio.wrap_future(self.store.submit_all([]))

    def publish(self, character: str, seed: int, base_sha256: str = BASE_SHA256) -> str:
        """Publish a random adapter; returns its version."""
        source = tiny_gguf.write_adapter(self.folder / f"source-{seed}", seed)
        draft = Draft(character, None, base_sha256, "dpo", {}, "", (), {})
        return self.repo.publish(draft, source).version

    def publish_head(self, character: str) -> str:
        """Make a random reward head live; returns its version."""
        source = tiny_gguf.write_adapter(self.folder / "source-of-head", seed=99)
        draft = Draft(character, None, BASE_SHA256, METHOD, WORDS, "", (), {})
        version = self.heads.publish(draft, source).version
        self.heads.promote(character, version)
        return version


StageMaker = Callable[..., Awaitable[Stage]]


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[StageMaker]:
    """Starts servers; they stop when the test ends."""
    async with AsyncExitStack() as stack:

        async def make(
            script: Script | None = None,
            metrics_port: int = 0,
            characters: Path = SAMPLE_CHARACTERS,
            feedback: FeedbackSection = HASTY,
            privacy: PrivacySection = KEEP,
            limit: RateLimit = NO_LIMIT,
        ) -> Stage:
            engine = FakeEngine(script) if script else FakeEngine()
            store = stack.enter_context(Store.open(tmp_path / "feedback.db", limit=limit))
            repo, heads = AdapterRepo(tmp_path / "adapters"), AdapterRepo(tmp_path / "heads")
            parts = Parts(
                load_characters(characters),
                Model(engine, FakeTokenizer(), BASE_SHA256),
                store,
                repo,
                heads,
                PSEUDONYMS,
            )
            section = ServerSection(
                port=0, grace_s=1, adapter_poll_s=0.05, metrics_port=metrics_port
            )
            config = Config(server=section, feedback=feedback, privacy=privacy)
            port: asyncio.Future[int] = asyncio.get_running_loop().create_future()
            await stack.enter_async_context(running(parts, config, port.set_result))
            client = await stack.enter_async_context(Client(f"127.0.0.1:{await port}"))
            return Stage(client, engine, store, repo, heads, tmp_path)

        yield make
