"""Our own ceiling: llama_decode in a loop, one adapter on the whole context, no server around it.

The rows are those of the server's batch, in the same memory layout and through the same sampler.
What a prompt shares with the one before it in its sequence stays in the cache, and all new prompt
tokens go into one call.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import takewhile
from pathlib import Path
from typing import Any

import llama_cpp as lc

from benchmarks.errors import BenchmarkError
from benchmarks.serving.cast import Base
from benchmarks.serving.peers import Capacity
from benchmarks.serving.peers.batch import BatchPeer, BatchPrompt, run_child
from npc_server.engine.llama import ContextShape, Llama
from npc_server.engine.openmp import SHORT, SPIN
from npc_server.engine.sampling import Sampler

_BATCH_TOKENS = 512

_Cell = tuple[int, int, int, bool]  # token, position, sequence, whether logits are wanted


def bare_decode(base: Base, adapter: Path, capacity: Capacity, log: Path) -> BatchPeer:
    """The loop over one adapter, as a peer."""
    config = {
        "base": str(base.path),
        "adapter": str(adapter),
        "sequences": capacity.sequences,
        "context_tokens": capacity.context_tokens,
        "threads": capacity.threads,
        "environment": {SPIN: SHORT},  # as the server's engine process has it
    }
    return BatchPeer("bare decode", __name__, config, capacity.sequences, log)


class DecodeLoop:
    """One context whose sequences remember their prompts between batches."""

    def __init__(self, config: dict[str, Any]) -> None:
        shape = ContextShape(
            sequences=config["sequences"],
            context_tokens=config["context_tokens"],
            batch_tokens=_BATCH_TOKENS,
            threads=config["threads"],
        )
        self._llama = Llama(Path(config["base"]), shape)
        self._llama.set_adapter(self._llama.load_adapter(Path(config["adapter"])))
        self._batch = lc.llama_batch_init(_BATCH_TOKENS, 0, 1)
        self._kept: list[tuple[int, ...]] = [()] * shape.sequences

    def generate(self, rows: Sequence[BatchPrompt], on_step: Callable[[], None]) -> None:
        """Continue all rows, one decode per step."""
        samplers = [Sampler(self._llama, row.sampling) for row in rows]
        tokens = self._read(rows, samplers)
        on_step()
        for step in range(rows[0].sampling.max_tokens - 1):
            self._decode([(t, len(rows[i].ids) + step, i, True) for i, t in enumerate(tokens)])
            tokens = [sampler.sample(i) for i, sampler in enumerate(samplers)]
            on_step()
        for sampler in samplers:
            sampler.close()

    def _read(self, rows: Sequence[BatchPrompt], samplers: Sequence[Sampler]) -> list[int]:
        """Bring all prompts into the cache; the token that follows each."""
        new, followers = self._new_tokens(rows), [0] * len(rows)
        for begin in range(0, len(new), _BATCH_TOKENS):
            chunk = new[begin : begin + _BATCH_TOKENS]
            self._decode(chunk)
            for at, (_, _, sequence, last) in enumerate(chunk):
                if last:
                    followers[sequence] = samplers[sequence].sample(at)
        return followers

    def _new_tokens(self, rows: Sequence[BatchPrompt]) -> list[_Cell]:
        new: list[_Cell] = []
        for sequence, row in enumerate(rows):
            shared = _shared(self._kept[sequence], row.ids[:-1])
            self._llama.trim(sequence, shared)
            last = len(row.ids) - 1
            new += [(row.ids[at], at, sequence, at == last) for at in range(shared, len(row.ids))]
            self._kept[sequence] = row.ids
        return new

    def _decode(self, cells: Sequence[_Cell]) -> None:
        batch = self._batch
        for at, (token, position, sequence, wants_logits) in enumerate(cells):
            batch.token[at], batch.pos[at] = token, position
            batch.n_seq_id[at], batch.seq_id[at][0] = 1, sequence
            batch.logits[at] = wants_logits
        batch.n_tokens = len(cells)
        if (status := lc.llama_decode(self._llama.context, batch)) != 0:
            raise BenchmarkError(f"llama_decode of {len(cells)} rows returned {status}")


def _shared(left: Sequence[int], right: Sequence[int]) -> int:
    pairs = zip(left, right, strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


if __name__ == "__main__":
    run_child(DecodeLoop)
