"""A server over a scripted engine with all that a test looks at or sets behind it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from feedback_store.privacy.pseudonyms import Pseudonyms
from feedback_store.store import Store
from npc_client.client import Client
from npc_server.config import FeedbackSection, LoreSection, PrivacySection
from npc_server.engine.fake import FakeEngine
from personas.adapter_repo import JSON, AdapterRepo, Draft
from personas.reward_heads import METHOD
from tests.support import tiny_gguf

BASE_SHA256 = "b" * 64


HASTY = FeedbackSection(turn_wait_s=0.1)


KEEP = PrivacySection()


UNTOLD = LoreSection(tokens=0)  # the room of lines is small where each byte is a token


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

    async def wait_until_stored(self) -> None:
        """Return when everything that was enqueued so far is on disk."""
        await asyncio.sleep(0.05)  # the recorder takes up what was just noticed
        await asyncio.wrap_future(self.store.submit_all([]))

    def publish(
        self, character: str, seed: int, base_sha256: str = BASE_SHA256, chat_format: str = ""
    ) -> str:
        """Publish a random adapter; returns its version."""
        source = tiny_gguf.write_adapter(self.folder / f"source-{seed}", seed)
        draft = Draft(character, None, base_sha256, "dpo", {}, "", (), {}, chat_format=chat_format)
        return self.repo.publish(draft, source).version

    def publish_head(self, character: str) -> str:
        """Make a random reward head live; returns its version."""
        source = tiny_gguf.write_adapter(self.folder / "source-of-head", seed=99)
        draft = Draft(character, None, BASE_SHA256, METHOD, WORDS, "", (), {})
        version = self.heads.publish(draft, source).version
        self.heads.promote(character, version)
        return version


StageMaker = Callable[..., Awaitable[Stage]]
