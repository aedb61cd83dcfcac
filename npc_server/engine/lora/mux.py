"""Which adapter each sequence speaks under, and how a decode runs under it.

Two ways, one protocol. `MixedMux` copies an adapter into the slot of its sequence when a turn
starts there, and routes every row to its slot. `GroupedMux` sets one adapter on the whole context,
as llama.cpp intends it: a decode then holds rows of one adapter only, and a switch rebuilds the
graph.
"""

from __future__ import annotations

import tempfile
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from npc_server.engine.errors import DecodeError
from npc_server.engine.llama import Llama
from npc_server.engine.lora.adapter_cache import AdapterCache
from npc_server.engine.lora.lora_gguf import BaseShape, write_lora_gguf
from npc_server.engine.lora.mixing import Mixer
from npc_server.engine.lora.products import Tile
from npc_server.engine.lora.slots import Slots
from npc_server.engine.lora.voice import BASE, Voice
from npc_server.engine.protocol import Batching

#: Adapters that grouped batching keeps loaded in llama.cpp.
LOADED_ADAPTERS = 16


class AdapterMux(Protocol):
    """Puts rows under the adapters of their sequences."""

    batching: Batching

    def assign(self, sequence: int, voice: Voice) -> bool:
        """Let a sequence speak under an adapter; returns whether it lay there already.

        Raises UnknownAdapterError, AdapterRejectedError.
        """
        ...

    def move(self, source: int, target: int) -> None:
        """Let the turn in `source` go on in `target`."""
        ...

    def route(self, sequences: Sequence[int], tokens: int) -> None:
        """Prepare the next decode: `tokens` rows of each of these sequences, in this order."""
        ...

    def check(self) -> None:
        """Raise DecodeError if the decode just made did not run as routed."""
        ...

    def forget(self, adapter: str) -> None:
        """Drop an adapter that nothing speaks under any more."""
        ...


class MixedMux:
    """One adapter per row. Sequences of one decode must be neighbours, in ascending order."""

    batching = Batching.MIXED

    def __init__(self, llama: Llama, mixer: Mixer, arena: Slots, cache: AdapterCache) -> None:
        self._llama = llama
        self._mixer = mixer
        self._arena = arena
        self._cache = cache
        self._voices: list[Voice] = [Voice()] * arena.slots  # slots start as zeros: the base

    def assign(self, sequence: int, voice: Voice) -> bool:
        """Copy the adapter into the sequence's slot unless it is there."""
        if self._voices[sequence] == voice:
            return True
        if voice.adapter == BASE:
            self._arena.clear(sequence)
        else:
            self._arena.load(sequence, self._cache.get(voice.adapter), voice.scale)
        self._voices[sequence] = voice
        return False

    def move(self, source: int, target: int) -> None:
        """Copy the slot along with the turn."""
        if self._voices[target] != self._voices[source]:
            self._arena.copy(source, target)
            self._voices[target] = self._voices[source]

    def route(self, sequences: Sequence[int], tokens: int) -> None:
        """Point the graph at the slots of these sequences."""
        first, count = sequences[0], len(sequences)
        if list(sequences) != list(range(first, first + count)):
            raise DecodeError(f"sequences {sequences} of one step are not neighbours")
        uniform = len({self._voices[sequence] for sequence in sequences}) == 1
        self._mixer.route(self._llama.context, Tile(first, count, tokens, uniform))

    def check(self) -> None:
        """Raise what happened inside the graph callback."""
        try:
            self._mixer.check()
        except DecodeError:
            self._llama.drop_graph()
            raise

    def forget(self, adapter: str) -> None:
        """Free the adapter's memory; slots that still hold it are overwritten when needed."""
        self._cache.forget(adapter)


class GroupedMux:
    """One adapter per decode: the fallback that any model and build can run."""

    batching = Batching.GROUPED

    def __init__(self, llama: Llama, base: BaseShape, cache: AdapterCache) -> None:
        self._llama = llama
        self._base = base
        self._cache = cache
        self._handles: OrderedDict[str, Any] = OrderedDict()  # least recently used first
        self._voices: dict[int, Voice] = {}
        self._active = Voice()

    def assign(self, sequence: int, voice: Voice) -> bool:
        """Load the adapter into llama.cpp unless it is there."""
        loaded = voice.adapter == BASE or voice.adapter in self._handles
        if not loaded:
            self._handles[voice.adapter] = self._load(self._cache.folder(voice.adapter))
        self._voices[sequence] = voice
        self._unload_surplus()
        return loaded

    def move(self, source: int, target: int) -> None:
        """Let `target` speak under the adapter of `source`."""
        self._voices[target] = self._voices[source]

    def route(self, sequences: Sequence[int], tokens: int) -> None:
        """Set the one adapter of these sequences on the context."""
        voices = {self._voices[sequence] for sequence in sequences}
        if len(voices) != 1:
            raise DecodeError(f"{len(voices)} adapters in one step of grouped batching")
        (voice,) = voices
        if voice != self._active:
            self._llama.set_adapter(self._handles.get(voice.adapter), voice.scale)
            self._active = voice

    def check(self) -> None:
        """Check nothing: the calls themselves report what fails."""

    def forget(self, adapter: str) -> None:
        """Unload an adapter."""
        self._cache.forget(adapter)
        self._unload(adapter)

    def _load(self, folder: Path) -> Any:
        with tempfile.TemporaryDirectory(prefix="npc-adapter-") as scratch:
            path = Path(scratch) / "adapter.gguf"
            write_lora_gguf(folder, self._base, path)
            return self._llama.load_adapter(path)

    def _unload_surplus(self) -> None:
        used = {voice.adapter for voice in self._voices.values()}
        surplus = [adapter for adapter in self._handles if adapter not in used]
        for adapter in surplus[: max(0, len(self._handles) - LOADED_ADAPTERS)]:
            self._unload(adapter)

    def _unload(self, adapter: str) -> None:
        handle = self._handles.pop(adapter, None)
        if handle is None:
            return
        if self._active.adapter == adapter:
            self._llama.set_adapter(None)
            self._active = Voice()
        self._llama.free_adapter(handle)
