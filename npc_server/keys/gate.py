"""Who gets in: the caller that a call's metadata names and a key proves, in a role that may."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from npc_server.calls import CallContext
from npc_server.config import GameSection
from npc_server.errors import UnauthenticatedError
from npc_server.keys.callers import LOCAL, Caller, caller
from npc_server.keys.key_book import KeyBook
from npc_server.keys.permissions import require_permission

METADATA_KEY = "authorization"
_SCHEME = "bearer"


class Gate:
    """Lets calls in."""

    def __init__(self, keys: KeyBook, games: Mapping[str, GameSection]) -> None:
        self._keys = keys
        self._games = games

    async def admit(self, context: CallContext) -> None:
        """Note who makes the call for its length.

        Raises UnauthenticatedError, ForbiddenError and QuotaError.
        """
        calls = await self._caller_of(context.metadata)
        caller.set(calls)
        require_permission(calls, context.method)

    async def _caller_of(self, metadata: Mapping[str, str | bytes]) -> Caller:
        if not self._keys.has_keys():
            return LOCAL
        found = await self._keys.caller_of(_shown(metadata.get(METADATA_KEY, "")))
        return replace(found, characters=self._characters_of(found.game))

    def _characters_of(self, game: str) -> frozenset[str] | None:
        section = self._games.get(game)
        return frozenset(section.characters) if section else None


def _shown(sent: str | bytes) -> str:
    """The key or token that was sent. Raises UnauthenticatedError."""
    if not sent or not isinstance(sent, str):
        raise UnauthenticatedError(
            "this server wants a key: send `authorization: Bearer KEY` with one that `npc keys new`"
            " made; the commands of npc take --key, or NPC_KEY"
        )
    scheme, _, key = sent.partition(" ")
    if scheme.lower() != _SCHEME:
        raise UnauthenticatedError("`authorization` must be `Bearer` and a key or token")
    return key.strip()
