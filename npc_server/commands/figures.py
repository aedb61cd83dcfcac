"""What `npc stats` shows of an engine: a few readable figures from two snapshots of its counters.

Rates come from the difference of the two; percentiles and shares count from the engine's start.
"""

from __future__ import annotations

from dataclasses import dataclass

from npc_server.commands.command_line import plural
from npc_server.engine.protocol import Histogram, Stats


@dataclass(frozen=True)
class Figures:
    """The figures that people ask for; None = nothing was measured yet."""

    tokens_per_s: float  # of all turns together, between the two snapshots
    reply_tokens_per_s_p50: float | None  # of one reply, after its first token
    ttft_ms_p50: float | None
    ttft_ms_p95: float | None
    queue_ms_p95: float | None
    step_ms_p50: float | None
    step_ms_p95: float | None
    adapters_per_step: float | None  # mean of distinct ones
    cached_share: float | None  # of prompt tokens, 0..1
    slot_hit_share: float | None  # of turns with an adapter, 0..1
    adapter_load_ms_p50: float | None


def figures(before: Stats, now: Stats, elapsed_s: float) -> Figures:
    """The figures of two snapshots, `elapsed_s` apart."""
    # An engine that restarted in between counts from 0 again.
    earlier = before.generated_tokens if before.generated_tokens <= now.generated_tokens else 0
    return Figures(
        tokens_per_s=(now.generated_tokens - earlier) / elapsed_s,
        reply_tokens_per_s_p50=quantile(now.tokens_per_s, 0.5),
        ttft_ms_p50=quantile(now.ttft_ms, 0.5),
        ttft_ms_p95=quantile(now.ttft_ms, 0.95),
        queue_ms_p95=quantile(now.queue_ms, 0.95),
        step_ms_p50=quantile(now.step_ms, 0.5),
        step_ms_p95=quantile(now.step_ms, 0.95),
        adapters_per_step=_share(now.adapters_per_step.sum, sum(now.adapters_per_step.counts)),
        cached_share=_share(now.cached_tokens, now.prompt_tokens),
        slot_hit_share=_share(now.slot_hits, now.slot_hits + now.slot_loads),
        adapter_load_ms_p50=quantile(now.adapter_load_ms, 0.5),
    )


def quantile(values: Histogram, share: float) -> float | None:
    """The value that `share` (0..1) of all are at or below; None when there are none.

    Values are taken to lie evenly within their bucket; what lies beyond the last bound counts as
    the last bound.
    """
    rank = share * sum(values.counts)
    seen, lower = 0, 0.0
    for bound, count in zip(values.bounds, values.counts, strict=False):
        if count and seen + count >= rank:
            return lower + (bound - lower) * (rank - seen) / count
        seen, lower = seen + count, bound
    return lower if any(values.counts) else None


def _share(part: float, whole: float) -> float | None:
    return part / whole if whole else None


def lines(now: Stats, shown: Figures) -> list[tuple[str, str]]:
    """Name and text of every line."""
    return [
        ("batching", now.batching + (f": {now.batching_reason}" if now.batching_reason else "")),
        ("turns", f"{now.running} of {now.sequences} running, {now.waiting} waiting"),
        ("since start", f"{plural(now.turns, 'turn')}, {now.rejected} refused as busy"),
        ("speed", f"{shown.tokens_per_s:.0f} tok/s now"),
        ("one reply", f"{_number(shown.reply_tokens_per_s_p50)} tok/s (p50)"),
        ("first token", _p50_p95(shown.ttft_ms_p50, shown.ttft_ms_p95)),
        ("wait for a place", f"{_number(shown.queue_ms_p95)} ms (p95)"),
        ("step", _p50_p95(shown.step_ms_p50, shown.step_ms_p95)),
        ("adapters per step", f"{_number(shown.adapters_per_step, 1)} (mean)"),
        ("adapters kept", _count_and_size(len(now.adapters), now.adapter_bytes)),
        ("adapter in place", f"{_percent(shown.slot_hit_share)} of turns"),
        ("adapter load", f"{_number(shown.adapter_load_ms_p50)} ms (p50)"),
        ("prompt cached", f"{_percent(shown.cached_share)} of tokens"),
        ("prefixes kept", _count_and_size(now.cache_entries, now.cache_bytes)),
    ]


def _p50_p95(p50: float | None, p95: float | None) -> str:
    return f"{_number(p50)} ms (p50), {_number(p95)} ms (p95)"


def _count_and_size(count: int, size_bytes: int) -> str:
    return f"{count}, {size_bytes / 2**20:.1f} MiB"


def _number(value: float | None, digits: int = 0) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.0%}"
