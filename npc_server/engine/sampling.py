"""From logits to a token, through llama.cpp's own samplers."""

from __future__ import annotations

from typing import Any

import llama_cpp as lc
import numpy as np
import numpy.typing as npt

from npc_server.engine.llama import Llama
from npc_server.engine.protocol import Sampling

_SEED_MODULUS = 0xFFFFFFFF  # this value itself means "random" to llama.cpp


class Sampler:
    """The sampler chain of one turn; it remembers the turn's tokens for penalties."""

    def __init__(self, llama: Llama, sampling: Sampling) -> None:
        self._llama = llama
        self._chain = lc.llama_sampler_chain_init(lc.llama_sampler_chain_default_params())
        for link in _links(sampling, llama.vocab_size):
            lc.llama_sampler_chain_add(self._chain, link)

    def sample(self, row: int) -> int:
        """Draw the token that follows the batch row with this index, and remember it."""
        return int(lc.llama_sampler_sample(self._chain, self._llama.context, row))

    def close(self) -> None:
        """Free the chain."""
        lc.llama_sampler_free(self._chain)


def _links(sampling: Sampling, vocab_size: int) -> list[Any]:
    links: list[Any] = []
    if sampling.repeat_penalty != 1.0:
        window, penalty = sampling.repeat_window_tokens, sampling.repeat_penalty
        links.append(lc.llama_sampler_init_penalties(vocab_size, window, penalty, 0.0, 0.0))
    if sampling.temperature <= 0:
        return [*links, lc.llama_sampler_init_greedy()]
    if sampling.top_k > 0:
        links.append(lc.llama_sampler_init_top_k(sampling.top_k))
    if sampling.top_p < 1:
        links.append(lc.llama_sampler_init_top_p(sampling.top_p, 1))
    if sampling.min_p > 0:
        links.append(lc.llama_sampler_init_min_p(sampling.min_p, 1))
    links.append(lc.llama_sampler_init_temp(sampling.temperature))
    links.append(lc.llama_sampler_init_dist(sampling.seed % _SEED_MODULUS))
    return links


def token_logprob(logits: npt.NDArray[np.float32], token: int) -> float:
    """Log-probability of a token under softmax(logits), in nats."""
    top = float(logits.max())
    return float(logits[token]) - top - float(np.log(np.exp(logits - top).sum()))
