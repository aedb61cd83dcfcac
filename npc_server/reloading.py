"""Saved persona files become the cast, while it plays.

Files are read when they have been quiet for a moment, since an editor may write one in two steps,
put another in its place, or save three after one another. What is in order is served from the next
turn on, running turns end as they began. What is not keeps the last good version, and is told in
the log and by `Cast.standings`; it is looked at again a little later before, because most of what
looks broken is being written.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Sequence

from npc_server.admission import Admission
from npc_server.cast_watch import wakes
from npc_server.config import ReloadSection, Watch
from npc_server.live_cast import Cast, CastFolder
from personas.cast_stamps import Stamp, changed_names, stamps
from personas.errors import PersonaError
from personas.persona import Persona
from personas.persona_files import Reading, in_their_worlds, read_folders

logger = logging.getLogger(__name__)

#: How long files that look broken, or gone, must stay so to be taken for it.
PATIENCE_S = 0.3


class Reloading:
    """Follows the files of a cast."""

    def __init__(self, cast: Cast, folder: CastFolder, admission: Admission) -> None:
        self._cast = cast
        self._folder = folder
        self._admission = admission

    async def run(self, section: ReloadSection) -> None:
        """Follow until cancelled."""
        if section.watch is Watch.OFF:
            return
        await self._try_to_catch_up()  # with what was saved while the server started
        async for _ in wakes((self._folder.root, self._folder.worlds.root), section):
            await self._try_to_catch_up()

    async def _try_to_catch_up(self) -> None:
        try:
            await self.catch_up()
        except Exception:  # the edge of a task: whatever it was, the next save is looked at
            logger.exception("the cast stays as it is until it is looked at again")

    async def catch_up(self) -> None:
        """Serve what is on disk now."""
        doubtful: dict[str, Stamp | None] = {}
        while True:
            now = await self._look()
            if now is None:
                return
            changed = changed_names(self._folder.seen, now)
            gone = self._folder.seen.keys() - now.keys()
            if not changed and not gone:
                return
            readings = await asyncio.to_thread(self._read, changed)
            if await self._look() != now:  # saved meanwhile
                await asyncio.sleep(PATIENCE_S)
                continue
            await self._take(readings, now)
            unsure: dict[str, Stamp | None] = {
                **dict.fromkeys(gone),
                **{one.name: now[one.name] for one in readings if one.persona is None},
            }
            if unsure and unsure != doubtful:
                doubtful = unsure
                await asyncio.sleep(PATIENCE_S)
                continue
            self._refuse(readings, now)
            self._withdraw(gone)

    async def _look(self) -> dict[str, Stamp] | None:
        """The stamps of all characters; None = the folder cannot be read, or holds none."""
        try:
            now = await asyncio.to_thread(stamps, self._folder.root, self._folder.worlds)
        except PersonaError as error:
            if self._cast.folder_problem != str(error):
                logger.error("%s; the cast stays as it is", error)
            self._cast.folder_problem = str(error)
            return None
        self._cast.folder_problem = ""
        return now

    def _read(self, names: Sequence[str]) -> list[Reading]:
        root, worlds = self._folder.root, self._folder.worlds
        readings = read_folders([root / name for name in names], root)
        return in_their_worlds(readings, worlds)

    async def _take(self, readings: Iterable[Reading], now: dict[str, Stamp]) -> None:
        """Serve what is in order."""
        good: list[Persona] = []
        for reading in readings:
            if (persona := reading.persona) is None:
                continue
            self._folder.seen[reading.name] = now[reading.name]
            if fault := self._admission.fault(persona):
                self._report(persona.id, [fault])
                continue
            await self._admission.prepare(persona)
            await asyncio.sleep(0)  # others have their turns between two of thousands
            good.append(persona)
        before = {one.id: self._cast[one.id].version for one in good if one.id in self._cast}
        new = self._cast.serve(good)
        for one in new:
            logger.info("%s: persona %s is served (was %s)", *_change(one, before.get(one.id)))
        self._admission.welcome(new)

    def _refuse(self, readings: Iterable[Reading], now: dict[str, Stamp]) -> None:
        for reading in readings:
            if reading.persona is None:
                self._folder.seen[reading.name] = now[reading.name]
                self._report(reading.name, map(str, reading.problems))

    def _report(self, name: str, problems: Iterable[str]) -> None:
        self._cast.refuse(name, problems)
        standing = self._cast.standing(name)
        kept = f"persona {standing.version} stays" if standing.version else "it is not served"
        logger.error("%s: %s: %s", name, kept, "; ".join(standing.problems))

    def _withdraw(self, names: Iterable[str]) -> None:
        for name in list(names):
            self._folder.seen.pop(name)
            logger.info("%s left the cast; conversations with it go on", name)
            self._cast.withdraw([name])


def _change(persona: Persona, before: str | None) -> tuple[str, str, str]:
    return persona.id, persona.version, before or "not there"
