"""What the engine computes under an adapter, to hold what is trained against."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from npc_server.engine.assembly import assemble
from npc_server.engine.llama import ContextShape
from npc_server.engine.protocol import EngineOptions, Request, Sampling

Logits = npt.NDArray[np.float32]


def engine_logits(model: Path, adapter: Path | None, ids: Sequence[int]) -> Logits:
    """Next-token logits of the engine's own path."""
    shape = ContextShape(sequences=1, context_tokens=512, threads=1)
    core = assemble(model, shape, EngineOptions(), lambda *_: None)
    if adapter is not None:
        core.keep_adapter(core.read_adapter("a", adapter))
    one_token = Sampling(temperature=0, max_tokens=1)
    core.submit(Request("r", tuple(ids), "a" if adapter else "", one_token))
    while core.busy:
        core.step()
    logits = core._llama.logits(-1).copy()  # of the last row that had any
    core.close()
    return logits
