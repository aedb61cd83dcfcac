"""Who gets in: the caller that a call's metadata names and a key proves, in a role that may."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from npc_server.calls import CallContext
from npc_server.errors import UnauthenticatedError
from npc_server.keys.callers import LOCAL, Caller, caller
from npc_server.keys.key_book import KeyBook
from npc_server.keys.permissions import require_permission
from npc_server.keys.player_tokens import PlayerTokens, is_token

METADATA_KEY = "authorization"
_SCHEME = "bearer"


class Gate:
    """Lets calls in."""

    def __init__(
        self, keys: KeyBook, tokens: PlayerTokens, characters: Mapping[str, frozenset[str]]
    ) -> None:
        self._keys = keys
        self._tokens = tokens
        self._characters = characters  # by game; one without knows all

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
        shown = _key_in(metadata.get(METADATA_KEY, ""))
        if is_token(shown):
            found = self._tokens.caller_of(shown)
            self._keys.require_valid(found.key_id)
        else:
            found = await self._keys.caller_of(shown)
        return self._within_game(found)

    def _within_game(self, found: Caller) -> Caller:
        """The caller, who knows no characters but those of their game."""
        of_game = self._characters.get(found.game)
        if of_game is None:
            return found
        own = of_game if found.characters is None else of_game & found.characters
        return replace(found, characters=own)


def _key_in(sent: str | bytes) -> str:
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
