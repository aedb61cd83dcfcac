"""Calls of `npc.v1.Adapters`: which versions there are and live, and how the engine does."""

from __future__ import annotations

from typing import Any

import grpc.aio

from npc.v1 import adapters_pb2, adapters_pb2_grpc


class AdapterCalls:
    """Works with adapter versions as operators do."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._adapters: Any = adapters_pb2_grpc.AdaptersStub(channel)

    async def adapters(self, character: str = "") -> list[adapters_pb2.CharacterAdapters]:
        """Adapter versions of one character, or of all."""
        answer = await self._adapters.List(adapters_pb2.ListAdaptersRequest(character=character))
        return list(answer.characters)

    async def promote(self, character: str, version: str) -> adapters_pb2.PromoteResponse:
        """Make a version live."""
        request = adapters_pb2.PromoteRequest(character=character, version=version)
        answer: adapters_pb2.PromoteResponse = await self._adapters.Promote(request)
        return answer

    async def rollback(self, character: str) -> adapters_pb2.RollbackResponse:
        """Make the version live again that was live before."""
        request = adapters_pb2.RollbackRequest(character=character)
        answer: adapters_pb2.RollbackResponse = await self._adapters.Rollback(request)
        return answer

    async def stats(self) -> adapters_pb2.StatsResponse:
        """The engine's state and its counters."""
        answer: adapters_pb2.StatsResponse = await self._adapters.Stats(adapters_pb2.StatsRequest())
        return answer
