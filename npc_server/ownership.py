"""Whether what a request names is its caller's: nobody finds another's sessions, scenes or saves.

What is another's is refused in the very words for what there is not. Feedback may name turns of
sessions that are closed: there the store looks, by the `Reach` that comes with a reaction.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from typing import Any

from feedback_store.privacy.pseudonyms import Pseudonyms
from feedback_store.records import Reach
from feedback_store.records import Session as SessionRecord
from feedback_store.store import Store
from npc_server.action_reports import no_such_turn
from npc_server.errors import ForbiddenError, UnknownCharacterError, UnknownPlayerError
from npc_server.keys.callers import LOCAL, Caller, visible_to
from npc_server.keys.named_ids import Named, NamedId, ids_in
from npc_server.save_games import no_such_checkpoint
from npc_server.scenes.saves import no_such_save
from npc_server.scenes.scenes import Scenes, no_such_scene
from npc_server.sessions import Sessions, no_such_session
from personas.known_names import no_such
from personas.persona import Persona

#: Requests that change a scene for all: no one of several players may make them for the others.
_OF_ALL_PLAYERS = frozenset({"JoinRequest", "LeaveRequest", "EndSceneRequest"})
_OF_SCENES = frozenset({"RestoreSceneRequest"})  # whose token leads to a scene


class Ownership:
    """Looks up whose what is, for one server."""

    def __init__(
        self,
        characters: Mapping[str, Persona],
        sessions: Sessions,
        scenes: Scenes,
        store: Store,
        pseudonyms: Pseudonyms,
    ) -> None:
        self._characters = characters
        self._sessions = sessions
        self._scenes = scenes
        self._store = store
        self._pseudonyms = pseudonyms

    def reach_of(self, caller: Caller) -> Reach | None:
        """What of the store a caller may get at; None = everything, as the developer."""
        if caller is LOCAL:
            return None
        player = caller.player_id and self._pseudonyms.of(caller.player_id, caller.game)
        return Reach(caller.game, player)

    def player_of(self, caller: Caller, request: Any) -> str:
        """The pseudonym of the player whom a call is for; "" = of nobody in particular."""
        named = caller.player_id or getattr(request, "player_id", "")
        if named:
            return self._pseudonyms.of(named, caller.game)
        session = self._sessions.find(getattr(request, "session_id", ""))
        return session.record.player_id if session else ""

    async def require(self, caller: Caller, request: Any) -> None:
        """Raise for the first id in a request that is not the caller's, as if there were none.

        Raises UnknownSessionError, UnknownTurnError, UnknownSceneError, UnknownCheckpointError,
        UnknownPlayerError and UnknownCharacterError, and ForbiddenError.
        """
        reach = self.reach_of(caller)
        if reach is None:
            return
        kind = type(request).__name__
        for one in ids_in(request):
            await self._require(caller, reach, one, kind)
        if reach.player_id and kind in _OF_ALL_PLAYERS:
            scene = self._scenes.find(request.scene_id)
            _require_alone(scene.players if scene else ())

    async def _require(self, caller: Caller, reach: Reach, one: NamedId, kind: str) -> None:
        match one.named:
            case Named.CHECKPOINT if kind in _OF_SCENES:
                await self._require_scene_save(reach, one.value)
            case Named.SESSION:
                self._require_session(reach, one.value)
            case Named.TURN:
                self._require_turn(reach, one.value)
            case Named.SCENE:
                self._require_scene(reach, one.value)
            case Named.CHECKPOINT:
                await self._require_checkpoint(reach, one.value)
            case Named.PLAYER:
                _require_player(caller, one.value)
            case Named.CHARACTER:
                self._require_character(caller, one.value)

    def _require_session(self, reach: Reach, session_id: str) -> None:
        session = self._sessions.find(session_id)
        if session is None or not _covers(reach, session.record):
            raise no_such_session(session_id)

    def _require_turn(self, reach: Reach, turn_id: str) -> None:
        session = self._sessions.of_turn(turn_id)
        if session is None or not _covers(reach, session.record):
            raise no_such_turn(turn_id)

    def _require_scene(self, reach: Reach, scene_id: str) -> None:
        scene = self._scenes.find(scene_id)
        if scene is None or not _is_in(reach, scene.game, scene.players):
            raise no_such_scene(scene_id)

    async def _require_scene_save(self, reach: Reach, token: str) -> None:
        save = await asyncio.to_thread(self._store.scene_save, token)
        players = [player.player_id for player in save.players] if save else []
        if save is None or not _is_in(reach, save.game, players):
            raise no_such_save()
        if reach.player_id:
            _require_alone(players)

    async def _require_checkpoint(self, reach: Reach, token: str) -> None:
        record = await asyncio.to_thread(self._session_of_checkpoint, token)
        if record is None or not _covers(reach, record):
            raise no_such_checkpoint()

    def _session_of_checkpoint(self, token: str) -> SessionRecord | None:
        checkpoint = self._store.checkpoint(token)
        return self._store.session(checkpoint.session_id) if checkpoint else None

    def _require_character(self, caller: Caller, character: str) -> None:
        known: Collection[str] = visible_to(caller, self._characters)
        if caller.characters is not None and character not in known:
            raise UnknownCharacterError(no_such("character", character, known))


def _is_in(reach: Reach, game: str, players: Collection[str]) -> bool:
    return game == reach.game and (not reach.player_id or reach.player_id in players)


def _require_alone(players: Collection[str]) -> None:
    if len(players) > 1:
        raise ForbiddenError("others play in this scene too: only their game may change it")


def _covers(reach: Reach, record: SessionRecord) -> bool:
    return reach.covers(record.game, record.player_id)


def _require_player(caller: Caller, player_id: str) -> None:
    if caller.player_id and player_id != caller.player_id:
        raise UnknownPlayerError("player_id names no player of this token; leave it empty")
