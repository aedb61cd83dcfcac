"""Whether the base that is trained on computes what the served one does.

Both read the same text; the logits after some of its tokens are compared by their cosine, near the
beginning and as far in as training reads. They never agree exactly: an engine rounds what enters a
quantized weight to 8 bits. How much that costs is measured on the model at hand, by rounding so in
training's copy, and what differs by more than that is a fault: a scaling, a window or a norm that
the copy lacks. The result is kept under the hashes of both, so it is paid once per base.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from npc_server.engine.errors import EngineError
from npc_server.engine.gguf_header import HeaderReader
from npc_server.engine.llama import BatchRow, ContextShape, Llama
from npc_server.engine.settings import EngineSettings
from personas.chat_ids import chat_of
from trainer.base import file_sha256
from trainer.divergence import plain_text
from trainer.errors import BaseModelError
from trainer.lora import load_base
from trainer.progress import OnProgress, Progress
from trainer.training import use_all_cores
from trainer.vocabulary import open_vocab

MOST_TOKENS = 4096  # that are read; attention over more takes minutes
FIRST_BAND = 32  # positions before it say little: they have hardly any context
PER_BAND = 8  # logits that are compared of each band; one alone may be an outlier
#: Of exact weights. Five quantizations of a 135M model came to 0.9990 and more, with a noise of
#: 0.0001 to 0.0017, where a forgotten scaling of Llama 3 leaves 0.95.
LEAST_COSINE = 0.999
NOISE_FACTOR = 3.0  # the measured noise is a sample, and the engine's own may be larger
_CHUNK = 512
_EXACT = {"F32": None, "F16": torch.float16, "BF16": torch.bfloat16}

Logits = Mapping[int, Tensor]  # by position


@dataclass(frozen=True)
class Band:
    """What was found between two positions."""

    first: int
    last: int
    cosine: float  # of served and trained logits, the mean of its positions
    noise: float  # 1 - cosine that rounding alone brings about

    @property
    def least(self) -> float:
        """The least cosine that rounding explains."""
        return LEAST_COSINE - NOISE_FACTOR * self.noise

    @property
    def differs(self) -> bool:
        """Whether more than rounding is behind the difference; NaN differs."""
        return not self.cosine >= self.least


@dataclass(frozen=True)
class Bases:
    """The two bases to compare, and how far."""

    gguf: Path
    sha256: str
    base_dir: Path  # the same, dequantised
    engine: EngineSettings
    max_tokens: int  # that training reads
    chat_template: Path | None = None  # a file in place of the base's own template

    @property
    def tokens(self) -> int:
        """How many tokens to read."""
        return max(2, min(self.max_tokens, self.engine.context_tokens - 1, MOST_TOKENS))


def require_same(bases: Bases, on_progress: OnProgress) -> tuple[Band, ...]:
    """Compare the bases unless that was done. Raises BaseModelError when they differ."""
    record = bases.base_dir.parent.parent / "compared" / f"{bases.base_dir.name}.json"
    key = _key(bases)
    bands = _read(record, key)
    if bands is None:
        bands = compare(bases, on_progress)
        _write(record, key, bands)
    if fault := explain(bands):
        raise BaseModelError(f"{bases.gguf} cannot be trained: {fault}")
    return bands


def explain(bands: Sequence[Band]) -> str:
    """What differs, and what to do; "" when nothing does."""
    worst = [band for band in bands if band.differs]
    if not worst:
        return ""
    found = ", ".join(
        f"{band.cosine:.4f} at positions {band.first} to {band.last} (rounding explains"
        f" {band.least:.4f})"
        for band in worst
    )
    return (
        "what would be trained is not what is served: their logits have a cosine of"
        f" {found}. The conversion for training lacks something that llama.cpp computes for this"
        " file; nothing was trained. Use another GGUF of the model, or another base"
    )


def compare(bases: Bases, on_progress: OnProgress) -> tuple[Band, ...]:
    """Read the text with both. Raises BaseModelError."""
    on_progress(Progress(0, 3, 0.0))
    ids = _ids(bases)
    positions = [position for band in _bands(len(ids)) for position in band]
    served = _served_logits(bases, ids, positions)
    on_progress(Progress(1, 3, 0.0))
    use_all_cores()
    model = load_base(bases.base_dir)
    trained = _trained_logits(model, ids, positions)
    on_progress(Progress(2, 3, 0.0))
    with _rounding(model, bases.gguf):
        rounded = _trained_logits(model, ids, positions)
    on_progress(Progress(3, 3, 0.0))
    return tuple(
        Band(
            band[0],
            band[-1],
            _mean_cosine(band, served, trained),
            max(0.0, 1 - _mean_cosine(band, rounded, trained)),
        )
        for band in _bands(len(ids))
    )


def _ids(bases: Bases) -> list[int]:
    """A text as long as is needed; its sentences come in another order each time."""
    sentences = plain_text().split(". ")
    with closing(open_vocab(bases.gguf, bases.chat_template)) as vocab:
        ids, chance = list(chat_of(vocab).bos), random.Random(0)
        while len(ids) < bases.tokens:
            ids += vocab.encode(". ".join(chance.sample(sentences, len(sentences))))
    return ids[: bases.tokens]


def _bands(tokens: int) -> list[list[int]]:
    """The compared positions: of each doubling of the distance from the beginning, some."""
    first, bands = min(FIRST_BAND, tokens // 2), []
    while first < tokens:
        last = min(2 * max(first, 1), tokens) - 1
        places = np.linspace(first, last, PER_BAND).round().astype(int).tolist()
        bands.append(sorted(set(places)))
        first = last + 1
    return bands


def _served_logits(bases: Bases, ids: Sequence[int], positions: Sequence[int]) -> Logits:
    wanted, found = set(positions), {}
    shape = ContextShape(1, bases.engine.context_tokens, _CHUNK, torch.get_num_threads())
    try:
        with closing(Llama(bases.gguf, shape)) as llama:
            for start in range(0, len(ids), _CHUNK):
                rows = [
                    BatchRow(token, at, 0, at in wanted)
                    for at, token in enumerate(ids[start : start + _CHUNK], start)
                ]
                llama.decode(rows)
                for place, row in enumerate(rows):
                    if row.wants_logits:
                        found[row.position] = torch.from_numpy(llama.logits(place).copy())
    except EngineError as error:
        raise BaseModelError(f"{bases.gguf} cannot be served: {error}") from error
    return found


def _trained_logits(model: PreTrainedModel, ids: Sequence[int], positions: Sequence[int]) -> Logits:
    try:
        with torch.inference_mode():
            output = model(
                input_ids=torch.tensor([ids]),
                logits_to_keep=torch.tensor(positions),
                use_cache=False,
            )
    except (RuntimeError, ValueError, IndexError, TypeError) as error:
        raise BaseModelError(f"the base, converted for training, does not run: {error}") from error
    return dict(zip(positions, output.logits[0].float(), strict=True))


def _mean_cosine(band: Sequence[int], left: Logits, right: Logits) -> float:
    pairs = [(left[at], right[at]) for at in band]
    if any(len(one) != len(other) for one, other in pairs):
        return 0.0  # another vocabulary
    return fmean(float(nn.functional.cosine_similarity(a, b, dim=0)) for a, b in pairs)


@contextmanager
def _rounding(model: PreTrainedModel, gguf: Path) -> Iterator[None]:
    """Round what enters each linear layer as the engine does for weights of this file."""
    kinds = {tensor.tensor_type.name for tensor in HeaderReader(gguf).tensors if _is_matrix(tensor)}
    rounds = _rounding_of(kinds)
    hooks = [
        module.register_forward_pre_hook(lambda _module, inputs: (rounds(inputs[0]), *inputs[1:]))
        for module in model.modules()
        if isinstance(module, nn.Linear)
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _is_matrix(tensor: Any) -> bool:
    return len(tensor.shape) > 1


def _rounding_of(kinds: set[str]) -> Callable[[Tensor], Tensor]:
    if kinds <= set(_EXACT):
        dtypes = [_EXACT[kind] for kind in sorted(kinds) if _EXACT[kind] is not None]
        return (lambda x: x.to(dtypes[0]).float()) if dtypes else (lambda x: x)
    block = 256 if any(kind.endswith("_K") for kind in kinds) else 32
    return lambda x: _in_eight_bits(x, block)


def _in_eight_bits(x: Tensor, block: int) -> Tensor:
    """Round to 8 bits, every block under a scale of its own; widths that fit no block stay."""
    size = next((size for size in (block, 32) if x.shape[-1] % size == 0), 0)
    if not size:
        return x
    blocks = x.reshape(*x.shape[:-1], -1, size)
    scale = blocks.abs().amax(-1, keepdim=True).clamp_min(1e-12) / 127
    return ((blocks / scale).round() * scale).reshape(x.shape)


def _key(bases: Bases) -> dict[str, Any]:
    """What the result depends on."""
    files = sorted(path for path in bases.base_dir.iterdir() if path.is_file())
    trained = hashlib.sha256("".join(f"{f.name} {file_sha256(f)}\n" for f in files).encode())
    return {
        "served": bases.sha256,
        "trained": trained.hexdigest(),
        "tokens": bases.tokens,
        "context_tokens": bases.engine.context_tokens,
        "libraries": [version(name) for name in ("llama-cpp-python", "transformers", "torch")],
        "bar": [LEAST_COSINE, NOISE_FACTOR],
    }


def _read(record: Path, key: Mapping[str, Any]) -> tuple[Band, ...] | None:
    try:
        found = json.loads(record.read_text("utf-8"))
        return tuple(Band(**band) for band in found["bands"]) if found["key"] == key else None
    except (OSError, ValueError, KeyError, TypeError):  # none, or of another release
        return None


def _write(record: Path, key: Mapping[str, Any], bands: Sequence[Band]) -> None:
    record.parent.mkdir(parents=True, exist_ok=True)
    beside = record.with_suffix(".part")
    beside.write_text(json.dumps({"key": key, "bands": [asdict(band) for band in bands]}))
    beside.replace(record)
