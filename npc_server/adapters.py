"""Which adapter version is live for each character, and which older ones are still in use.

Voices and reward heads are served alike, each by an `Adapters` of its own; a version made for the
other purpose is refused.

Every turn leases the live version for its whole length, so a promotion never changes a running
reply. A version goes live only after its files were verified, its base compared and the engine has
loaded it; until then, and if any of that fails, the old version stays. A version that is neither
live nor leased is unloaded. An engine that was restarted gets all of them
again before its first turn. State changes on the event loop only, one change per character at a
time.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from enum import StrEnum

from npc_server.engine.errors import EngineDiedError, EngineError
from npc_server.engine.protocol import Engine
from npc_server.errors import AdapterMisfitError, UnknownCharacterError
from personas.adapter_repo import AdapterRepo, AliasStamp, Manifest
from personas.chat_ids import Chat
from personas.errors import AdapterRepoError
from personas.known_names import no_such
from personas.reward_heads import words_of

logger = logging.getLogger(__name__)


class Purpose(StrEnum):
    """What an adapter is for."""

    VOICE = "voice"  # generates replies
    HEAD = "reward head"  # scores them


@dataclass(frozen=True)
class LiveAdapter:
    """The version that a turn is generated under, or its candidates are scored by."""

    version: str = ""  # "" = the bare base
    content_hash: str = ""
    contrast: tuple[int, int] | None = None  # the two token ids that a head scores by


@dataclass(frozen=True)
class CharacterListing:
    """One character's versions, for an operator."""

    character: str
    live_version: str
    versions: tuple[Manifest, ...]
    running_turns: dict[str, int]  # by version
    problem: str  # why the version that is live on disk is not served; "" = it is


#: Called with a version that is loaded and about to go live for a character.
Prefill = Callable[[str, LiveAdapter], Awaitable[None]]


