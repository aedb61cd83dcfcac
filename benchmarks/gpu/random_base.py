"""A base of random weights: speed and memory do not depend on what they say.

    python -m benchmarks.gpu.random_base FOLDER '{"hidden": 4096, ...}' --device cuda

The folder is one that training loads: llama-architecture weights in bfloat16, and a tokenizer that
nothing is encoded with. It is written beside its name and renamed, so one that exists is complete.
"""

from __future__ import annotations

import argparse
import json
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Width:
    """The size of a llama model."""

    hidden: int
    inner: int
    layers: int
    heads: int
    kv_heads: int
    vocabulary: int
    tied: bool  # the output layer is the embeddings' weight

    @property
    def name(self) -> str:
        """A folder's name."""
        return f"random-{self.hidden}x{self.layers}-{self.vocabulary}"

    @property
    def disk_bytes(self) -> int:
        """About what the folder takes."""
        layer = self.hidden * (self.hidden * 2 + self.hidden * 2 * self.kv_heads // self.heads)
        body = self.layers * (layer + 3 * self.hidden * self.inner)
        return 2 * (body + (1 if self.tied else 2) * self.vocabulary * self.hidden)


def write_base(folder: Path, width: Width, device: str) -> None:
    """Write the folder; the weights are drawn on `device`."""
    beside = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(beside, ignore_errors=True)
    _model(width, device).save_pretrained(beside)
    _tokenizer(width.vocabulary).save_pretrained(beside)
    beside.rename(folder)


def _model(width: Width, device: str) -> Any:
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    config = AutoConfig.for_model(
        "llama",
        vocab_size=width.vocabulary,
        hidden_size=width.hidden,
        intermediate_size=width.inner,
        num_hidden_layers=width.layers,
        num_attention_heads=width.heads,
        num_key_value_heads=width.kv_heads,
        tie_word_embeddings=width.tied,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
    )
    models: Any = AutoModelForCausalLM
    torch.manual_seed(0)
    with torch.device(device):
        return models.from_config(config, dtype=torch.bfloat16)


def _tokenizer(vocabulary: int) -> Any:
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from transformers import PreTrainedTokenizerFast

    words = {f"w{number}": number for number in range(vocabulary)}
    made = Tokenizer(WordLevel(words, unk_token="w3"))
    fast: Any = PreTrainedTokenizerFast
    return fast(
        tokenizer_object=made, pad_token="w0", bos_token="w1", eos_token="w2", unk_token="w3"
    )


def main() -> None:
    """Write one folder, unless it is there."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("width", type=lambda text: Width(**json.loads(text)))
    parser.add_argument("--device", default="cpu")
    asked = parser.parse_args()
    if not asked.folder.is_dir():
        write_base(asked.folder, asked.width, asked.device)
    print(json.dumps(asdict(asked.width)))


if __name__ == "__main__":
    main()
