"""The open scenes: who comes, who goes, and how they end."""

from __future__ import annotations

import uuid
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from npc_server.cast import cast_member
from npc_server.conversations import Conversations
from npc_server.errors import InvalidRequestError, UnknownSceneError, UnknownSessionError
from npc_server.limits import check_id, check_short_text
from npc_server.scenes.scene import Member, Player, Scene
from npc_server.situations import NOTHING, Reported
from personas.persona import Persona

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
        limit: int = MAX_SCENES,
    ) -> None:
        self._characters = characters
        self._sessions = conversations.sessions
        self._pseudonyms = conversations.pseudonyms
        self._limit = limit
        self._open: OrderedDict[str, Scene] = OrderedDict()

    def __len__(self) -> int:
        return len(self._open)

    def get(self, scene_id: str) -> Scene:
        """An open scene. Raises UnknownSceneError."""
        scene = self._open.get(scene_id)
        if scene is None:
            raise UnknownSceneError(
                f"no open scene {scene_id!r}; it ended with EndScene or a restart: start a new one"
            )
        self._open.move_to_end(scene_id)
        return scene

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
    ) -> Scene:
        """Open a scene. Raises InvalidRequestError and UnknownCharacterError."""
        if not characters or not players:
            raise InvalidRequestError("a scene needs at least one of characters and of players")
        where = check_short_text("place", place, MAX_TOLD_CHARACTERS) if place else ""
        scene = Scene(uuid.uuid4().hex, where.rstrip(". "))
        for character in characters:
            scene.add_character(self._persona(character))
        for player in players:
            self._let_in(scene, player)
        scene.report(world)
        for member in scene.members.values():
            scene.happen(scene.surroundings(member), [member.character])
        self._open[scene.scene_id] = scene
        while len(self._open) > self._limit:
            await self._close(self._open.popitem(last=False)[1])
        return scene

    def join_as_character(self, scene_id: str, character: str) -> Member:
        """Let a character in, where all can see it.

        Raises UnknownSceneError, UnknownCharacterError and InvalidRequestError.
        """
        scene = self.get(scene_id)
        there = list(scene.members)
        member = scene.add_character(self._persona(character))
        scene.happen(f"{member.persona.name} comes in.", there)
        scene.happen(scene.surroundings(member), [member.character])
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
        player = scene.remove_player(player_id)
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
        player_id = check_id("player_id", newcomer.player_id)
        pseudonym = self._pseudonyms.of(player_id)
        return scene.add_player(player_id, pseudonym, newcomer.name, newcomer.consent)
