"""A scripted engine that says what it was told to, for tests of everything above it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from pathlib import Path

from npc_server.engine.errors import AdapterRejectedError, UnknownAdapterError
from npc_server.engine.protocol import Delta, Finish, FinishReason, ModelInfo, Request, Stats

Script = Callable[[Request], str]


class FakeEngine:
    """An `Engine` without a model.

    `script` makes the reply of a request. While `gate` is cleared, replies halt after their first
    word, so that a test can act in the middle of one.
    """

    def __init__(self, script: Script = lambda request: f"reply {request.sampling.seed}") -> None:
        self._script = script
        self.requests: list[Request] = []
        self.adapters: dict[str, Path] = {}
        self.running = 0
        self.gate = asyncio.Event()
        self.gate.set()
        self.died = asyncio.Event()

    @property
    def info(self) -> ModelInfo:
        """A small model that does not exist."""
        return ModelInfo("fake", "scripted replies", context_tokens=1024, sequences=8)

    async def start(self) -> None:
        """Nothing to load."""

    async def generate(self, request: Request) -> AsyncGenerator[Delta | Finish]:
        """Stream the scripted reply word by word."""
        if request.adapter and request.adapter not in self.adapters:
            raise UnknownAdapterError(f"adapter {request.adapter[:12]} is not loaded")
        self.requests.append(request)
        self.running += 1
        try:
            text = self._script(request)
            for i, word in enumerate(text.split(" ")):
                yield Delta(word if i == 0 else f" {word}")
                await self.gate.wait()
            yield _finish(request, text)
        finally:
            self.running -= 1

    async def load_adapter(self, content_hash: str, folder: Path) -> None:
        """Remember the folder; it must hold an adapter file, as a real one must."""
        if not (folder / "adapter_model.safetensors").is_file():
            raise AdapterRejectedError(f"{folder} holds no adapter")
        self.adapters[content_hash] = folder

    async def unload_adapter(self, content_hash: str) -> None:
        """Forget it."""
        self.adapters.pop(content_hash, None)

    async def stats(self) -> Stats:
        """Counters that a script can have."""
        return Stats(self.running, 0, 8 - self.running, tuple(self.adapters), 0, 0, 0, 0, 0)

    async def close(self) -> None:
        """Nothing to end."""
        self.died.set()


def _finish(request: Request, text: str) -> Finish:
    tokens = tuple(range(len(text.split())))
    return Finish(text, tokens, FinishReason.STOP, -1.0, len(request.prompt_ids), 0, 0.0, 1.0, 2.0)
