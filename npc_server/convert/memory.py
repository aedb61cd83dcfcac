"""What `npc.v1.Memory` lists."""

from __future__ import annotations

from feedback_store.memory_records import Memories
from npc.v1 import memory_pb2
from npc_server.convert.moments import timestamp_of
from npc_server.memory.facts import Fact, facts, player_name


def list_memory_response(memories: Memories) -> memory_pb2.ListMemoryResponse:
    """The response to List of npc.v1.Memory."""
    known = facts(memories.statements)
    summaries = [
        memory_pb2.RememberedTalk(id=one.summary_id, text=one.text, turn_ids=one.turn_ids)
        for one in memories.summaries
    ]
    return memory_pb2.ListMemoryResponse(
        player_name=player_name(known), facts=map(_fact, known), summaries=summaries
    )


def _fact(fact: Fact) -> memory_pb2.RememberedFact:
    said = fact.statement
    return memory_pb2.RememberedFact(
        id=fact.fact_id,
        text=said.text,
        topic=said.topic,
        turn_ids=fact.turn_ids,
        told_at=timestamp_of(said.told_at),
        overheard=said.character != said.spoken_to,
        replaced=[one.text for one in fact.replaced],
    )
