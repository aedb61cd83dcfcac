"""Save games of scenes: points that a game can go back to, also after a restart.

As in a dialogue, a save is a row of the store, named by an unguessable token, and going back
rebuilds the scene from stored turns. What was said since stays recorded, marked as not lived
through.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from weakref import WeakValueDictionary

from feedback_store.errors import UnknownCheckpointError
from feedback_store.scene_records import SceneSave
from feedback_store.store import Store
from npc_server.errors import SessionBusyError
from npc_server.recorder import Recorder
from npc_server.save_games import SETTLE_S
from npc_server.scenes.limits import SceneLimits
from npc_server.scenes.restaging import Stored, save_of, scene_of
from npc_server.scenes.scene import Scene
from npc_server.scenes.scenes import Scenes
from personas.persona import Persona


class SceneSaves:
    """Makes saves of scenes and goes back to them."""

    def __init__(
        self,
        characters: Mapping[str, Persona],
        scenes: Scenes,
        store: Store,
        recorder: Recorder,
        limits: SceneLimits,
    ) -> None:
        self._characters = characters
        self._scenes = scenes
        self._store = store
        self._recorder = recorder
        self._limits = limits
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()  # by scene

    async def checkpoint(self, scene_id: str) -> SceneSave:
        """Store a save of an open scene, after all the turns that it names.

        Raises UnknownSceneError, SessionBusyError while something is being said, and
        StoreUnavailableError.
        """
        scene = await self._scenes.get_clean(scene_id)
        await _settle(scene)
        with _quiet(scene):
            save = save_of(scene)
        await self._recorder.flush(SETTLE_S)
        await asyncio.wrap_future(self._store.record_scene_save(save))
        return save

    async def restore(self, token: str) -> Scene:
        """Go back to a save; its scene is open afterwards, and what was being said is over.

        Raises UnknownCheckpointError, UnknownCharacterError, SessionBusyError and
        StoreUnavailableError.
        """
        save = await self._read(token)
        lock = self._locks.setdefault(save.scene_id, asyncio.Lock())
        async with lock:
            there = self._scenes.find(save.scene_id)
            if there is not None:
                await there.interrupt()
                await _settle(there)
            with _quiet(there):
                return await self._go_back(save)

    async def _go_back(self, save: SceneSave) -> Scene:
        # A turn that is stored after the marking would count as lived through.
        await self._recorder.flush(SETTLE_S)
        stored = await asyncio.to_thread(self._read_stored, save)
        scene = scene_of(save, stored, self._characters, self._limits)
        await asyncio.wrap_future(self._store.roll_back_scene(save.token))
        await self._scenes.open(scene)
        return scene

    async def _read(self, token: str) -> SceneSave:
        save = await asyncio.to_thread(self._store.scene_save, token)
        if save is None:
            raise no_such_save()
        return save

    def _read_stored(self, save: SceneSave) -> Stored:
        found = self._store.scene_sessions(save.scene_id)
        ids = [one.session_id for one in found]
        turns = (turn for id_ in ids for turn in self._store.turns_of(id_))
        reports = [report for id_ in ids for report in self._store.action_reports(id_)]
        by_id = {one.session_id: one for one in found}
        return Stored(by_id, {one.turn_id: one for one in turns}, reports)


def no_such_save() -> UnknownCheckpointError:
    """The error about a token that leads to no scene."""
    return UnknownCheckpointError(
        "no save game of a scene has this token: it was never issued, or its turns are"
        " deleted, as they are when they get old or all players of it were forgotten"
    )


async def _settle(scene: Scene) -> None:
    """Wait until all that was said is recorded, if nothing more is being said."""
    await scene.settle()
    for session in scene.sessions:
        await session.settle_all()


@contextmanager
def _quiet(scene: Scene | None) -> Iterator[None]:
    """Hold a scene's sessions. Raises SessionBusyError while something is being said."""
    if scene is not None and scene.busy:
        raise SessionBusyError("something is being said in the scene; wait for it or cancel it")
    with ExitStack() as claims:
        for session in scene.sessions if scene else ():
            claims.enter_context(session.claim_turn())
        yield
