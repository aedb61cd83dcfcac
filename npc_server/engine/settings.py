"""The settings of an engine: of the one that serves, and of the one that examines a candidate.

The server and the trainer's gate run their engines under the same ones, so that what the gate
measured is what players will meet.
"""

from __future__ import annotations

from dataclasses import dataclass

from npc_server.engine.protocol import Batching


@dataclass(frozen=True)
class EngineSettings:
    """The table `[engine]` of npc.toml, which has checked the values."""

    sequences: int = 8  # turns that run at once
    context_tokens: int = 1024  # prompt and reply of one turn
    threads: int = 0  # 0 = one per core
    batching: Batching = Batching.MIXED
    max_rank: int = 16  # adapters of a higher rank are refused
    prefill_chunk_tokens: int = 128  # prompt tokens per step beside replies
    cache_mib: int = 1024  # memory for kept prefixes
    adapter_cache_mib: int = 1024  # memory for parsed adapters
    max_waiting: int = 256  # turns in the queue