class Adapters:
    """The live adapter versions of a cast, all of one purpose."""

    def __init__(
        self,
        repo: AdapterRepo,
        engine: Engine,
        base_sha256: str,
        characters: Sequence[str],
        prefill: Prefill | None = None,
        purpose: Purpose = Purpose.VOICE,
        *,
        chat: Chat,
    ) -> None:
        self._purpose = purpose
        self._prefill = prefill
        self._repo = repo
        self._engine = engine
        self._base_sha256 = base_sha256
        self._chat = chat
        self._live = {character: LiveAdapter() for character in characters}
        self._followed: dict[str, AliasStamp | None] = {}  # what was on disk when it was followed
        self._problems: dict[str, str] = {}
        self._refused: dict[str, str] = {}  # version live on disk that could not be loaded
        self._leases: Counter[tuple[str, LiveAdapter]] = Counter()  # by character
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._tasks: set[asyncio.Task[None]] = set()

    def live(self, character: str) -> LiveAdapter:
        """The version that new turns are generated under. Raises UnknownCharacterError."""
        self._require(character)
        return self._live[character]

    @contextmanager
    def lease(self, character: str, on_trial: LiveAdapter | None = None) -> Iterator[LiveAdapter]:
        """Pin the live version for the length of a turn, or one that is loaded to be tried."""
        with self._pin(character, on_trial or self.live(character)) as adapter:
            yield adapter

    @asynccontextmanager
    async def lease_version(self, character: str, version: str) -> AsyncIterator[LiveAdapter]:
        """Have a version ready for the length of the block, live or not.

        Raises UnknownCharacterError, AdapterMisfitError, AdapterRejectedError and the adapter
        repo's errors.
        """
        self._require(character)
        async with self._load(character, version) as adapter:
            yield adapter

    async def admit(self, character: str) -> None:
        """Serve the versions of a character that came to the cast; do nothing for others."""
        if character not in self._live:
            self._live[character] = LiveAdapter()
            await self.refresh(character)

    async def refresh(self, character: str) -> None:
        """Serve the version that is live on disk; on any fault the old one stays."""
        async with self._locks[character]:
            try:
                aliases = await asyncio.to_thread(self._repo.aliases, character)
                await self._follow(character, aliases.live or "")
            except EngineDiedError:
                self._refused.pop(character, None)  # says nothing of the version: try again
                self._followed.pop(character, None)
            except (AdapterRepoError, AdapterMisfitError, EngineError) as error:
                self._report(character, error)

    async def _follow(self, character: str, version: str) -> None:
        if version == self._live[character].version:
            self._problems.pop(character, None)
            self._refused.pop(character, None)
            return
        # A version is immutable: one that was refused is not read again at every poll.
        if self._refused.get(character) == version:
            return
        self._refused[character] = version
        async with self._make_ready(character, version) as new:
            self._switch(character, new)

    async def restore(self) -> None:
        """Load every live or leased version into a fresh engine. Raises EngineDiedError.

        Where a live version cannot be loaded again, the bare base takes over and the listing says
        why: one damaged version must not keep the other characters silent.
        """
        for character in self._live:
            async with self._locks[character]:
                await self._restore_live(character)
        for character, adapter in [lease for lease, count in self._leases.items() if count > 0]:
            if adapter != self._live[character]:
                await self._reload(character, adapter)

    async def _restore_live(self, character: str) -> None:
        live = self._live[character]
        problem = await self._reload(character, live)
        if problem is not None:
            self._live[character] = LiveAdapter()
            self._refused[character] = live.version
            self._report(character, problem)

    async def _reload(self, character: str, adapter: LiveAdapter) -> Exception | None:
        try:
            async with self._load(character, adapter.version):
                return None
        except EngineDiedError:
            raise
        except (AdapterRepoError, AdapterMisfitError, EngineError) as error:
            return error

    async def watch(self, interval_s: float) -> None:
        """Poll the aliases on disk, which other processes change, until cancelled."""
        while True:
            await self.refresh_all()
            await asyncio.sleep(interval_s)

    async def refresh_all(self) -> None:
        """Refresh every character whose aliases on disk are others than before.

        One look at the disk finds them: a cast of thousands is polled twice a second.
        """
        now = await asyncio.to_thread(self._repo.alias_stamps)
        for character in {*now, *self._followed} & self._live.keys():
            if self._followed.get(character) != now.get(character):
                self._followed[character] = now.get(character)
                await self.refresh(character)

    async def promote(self, character: str, version: str) -> tuple[LiveAdapter, LiveAdapter]:
        """Make `version` live; returns the old and the new one.

        Raises UnknownCharacterError, AdapterMisfitError, AdapterRejectedError and the adapter
        repo's errors; whatever fails, the old version stays live.
        """
        self._require(character)
        async with self._locks[character], self._make_ready(character, version) as new:
            await asyncio.to_thread(self._repo.promote, character, version)
            return self._switch(character, new), new

    async def rollback(self, character: str) -> tuple[LiveAdapter, LiveAdapter]:
        """Make the previously live version live again; returns the old and the new one."""
        self._require(character)
        async with self._locks[character]:
            aliases = await asyncio.to_thread(self._repo.rollback, character)
            async with self._make_ready(character, aliases.live) as new:
                return self._switch(character, new), new

    def listing(self, character: str) -> CharacterListing:
        """List a character's versions. Reads the disk: call it off the event loop."""
        self._require(character)
        versions = tuple(self._repo.versions(character))
        running = {
            adapter.version: count
            for (speaker, adapter), count in tuple(self._leases.items())
            if speaker == character
        }
        return CharacterListing(
            character,
            self._live[character].version,
            versions,
            {manifest.version: running.get(manifest.version, 0) for manifest in versions},
            self._problems.get(character, ""),
        )

    def _require(self, character: str) -> None:
        if character not in self._live:
            raise UnknownCharacterError(no_such("character", character, self._live))

    @asynccontextmanager
    async def _make_ready(self, character: str, version: str | None) -> AsyncIterator[LiveAdapter]:
        """Load and lease a version, and prefill the persona's prompt prefix: it can go live."""
        async with self._load(character, version) as adapter:
            if self._prefill is not None:
                await self._prefill(character, adapter)
            yield adapter

    @asynccontextmanager
    async def _load(self, character: str, version: str | None) -> AsyncIterator[LiveAdapter]:
        """Verify, lease and load a version; the lease keeps it loaded until it is live."""
        if not version:
            yield LiveAdapter()
            return
        manifest = await self._verify(character, version)
        adapter = _live_adapter(manifest)
        with self._pin(character, adapter):
            folder = self._repo.path(character, version)
            await self._engine.load_adapter(adapter.content_hash, folder)
            yield adapter

    async def _verify(self, character: str, version: str) -> Manifest:
        manifest = await asyncio.to_thread(self._repo.verify, character, version)
        if manifest.base_sha256 != self._base_sha256:
            raise AdapterMisfitError(
                f"{character} {version} was trained on base {manifest.base_sha256[:12]}, but "
                f"{self._base_sha256[:12]} is served; retrain it"
            )
        if not self._chat.matches(manifest.chat_format):
            raise AdapterMisfitError(
                f"{character} {version} was trained on prompts of another chat format"
                f" ({manifest.chat_format[:12] or 'ChatML'}, served is {self._chat.sha256[:12]});"
                " retrain it, or set [model] chat_template to the file it was trained with"
            )
        purpose = Purpose.VOICE if words_of(manifest) is None else Purpose.HEAD
        if purpose is not self._purpose:
            raise AdapterMisfitError(
                f"{character} {version} is a {purpose}, not a {self._purpose}; "
                "promote another version"
            )
        return manifest

    def _switch(self, character: str, new: LiveAdapter) -> LiveAdapter:
        old, self._live[character] = self._live[character], new
        self._problems.pop(character, None)
        self._refused.pop(character, None)
        names = (new.version or "base", old.version or "base")
        logger.info("%s: %s %s is live (was %s)", character, self._purpose, *names)
        self._unload_soon(old)
        return old

    @contextmanager
    def _pin(self, character: str, adapter: LiveAdapter) -> Iterator[LiveAdapter]:
        self._leases[character, adapter] += 1
        try:
            yield adapter
        finally:
            self._leases[character, adapter] -= 1
            self._unload_soon(adapter)

    def _report(self, character: str, error: Exception) -> None:
        if self._problems.get(character) != str(error):
            kept = self._live[character].version or "base"
            logger.error("%s: %s %s stays live: %s", character, self._purpose, kept, error)
        self._problems[character] = str(error)

    def _unload_soon(self, adapter: LiveAdapter) -> None:
        if adapter.content_hash and not self._is_needed(adapter):
            task = asyncio.ensure_future(self._unload(adapter))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _unload(self, adapter: LiveAdapter) -> None:
        try:
            if not self._is_needed(adapter):
                await self._engine.unload_adapter(adapter.content_hash)
        except EngineError as error:
            logger.info("adapter %s not unloaded: %s", adapter.version, error)

    def _is_needed(self, adapter: LiveAdapter) -> bool:
        hashes = {live.content_hash for live in self._live.values()}
        hashes |= {leased.content_hash for (_, leased), count in self._leases.items() if count > 0}
        return adapter.content_hash in hashes


def _live_adapter(manifest: Manifest) -> LiveAdapter:
    words = words_of(manifest)
    return LiveAdapter(manifest.version, manifest.content_hash, words.contrast if words else None)
