"""The lore of the cast, made ready to be searched, and made ready again when a file has changed.

Shelves belong to a version of a file. One that is not there yet is built beside the event loop: ten
thousand entries take half a second or so, in which other conversations go on.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from weakref import WeakKeyDictionary

from personas.lore.shelf import Embedder, Shelf
from personas.persona import Persona
from personas.world import World

_MOST_OWN = 4096  # shelves of characters; those that nobody spoke to for longest are built again


class Shelves:
    """The shelves of worlds, each shared by its characters, and those of characters."""

    def __init__(self, embedder: Embedder | None = None) -> None:
        """Without an embedder no entry fires by its meaning."""
        self._embedder = embedder
        self._of_world: WeakKeyDictionary[World, Shelf] = WeakKeyDictionary()
        self._own: OrderedDict[str, Shelf] = OrderedDict()  # by version of the persona

    async def shelves_of(self, persona: Persona) -> tuple[Shelf, ...]:
        """What the character may be told of: the lore of its world, then its own."""
        if self._are_built(persona):
            return self.build(persona)
        return await asyncio.to_thread(self.build, persona)

    def build(self, persona: Persona) -> tuple[Shelf, ...]:
        """The same, in the thread of the caller."""
        world = (self.build_world(persona.setting),) if _has_shared_lore(persona) else ()
        return (*world, self._build_own(persona)) if persona.lore.entries else world

    def build_world(self, world: World | None) -> Shelf:
        """The shelf of a world."""
        assert world is not None
        shelf = self._of_world.get(world)
        if shelf is None:
            shelf = Shelf(world.id, world.entries, world.card.language, self._embedder)
            self._of_world[world] = shelf
        return shelf

    def _build_own(self, persona: Persona) -> Shelf:
        shelf = self._own.get(persona.version)
        if shelf is None:
            shelf = Shelf(persona.id, persona.lore.entries, persona.language, self._embedder)
            self._own[persona.version] = shelf
            if len(self._own) > _MOST_OWN:
                self._own.popitem(last=False)
        return shelf

    def _are_built(self, persona: Persona) -> bool:
        world_is = not _has_shared_lore(persona) or persona.setting in self._of_world
        return world_is and (not persona.lore.entries or persona.version in self._own)


def _has_shared_lore(persona: Persona) -> bool:
    return persona.setting is not None and bool(persona.setting.entries)
