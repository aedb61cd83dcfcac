"""The open scenes: who comes, who goes, and how they end."""

from __future__ import annotations

import asyncio
import uuid
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from feedback_store.records import DEFAULT_GAME
from npc_server.cast import cast_member
from npc_server.conversations import Conversations
from npc_server.errors import InvalidRequestError, UnknownSceneError, UnknownSessionError
from npc_server.limits import check_id, check_short_text
from npc_server.scenes.limits import SCENE_LIMITS, SceneLimits
from npc_server.scenes.scene import Member, Player, Scene
from npc_server.situations import NOTHING, Reported
from personas.persona import Persona

#: Which of these sessions are of players who were forgotten. Reads the disk.
Forgotten = Callable[[Sequence[str]], Sequence[str]]

MAX_SCENES = 1_000
MAX_TOLD_CHARACTERS = 300  # of a place, or of something that happens


@dataclass(frozen=True)
class Newcomer:
    """A player who comes into a scene."""

    player_id: str
    name: str = ""  # "" = as strangers are called
    consent: bool = False


class Scenes:
    """At most `limit` scenes; a new one replaces the one that is idle for longest."""

    def __init__(
        self,
        characters: Mapping[str, Persona],
        conversations: Conversations,
        forgotten: Forgotten,
        limits: SceneLimits = SCENE_LIMITS,
        limit: int = MAX_SCENES,
    ) -> None:
        self._characters = characters
        self._sessions = conversations.sessions
        self._pseudonyms = conversations.pseudonyms
        self._forgotten = forgotten
        self._limits = limits
        self._limit = limit
        self._open: OrderedDict[str, Scene] = OrderedDict()

    def __len__(self) -> int:
        return len(self._open)

    def get(self, scene_id: str) -> Scene:
        """An open scene. Raises UnknownSceneError."""
        scene = self._open.get(scene_id)
        if scene is None:
            raise no_such_scene(scene_id)
        self._open.move_to_end(scene_id)
        return scene

    def find(self, scene_id: str) -> Scene | None:
        """An open scene, or None."""
        return self._open.get(scene_id)

    async def get_clean(self, scene_id: str) -> Scene:
        """An open scene, rid of players who were forgotten. Raises UnknownSceneError."""
        scene = self.get(scene_id)
        sessions = {session.session_id: session for session in scene.sessions}
        gone = await asyncio.to_thread(self._forgotten, list(sessions)) if sessions else ()
        for pseudonym in {sessions[one].record.player_id for one in gone}:
            scene.forget(pseudonym)
        if not scene.players:
            await self.end(scene_id)
        self.require_open(scene)
        return scene

    def require_open(self, scene: Scene) -> None:
        """Raises UnknownSceneError for a scene that has ended, or has gone back to a save."""
        if self.get(scene.scene_id) is not scene:
            raise UnknownSceneError(
                f"scene {scene.scene_id} has gone back to a save game meanwhile; speak again"
            )

    async def interrupt(self, scene: Scene) -> None:
        """End what is being said in a scene. Raises UnknownSceneError, if the scene ends too."""
        await scene.interrupt()
        self.require_open(scene)

    def pseudonym_of(self, scene: Scene, player_id: str) -> str:
        """What a player of a scene is known by; "" stays so. Raises InvalidRequestError."""
        if not player_id:
            return ""
        return self._pseudonyms.of(check_id("player_id", player_id), scene.game)

    def update_cast(self, scene: Scene) -> None:
        """Let characters be as their files are now; who has left the cast stays as they were."""
        for member in scene.members.values():
            member.persona = self._characters.get(member.character, member.persona)

    async def start(
        self,
        characters: Sequence[str],
        players: Sequence[Newcomer],
        place: str = "",
        world: Reported = NOTHING,
        game: str = DEFAULT_GAME,
    ) -> Scene:
        """Open a scene of a game. Raises InvalidRequestError and UnknownCharacterError."""
        if not characters or not players:
            raise InvalidRequestError("a scene needs at least one of characters and of players")
        where = check_short_text("place", place, MAX_TOLD_CHARACTERS) if place else ""
        scene = Scene(uuid.uuid4().hex, where.rstrip(". "), limits=self._limits, game=game)
        for character in characters:
            scene.add_character(self._persona(character))
        for player in players:
            self._let_in(scene, player)
        scene.report(world)
        for member in scene.members.values():
            scene.set_before(member)
        await self.open(scene)
        return scene

    async def open(self, scene: Scene) -> None:
        """Open a scene that is made, in place of one with the same id."""
        if there := self._open.pop(scene.scene_id, None):
            await self._close(there)
        self._open[scene.scene_id] = scene
        for session in scene.sessions:
            self._sessions.add(session)
        while len(self._open) > self._limit:
            await self._close(self._open.popitem(last=False)[1])

    def join_as_character(self, scene_id: str, character: str) -> Member:
        """Let a character in, where all can see it.

        Raises UnknownSceneError, UnknownCharacterError and InvalidRequestError.
        """
        scene = self.get(scene_id)
        there = list(scene.members)
        member = scene.add_character(self._persona(character))
        scene.happen(f"{member.persona.name} comes in.", there)
        scene.set_before(member)
        return member

    def join_as_player(self, scene_id: str, newcomer: Newcomer) -> Scene:
        """Let a player in, where all can see it. Raises UnknownSceneError, InvalidRequestError."""
        scene = self.get(scene_id)
        player = self._let_in(scene, newcomer)
        scene.happen(f"{player.name} comes in.", scene.members)
        return scene

    async def leave_as_character(self, scene_id: str, character: str) -> None:
        """Let a character go; if it is speaking, what is being said is interrupted.

        Raises UnknownSceneError, UnknownMemberError and InvalidRequestError.
        """
        scene = self.get(scene_id)
        member = scene.remove_character(character)
        if character in scene.speaking:
            await scene.interrupt()
        scene.happen(f"{member.persona.name} leaves.", scene.members)

    def leave_as_player(self, scene_id: str, player_id: str) -> None:
        """Let a player go. Raises UnknownSceneError, UnknownMemberError, InvalidRequestError."""
        scene = self.get(scene_id)
        player = scene.remove_player(self.pseudonym_of(scene, player_id))
        scene.happen(f"{player.name} leaves.", scene.members)

    async def end(self, scene_id: str) -> Scene:
        """Close a scene. Raises UnknownSceneError."""
        scene = self.get(scene_id)
        del self._open[scene_id]
        await self._close(scene)
        return scene

    async def _close(self, scene: Scene) -> None:
        await scene.interrupt()
        for session in scene.sessions:
            with suppress(UnknownSessionError):
                self._sessions.end(session.session_id)

    def _persona(self, character: str) -> Persona:
        return cast_member(self._characters, "characters", character)

    def _let_in(self, scene: Scene, newcomer: Newcomer) -> Player:
        pseudonym = self._pseudonyms.of(check_id("player_id", newcomer.player_id), scene.game)
        return scene.add_player(pseudonym, newcomer.name, newcomer.consent)


def no_such_scene(scene_id: str) -> UnknownSceneError:
    """The error about a scene that is not open."""
    return UnknownSceneError(
        f"no open scene {scene_id!r}; it ended with EndScene or a restart: start a new one,"
        " or restore a save game of this one"
    )
