"""Calls of `npc.v1.Keys`: tokens for players."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC
from typing import Any

import grpc.aio

from npc.v1 import keys_pb2, keys_pb2_grpc
from npc_client.records import PlayerToken


class KeyCalls:
    """Mints tokens."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._keys: Any = keys_pb2_grpc.KeysStub(channel)

    async def mint_token(
        self, player_id: str, characters: Sequence[str] = (), expires_in_s: int = 0
    ) -> PlayerToken:
        """A token for one of the game's players; it takes a key of the role `game`.

        No characters = all; 0 seconds = one hour.
        """
        request = keys_pb2.MintTokenRequest(
            player_id=player_id, characters=characters, expires_in_s=expires_in_s
        )
        answer: keys_pb2.MintTokenResponse = await self._keys.MintToken(request)
        return PlayerToken(answer.token, answer.expires_at.ToDatetime(tzinfo=UTC))
