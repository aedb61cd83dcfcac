"""Adapters in host memory: parsed, checked, ready to be copied into a slot.

Adapters are named by content hash and known from the folder they were loaded from. The least
recently used ones give up their memory when there are too many; they are read again when needed.
"""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path

import numpy as np

from npc_server.engine.errors import AdapterRejectedError, UnknownAdapterError
from npc_server.engine.lora.lora_gguf import BaseShape, LoraFile, read_peft
from npc_server.engine.lora.slots import PackedLora
from npc_server.engine.lora.voice import BASE


class AdapterCache:
    """Known adapters of one base, of at most `max_rank`, in at most `limit_bytes` of memory."""

    def __init__(self, base: BaseShape, max_rank: int, limit_bytes: int) -> None:
        self._base = base
        self._max_rank = max_rank
        self._limit_bytes = limit_bytes
        self._folders: dict[str, Path] = {}
        self._packed: OrderedDict[str, PackedLora] = OrderedDict()  # least recently used first

    @property
    def resident(self) -> tuple[str, ...]:
        """Content hashes of the adapters in memory."""
        return tuple(self._packed)

    @property
    def bytes(self) -> int:
        """Memory in use."""
        return sum(lora.bytes for lora in self._packed.values())

    def ensure(self, content_hash: str, folder: Path) -> None:
        """Read and check an adapter unless it is known. Raises AdapterRejectedError."""
        if content_hash not in self._folders:
            self.keep(content_hash, folder, self.read(folder))

    def knows(self, content_hash: str) -> bool:
        """Whether an adapter can be used."""
        return content_hash == BASE or content_hash in self._folders

    def read(self, folder: Path) -> PackedLora:
        """Read and check an adapter, on any thread. Raises AdapterRejectedError."""
        try:
            return pack(read_peft(folder, self._base, self._max_rank))
        except OverflowError as error:
            raise AdapterRejectedError(f"{folder}: {error}") from error

    def keep(self, content_hash: str, folder: Path, lora: PackedLora) -> None:
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

    def get(self, content_hash: str) -> PackedLora:
        """An adapter, read again if dropped. Raises UnknownAdapterError, AdapterRejectedError."""
        if content_hash not in self._packed:
            self._keep(content_hash, self.read(self.folder(content_hash)))
        self._packed.move_to_end(content_hash)
        return self._packed[content_hash]

    def forget(self, content_hash: str) -> None:
        """Drop an adapter; unknown hashes are ignored."""
        self._folders.pop(content_hash, None)
        self._packed.pop(content_hash, None)

    def _keep(self, content_hash: str, lora: PackedLora) -> None:
        self._packed[content_hash] = lora
        while self.bytes > self._limit_bytes and len(self._packed) > 1:
            self._packed.popitem(last=False)


def pack(lora: LoraFile) -> PackedLora:
    """Tensors in 16 bits with the scale folded into B. Raises OverflowError."""
    names = [name.removesuffix(".lora_a") for name in lora.tensors if name.endswith(".lora_a")]
    with np.errstate(over="ignore"):
        a = {name: lora.tensors[f"{name}.lora_a"].astype(np.float16) for name in names}
        scaled = {name: lora.tensors[f"{name}.lora_b"].T * np.float32(lora.scale) for name in names}
        b = {name: tensor.astype(np.float16, order="C") for name, tensor in scaled.items()}
    if not all(np.isfinite(tensor).all() for tensor in b.values()):
        raise OverflowError(f"scaled by {lora.scale:g}, the adapter exceeds 16-bit floats")
    return PackedLora(a, b, lora.rank)
