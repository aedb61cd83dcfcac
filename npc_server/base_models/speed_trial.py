"""How quickly a base speaks on this machine, with 1, 8 and 16 turns at once.

The turns run in the engine itself, each on a piece of plain text of its own, under the bare base:
an adapter in a slot costs the same whatever is in it. Contexts are short, so that a machine whose
memory is too small for what was configured can be asked as well.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

from npc_server.engine.protocol import Batching, ChatTokens, Finish, Request, Sampling
from npc_server.engine.settings import EngineSettings
from npc_server.engine.worker import EngineConfig, LlamaEngine

TEXT = Path(__file__).with_name("perplexity_text.txt")
COUNTS = (1, 8, 16)

_PROMPT_TOKENS, _REPLY_TOKENS = 64, 32
_CONTEXT_TOKENS = 256
_BRIEF_S = 4.0  # a round that took less is repeated, and the better one counts


@dataclass(frozen=True)
class Speed:
    """What turns get when so many speak at once."""

    turns: int
    tokens_per_s: float  # of each turn, after its first token
    first_token_ms: float  # of the last turn to begin

    @property
    def all_tokens_per_s(self) -> float:
        """Of all turns together."""
        return self.turns * self.tokens_per_s


@dataclass(frozen=True)
class SpeedTrial:
    """How the engine runs a base here."""

    description: str  # llama.cpp's: size and quantization
    architecture: str
    batching: Batching
    batching_reason: str  # why turns are grouped although mixing was asked for; "" = they are not
    speeds: tuple[Speed, ...]


def measure_speeds(
    gguf: Path,
    tokens: Sequence[int],
    settings: EngineSettings,
    chat: ChatTokens,
    report: Callable[[str, int, int], None],
) -> SpeedTrial:
    """Run turns on a base whose prompts are made of `tokens`, and whose replies keep to `chat`.

    Raises ModelLoadError and EngineDiedError.
    """
    small = replace(settings, sequences=max(COUNTS), context_tokens=_CONTEXT_TOKENS, cache_mib=0)
    prompts = _prompts(tokens)
    return asyncio.run(_measure(EngineConfig.of(gguf, small, chat), prompts, report))


def _prompts(tokens: Sequence[int]) -> list[tuple[int, ...]]:
    """A prompt for every turn; no two begin alike."""
    count = max(COUNTS)
    step = max(1, (len(tokens) - _PROMPT_TOKENS) // count)
    starts = [n * step for n in range(count)]
    return [tuple(tokens[start : start + _PROMPT_TOKENS]) for start in starts]


async def _measure(
    config: EngineConfig,
    prompts: Sequence[tuple[int, ...]],
    report: Callable[[str, int, int], None],
) -> SpeedTrial:
    report("loading the base", 0, 0)
    async with LlamaEngine(config) as engine:
        await _round(engine, prompts[:1])  # the first one pays for pages and threads
        speeds = []
        for done, count in enumerate(COUNTS):
            report("speaking", done, len(COUNTS))
            speeds.append(await _speed(engine, prompts[:count]))
        stats = await engine.stats()
        info = engine.info
    return SpeedTrial(
        info.description, info.architecture, stats.batching, stats.batching_reason, tuple(speeds)
    )


async def _speed(engine: LlamaEngine, prompts: Sequence[tuple[int, ...]]) -> Speed:
    began_s = time.perf_counter()
    first = await _round(engine, prompts)
    if time.perf_counter() - began_s > _BRIEF_S:
        return first
    return max(first, await _round(engine, prompts), key=lambda speed: speed.tokens_per_s)


async def _round(engine: LlamaEngine, prompts: Sequence[tuple[int, ...]]) -> Speed:
    """All turns at once, to their ends."""
    said = [_speak(engine, f"turn-{n}", prompt, n) for n, prompt in enumerate(prompts)]
    ends = await asyncio.gather(*said)
    spoken_s = [(end.total_ms - end.ttft_ms) / 1e3 for end in ends]
    rates = [(len(end.token_ids) - 1) / max(s, 1e-9) for end, s in zip(ends, spoken_s, strict=True)]
    return Speed(len(prompts), median(rates), max(end.ttft_ms for end in ends))


async def _speak(engine: LlamaEngine, name: str, prompt: tuple[int, ...], seed: int) -> Finish:
    sampling = Sampling(seed=seed, min_tokens=_REPLY_TOKENS, max_tokens=_REPLY_TOKENS)
    async with aclosing(engine.generate(Request(name, prompt, sampling=sampling))) as events:
        async for event in events:
            if isinstance(event, Finish):
                return event
    raise AssertionError("a turn ended without an end")
