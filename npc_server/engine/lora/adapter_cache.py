"""Adapters in host memory: parsed, checked, ready to be copied into a slot.

Adapters are named by content hash and known from the folder they were loaded from. The least
recently used ones give up their memory when there are too many; they are read again when needed.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

from npc_server.engine.errors import AdapterRejectedError, UnknownAdapterError
from npc_server.engine.lora.half_lora import HalfLora, half_lora
from npc_server.engine.lora.lora_gguf import BaseShape, read_peft
from npc_server.engine.lora.slots import Lora
from npc_server.engine.lora.voice import BASE


class AdapterCache:
    """Known adapters of one base, of at most `max_rank`, in at most `limit_bytes` of memory."""

    def __init__(
        self,
        base: BaseShape,
        max_rank: int,
        limit_bytes: int,
        form_of: Callable[[HalfLora], Lora],  # the form in which they are loaded
    ) -> None:
        self._base = base
        self._form_of = form_of
        self._max_rank = max_rank
        self._limit_bytes = limit_bytes
        self._folders: dict[str, Path] = {}
        self._loras: OrderedDict[str, Lora] = OrderedDict()  # least recently used first

    @property
    def resident(self) -> tuple[str, ...]:
        """Content hashes of the adapters in memory."""
        return tuple(self._loras)

    @property
    def bytes(self) -> int:
        """Memory in use."""
        return sum(lora.bytes for lora in self._loras.values())

    def ensure(self, content_hash: str, folder: Path) -> None:
        """Read and check an adapter unless it is known. Raises AdapterRejectedError."""
        if content_hash not in self._folders:
            self.keep(content_hash, folder, self.read(folder))

    def knows(self, content_hash: str) -> bool:
        """Whether an adapter can be used."""
        return content_hash == BASE or content_hash in self._folders

    def read(self, folder: Path) -> Lora:
        """Read and check an adapter, on any thread. Raises AdapterRejectedError."""
        try:
            return self._form_of(half_lora(read_peft(folder, self._base, self._max_rank)))
        except OverflowError as error:
            raise AdapterRejectedError(f"{folder}: {error}") from error

    def keep(self, content_hash: str, folder: Path, lora: Lora) -> None:
        """Make an adapter usable that `read` has returned."""
        self._folders[content_hash] = folder
        self._keep(content_hash, lora)

    def require(self, content_hash: str) -> None:
        """Raise UnknownAdapterError unless this adapter, or the base, can be used."""
        if not self.knows(content_hash):
            raise UnknownAdapterError(f"adapter {content_hash[:12]} is not loaded")

    def folder(self, content_hash: str) -> Path:
        """Where an adapter was loaded from. Raises UnknownAdapterError."""
        self.require(content_hash)
        return self._folders[content_hash]

    def get(self, content_hash: str) -> Lora:
        """An adapter, read again if dropped. Raises UnknownAdapterError, AdapterRejectedError."""
        if content_hash not in self._loras:
            self._keep(content_hash, self.read(self.folder(content_hash)))
        self._loras.move_to_end(content_hash)
        return self._loras[content_hash]

    def forget(self, content_hash: str) -> None:
        """Drop an adapter; unknown hashes are ignored."""
        self._folders.pop(content_hash, None)
        self._loras.pop(content_hash, None)

    def _keep(self, content_hash: str, lora: Lora) -> None:
        self._loras[content_hash] = lora
        while self.bytes > self._limit_bytes and len(self._loras) > 1:
            self._loras.popitem(last=False)
