"""transformers + PEFT: one batch whose rows run under adapters of their own (`adapter_names`).

The base is the served GGUF, unpacked to float32 as for training. Prompts are computed anew in every
batch: generate keeps nothing from one call to the next.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.serving.cast import Base
from benchmarks.serving.peers import Capacity
from benchmarks.serving.peers.batch import BatchPeer, BatchPrompt, run_child


def peft(
    base: Base, cache: Path, adapters: Sequence[Path], capacity: Capacity, log: Path
) -> BatchPeer:
    """PEFT over these adapters, as a peer; the unpacked base is kept below `cache`."""
    config = {
        "base": str(base.path),
        "cache": str(cache),
        "adapters": [str(folder) for folder in adapters],
        "threads": capacity.threads,
    }
    return BatchPeer("transformers + PEFT", __name__, config, capacity.sequences, log)


class _Steps:
    """What generate() calls with every step's tokens; the first call brings the prompts."""

    def __init__(self, on_step: Callable[[], None]) -> None:
        self._on_step = on_step
        self._prompts_seen = False

    def put(self, _tokens: object) -> None:
        if self._prompts_seen:
            self._on_step()
        self._prompts_seen = True

    def end(self) -> None:
        pass


class PeftModel:
    """The base with all adapters loaded."""

    def __init__(self, config: dict[str, Any]) -> None:
        import torch
        from peft import PeftModel as Wrapped
        from transformers import AutoModelForCausalLM

        from trainer.base import ensure_base

        torch.set_num_threads(config["threads"])
        folder = ensure_base(Path(config["base"]), Path(config["cache"]))
        base = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
        first, *others = config["adapters"]
        self._model: Any = Wrapped.from_pretrained(base, first, adapter_name="a0")
        for index, path in enumerate(others, start=1):
            self._model.load_adapter(path, adapter_name=f"a{index}")
        self._model.eval()
        self._tensor = torch.tensor
        self._seed = torch.manual_seed

    def generate(self, rows: Sequence[BatchPrompt], on_step: Callable[[], None]) -> None:
        """One generate() call; prompts are padded on the left to one length."""
        drawn = rows[0].sampling
        width = max(len(row.ids) for row in rows)
        self._seed(drawn.seed)
        self._model.generate(
            input_ids=self._tensor([[0] * (width - len(row.ids)) + list(row.ids) for row in rows]),
            attention_mask=self._tensor(
                [[0] * (width - len(row.ids)) + [1] * len(row.ids) for row in rows]
            ),
            adapter_names=[f"a{row.adapter}" for row in rows],
            streamer=_Steps(on_step),
            do_sample=True,
            temperature=drawn.temperature,
            top_k=drawn.top_k,
            top_p=drawn.top_p,
            min_p=drawn.min_p,
            repetition_penalty=drawn.repeat_penalty,
            min_new_tokens=drawn.max_tokens,
            max_new_tokens=drawn.max_tokens,
            pad_token_id=0,
        )


if __name__ == "__main__":
    run_child(PeftModel)
