"""The settings of an engine: of the one that serves, and of the one that examines a candidate.

The server and the trainer's gate run their engines under the same ones, so that what the gate
measured is what players will meet.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from npc_server.engine.protocol import Batching, KvType

#: As many layers on GPUs as their memory holds.
AUTO: Literal["auto"] = "auto"
GpuLayers = int | Literal["auto"]


@dataclass(frozen=True)
class EngineSettings:
    """The table `[engine]` of npc.toml, which has checked the values."""

    sequences: int = 8  # turns that run at once
    context_tokens: int = 1024  # prompt and reply of one turn
    threads: int = 0  # 0 = one per core
    gpu_layers: GpuLayers = AUTO  # of the base, from its end, that GPUs compute
    device: str = ""  # names of `npc devices`, with commas between; "" = every GPU that is here
    main_gpu: int = -1  # the one of these that holds all of it, counted from 0; -1 = they share
    kv_type: KvType = KvType.F16  # the numbers that keys and values are kept in
    batching: Batching = Batching.MIXED
    max_rank: int = 16  # adapters of a higher rank are refused
    prefill_chunk_tokens: int = 128  # prompt tokens per step beside replies
    cache_mib: int = 1024  # memory for kept prefixes
    adapter_cache_mib: int = 1024  # memory for parsed adapters
    max_waiting: int = 256  # turns in the queue
