"""Real servers for the service tests: in this process over a scripted engine, or as `npc serve`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from types import MappingProxyType

import pytest

from feedback_store.rate_limit import RateLimit
from feedback_store.store import NO_LIMIT, Store
from npc_client.access import OPEN, Access
from npc_client.client import Client
from npc_server.config import (
    Config,
    FeedbackSection,
    GameSection,
    GuardSection,
    HttpSection,
    LoreSection,
    MemorySection,
    PathsConfig,
    PrivacySection,
    QuotasSection,
    ReloadSection,
    ScenesSection,
    ServerSection,
    TlsSection,
    Watch,
)
from npc_server.engine.fake import FakeEngine, Script
from npc_server.keys.key_book import KeyBook
from npc_server.keys.player_tokens import PlayerTokens
from npc_server.live_cast import CastFolder
from npc_server.parts import Parts
from npc_server.server import running
from npc_server.turns import Model
from personas.adapter_repo import AdapterRepo
from personas.cast_stamps import stamps
from personas.fake import FakeTokenizer
from personas.persona_files import SAMPLE_CHARACTERS, load_characters
from personas.world_files import Worlds, worlds_beside
from tests.support.casts import mira_with
from tests.support.metrics_page import free_port
from tests.support.scripted_server import (
    BASE_SHA256,
    HASTY,
    KEEP,
    PSEUDONYMS,
    UNTOLD,
    Stage,
    StageMaker,
)
from tests.support.unguarded import UNGUARDED
from tests.support.web_calls import PAGE, WORDS


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[StageMaker]:
    """Starts servers; they stop when the test ends."""
    async with AsyncExitStack() as stack:

        async def make(
            script: Script | None = None,
            metrics_port: int = 0,
            http_port: int = 0,
            http: HttpSection = HttpSection(),  # noqa: B008 - frozen
            characters: Path = SAMPLE_CHARACTERS,
            feedback: FeedbackSection = HASTY,
            privacy: PrivacySection = KEEP,
            limit: RateLimit = NO_LIMIT,
            memory: MemorySection = MemorySection(),  # noqa: B008 - frozen
            reload: ReloadSection | None = None,  # None = files are not followed
            lore: LoreSection = UNTOLD,
            tokenizer: FakeTokenizer | None = None,
            guard: GuardSection = UNGUARDED,
            scenes: ScenesSection = ScenesSection(),  # noqa: B008 - frozen
            games: Mapping[str, GameSection] = MappingProxyType({}),
            tls: TlsSection = TlsSection(),  # noqa: B008 - frozen
            access: Access = OPEN,
            quotas: QuotasSection = QuotasSection(),  # noqa: B008 - frozen
        ) -> Stage:
            engine = FakeEngine(script) if script else FakeEngine()
            store = stack.enter_context(Store.open(tmp_path / "feedback.db", limit=limit))
            repo, heads = AdapterRepo(tmp_path / "adapters"), AdapterRepo(tmp_path / "heads")
            thought_tokens = 64 if tokenizer and tokenizer.thinks else 0
            model = Model(
                engine, tokenizer or FakeTokenizer(), BASE_SHA256, thought_tokens=thought_tokens
            )
            worlds = Worlds(worlds_beside(characters))
            parts = Parts(
                load_characters(characters, worlds),
                model,
                store,
                repo,
                heads,
                PSEUDONYMS,
                KeyBook(tmp_path / "keys.json"),
                PlayerTokens(tmp_path / "signing.json"),
                CastFolder(characters, worlds, stamps(characters, worlds)) if reload else None,
            )
            section = ServerSection(
                port=0,
                grace_s=1,
                adapter_poll_s=0.05,
                metrics_port=metrics_port,
                http_port=http_port,
            )
            config = Config(
                paths=PathsConfig(data=tmp_path),
                server=section,
                http=http,
                feedback=feedback,
                privacy=privacy,
                memory=memory,
                lore=lore,
                guard=guard,
                scenes=scenes,
                games=games,
                tls=tls,
                quotas=quotas,
                reload=reload or ReloadSection(watch=Watch.OFF),
            )
            port: asyncio.Future[int] = asyncio.get_running_loop().create_future()
            await stack.enter_async_context(running(parts, config, port.set_result))
            client = await stack.enter_async_context(Client(f"127.0.0.1:{await port}", access))
            return Stage(client, engine, store, repo, heads, tmp_path)

        yield make


@pytest.fixture
def web_port() -> int:
    """A port for HTTP."""
    return free_port()


@pytest.fixture
async def web_stage(stage: StageMaker, web_port: int, tmp_path: Path) -> Stage:
    """A server whose Mira draws one reply of four words, with an HTTP port that `PAGE` may use."""
    cast = mira_with(tmp_path, best_of=1)
    return await stage(
        lambda _: WORDS, http_port=web_port, characters=cast, http=HttpSection(origins=(PAGE,))
    )
