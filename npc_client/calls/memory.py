"""Calls of `npc.v1.Memory`: what a character remembers of a player."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import grpc.aio

from npc.v1 import memory_pb2, memory_pb2_grpc
from npc_client.records import Remembered, RememberedFact, RememberedTalk


class MemoryCalls:
    """Looks into memories, and clears them."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._memory: Any = memory_pb2_grpc.MemoryStub(channel)

    async def memory(self, session_id: str) -> Remembered:
        """What the character remembers of the session's player."""
        answer = await self._memory.List(memory_pb2.ListMemoryRequest(session_id=session_id))
        facts = (
            RememberedFact(
                one.id,
                one.text,
                one.topic,
                tuple(one.turn_ids),
                one.overheard,
                tuple(one.replaced),
            )
            for one in answer.facts
        )
        talks = (RememberedTalk(one.id, one.text, tuple(one.turn_ids)) for one in answer.summaries)
        return Remembered(answer.player_name, tuple(facts), tuple(talks))

    async def forget(self, session_id: str, ids: Sequence[str] = ()) -> int:
        """Have the character forget facts and summaries by their ids, or all; returns how many."""
        request = memory_pb2.ForgetMemoryRequest(session_id=session_id, ids=ids)
        answer: memory_pb2.ForgetMemoryResponse = await self._memory.Forget(request)
        return answer.forgotten
