"""Which adapters are resident, and which one the next step runs under.

Grouped placement: llama.cpp applies adapters to a whole context, so one adapter is set at a time
and a switch rebuilds the compute graph (several ms). The scheduler therefore keeps to one adapter
for a few steps. Adapters are named by content hash; the same hash is never loaded twice.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any, Protocol

from npc_server.engine.errors import UnknownAdapterError
from npc_server.engine.lora_gguf import BaseShape, write_lora_gguf

BASE = ""  # the name of "no adapter"


class AdapterHost(Protocol):
    """The part of the model that adapters are put on."""

    def load_adapter(self, path: Path) -> Any: ...
    def free_adapter(self, handle: Any) -> None: ...
    def set_adapter(self, handle: Any) -> None: ...


class AdapterMux:
    """Resident adapters of one context; one of them, or the bare base, is active."""

    def __init__(self, host: AdapterHost, base: BaseShape) -> None:
        self._host = host
        self._base = base
        self._handles: dict[str, Any] = {}
        self._active = BASE
        self.switches = 0

    @property
    def resident(self) -> tuple[str, ...]:
        """Content hashes of the loaded adapters."""
        return tuple(self._handles)

    def ensure_loaded(self, content_hash: str, folder: Path) -> None:
        """Load the PEFT adapter unless it is resident. Raises AdapterRejectedError."""
        if content_hash in self._handles:
            return
        with tempfile.TemporaryDirectory(prefix="npc-adapter-") as scratch:
            path = Path(scratch) / "adapter.gguf"
            write_lora_gguf(folder, self._base, path)
            self._handles[content_hash] = self._host.load_adapter(path)

    def require(self, content_hash: str) -> None:
        """Raise UnknownAdapterError unless this adapter (or the base) can be activated."""
        if content_hash != BASE and content_hash not in self._handles:
            raise UnknownAdapterError(f"adapter {content_hash[:12]} is not loaded")

    def unload(self, content_hash: str) -> None:
        """Free an adapter; unknown hashes are ignored."""
        if content_hash == self._active:
            self.activate(BASE)
        handle = self._handles.pop(content_hash, None)
        if handle is not None:
            self._host.free_adapter(handle)

    def activate(self, content_hash: str) -> None:
        """Run the following steps under this adapter. Raises UnknownAdapterError."""
        if content_hash == self._active:
            return
        self.require(content_hash)
        self._host.set_adapter(self._handles.get(content_hash))
        self._active = content_hash
        self.switches += 1
