"""How much memory a base takes while it is served on the CPU: the engine's own plan, made early.

Kept prefixes and parsed adapters come on top, as far as `[engine] cache_mib` and
`adapter_cache_mib` let them grow.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from npc_server.engine.base_figures import BaseFigures
from npc_server.engine.memory_plan import Load, Share, memory_plan
from npc_server.engine.placement import Placement
from npc_server.engine.settings import EngineSettings
from npc_server.engine.worker import EngineConfig

_MIB = 1 << 20


@dataclass(frozen=True)
class ServedMemory:
    """What a served base takes."""

    host: Share  # from the start
    caches: int  # bytes that kept prefixes and parsed adapters may take on top

    @property
    def bytes(self) -> int:
        """All that is taken from the start."""
        return self.host.total


def served_memory(figures: BaseFigures, settings: EngineSettings) -> ServedMemory:
    """What a base of these figures takes on the CPU under these settings."""
    config = EngineConfig.of(Path(), settings)
    plan = memory_plan(Load(figures, config.shape, config.options), Placement(), None)
    return ServedMemory(plan.shares[0], (settings.cache_mib + settings.adapter_cache_mib) * _MIB)
