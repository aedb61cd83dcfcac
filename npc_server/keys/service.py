"""The gRPC handler of npc.v1.Keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import grpc.aio

from npc.v1 import keys_pb2, keys_pb2_grpc
from npc_server.keys.callers import caller
from npc_server.keys.player_tokens import PlayerTokens
from npc_server.limits import MAX_CHARACTERS, check_count, check_id

if TYPE_CHECKING:  # generic in the stubs only
    Context = grpc.aio.ServicerContext[Any, Any]


class KeysService(keys_pb2_grpc.KeysServicer):
    """npc.v1.Keys."""

    def __init__(self, tokens: PlayerTokens) -> None:
        self._tokens = tokens

    async def MintToken(  # noqa: N802 - the contract's name
        self, request: keys_pb2.MintTokenRequest, context: Context
    ) -> keys_pb2.MintTokenResponse:
        player_id = check_id("player_id", request.player_id)
        if request.characters:
            check_count("the number of characters", len(request.characters), MAX_CHARACTERS)
        minted = self._tokens.mint(
            caller.get(), player_id, request.characters, request.expires_in_s
        )
        answer = keys_pb2.MintTokenResponse(token=minted.text)
        answer.expires_at.FromDatetime(minted.expires_at)
        return answer
