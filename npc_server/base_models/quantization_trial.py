"""Quantizations of one base, measured side by side: quality on a text, speed of prefill and steps.

All are loaded at once and take turns, round by round, so that whatever else the machine does falls
on all of them. Models run as in the engine: one sequence per stream, the same threads. Run it in a
process of its own (`own_process`), for the memory and for the engine's OpenMP setting.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import numpy as np
import numpy.typing as npt

from npc_server.base_models.own_process import Report
from npc_server.base_models.quantization import Costs, Quantization, Spread
from npc_server.engine.llama import BatchRow, ContextShape, Llama
from npc_server.engine.vocab import Vocab

TEXT = Path(__file__).with_name("perplexity_text.txt")

SEQUENCES = (1, 8, 16)  # continued by a step
_DEPTH_TOKENS = 200  # in each sequence when a step is timed
_PREFILL_TOKENS = 128
_WINDOW_TOKENS = 256  # read together; all but the first are predicted
_ROUNDS = 8
_STEPS = 4  # timed of each kind per round
_SPARE = max(SEQUENCES)  # the sequence that every prefill starts over

Logprobs = npt.NDArray[np.float32]  # [tokens, vocabulary]
Models = Mapping[Quantization, Llama]


@dataclass
class _Quality:
    surprise_nats: list[float] = field(default_factory=list)  # of each token
    kl_nats: list[float] = field(default_factory=list)  # at each token


@dataclass
class _Times:
    prefill_s: list[float] = field(default_factory=list)
    step_s: dict[int, list[float]] = field(default_factory=lambda: {n: [] for n in SEQUENCES})


def measure(report: Report, files: Mapping[Quantization, Path], threads: int) -> tuple[Costs, ...]:
    """Figures of each file; the original must be among them. Raises ModelLoadError, DecodeError."""
    shape = ContextShape(_SPARE + 1, _WINDOW_TOKENS, _WINDOW_TOKENS, threads)
    with ExitStack() as stack:
        vocab = stack.enter_context(closing(Vocab(files[Quantization.ORIGINAL])))
        tokens = vocab.encode(TEXT.read_text())
        models = {
            name: stack.enter_context(closing(Llama(path, shape))) for name, path in files.items()
        }
        quality = _measure_quality(report, models, tokens)
        times = _measure_times(report, models, tokens)
    return tuple(
        _costs(name, path.stat().st_size, quality[name], times[name])
        for name, path in files.items()
    )


def _costs(name: Quantization, size: int, quality: _Quality, times: _Times) -> Costs:
    return Costs(
        quantization=name,
        file_bytes=size,
        prefill_tok_s=_spread([_PREFILL_TOKENS / s for s in times.prefill_s], max),
        decode_ms={n: _spread([s * 1e3 for s in taken], min) for n, taken in times.step_s.items()},
        perplexity=float(np.exp(np.mean(quality.surprise_nats))),
        kl_nats=float(np.mean(quality.kl_nats)),
    )


def _spread(values: Sequence[float], best: Callable[[Sequence[float]], float]) -> Spread:
    return Spread(best(values), median(values))


def _measure_quality(
    report: Report, models: Models, tokens: Sequence[int]
) -> Mapping[Quantization, _Quality]:
    found = {name: _Quality() for name in models}
    for start, window in _windows(tokens):
        report("measuring quality", start, len(tokens))
        # One window of one model beside the original's: whole texts would take gigabytes.
        expected = _read_logprobs(models[Quantization.ORIGINAL], window)
        for name, llama in models.items():
            logprobs = expected if name is Quantization.ORIGINAL else _read_logprobs(llama, window)
            found[name].surprise_nats.extend(surprise(logprobs, window[1:]))
            found[name].kl_nats.extend(divergence(expected, logprobs))
    return found


def _windows(tokens: Sequence[int]) -> Iterator[tuple[int, Sequence[int]]]:
    for start in range(0, len(tokens) - 1, _WINDOW_TOKENS):
        yield start, tokens[start : start + _WINDOW_TOKENS]


def _read_logprobs(llama: Llama, window: Sequence[int]) -> Logprobs:
    llama.clear(_SPARE)
    llama.decode([BatchRow(token, i, _SPARE, True) for i, token in enumerate(window)])
    return log_softmax(np.stack([llama.logits(i) for i in range(len(window) - 1)]))


def log_softmax(logits: npt.NDArray[np.float32]) -> Logprobs:
    """Log-probabilities of each row of logits."""
    shifted: Logprobs = logits - logits.max(axis=1, keepdims=True)
    shifted -= np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return shifted


def surprise(logprobs: Logprobs, tokens: Sequence[int]) -> list[float]:
    """Nats by which each token surprised."""
    return [-float(row[token]) for row, token in zip(logprobs, tokens, strict=True)]


def divergence(expected: Logprobs, found: Logprobs) -> list[float]:
    """KL divergence of each row of `found` from the same row of `expected`, in nats."""
    by_row = (np.exp(expected) * (expected - found)).sum(axis=1)
    return [float(nats) for nats in by_row]


def _measure_times(
    report: Report, models: Models, tokens: Sequence[int]
) -> Mapping[Quantization, _Times]:
    found = {name: _Times() for name in models}
    for llama in models.values():
        _fill(llama, tokens)
    for number in range(_ROUNDS):
        report("measuring speed", number, _ROUNDS)
        for name, llama in models.items():
            found[name].prefill_s.append(_time_prefill(llama, tokens))
            for count in SEQUENCES:
                found[name].step_s[count].extend(_time_steps(llama, tokens, count))
    return found


def _fill(llama: Llama, tokens: Sequence[int]) -> None:
    llama.decode([BatchRow(token, i, 0, False) for i, token in enumerate(tokens[:_DEPTH_TOKENS])])
    saved = llama.save(0)
    for sequence in range(1, _SPARE):
        llama.restore(sequence, saved)


def _time_prefill(llama: Llama, tokens: Sequence[int]) -> float:
    llama.clear(_SPARE)
    last = _PREFILL_TOKENS - 1
    return _time(llama, [BatchRow(tokens[i], i, _SPARE, i == last) for i in range(_PREFILL_TOKENS)])


def _time_steps(llama: Llama, tokens: Sequence[int], count: int) -> list[float]:
    taken = [
        _time(llama, [BatchRow(tokens[step], _DEPTH_TOKENS + step, s, True) for s in range(count)])
        for step in range(_STEPS)
    ]
    for sequence in range(count):
        llama.trim(sequence, _DEPTH_TOKENS)
    return taken


def _time(llama: Llama, rows: Sequence[BatchRow]) -> float:
    start = time.perf_counter()
    llama.decode(rows)
    llama.logits(len(rows) - 1)  # waits until they are computed
    return time.perf_counter() - start
