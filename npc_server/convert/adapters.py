"""What `npc.v1.Adapters` lists, and the engine's counters."""

from __future__ import annotations

from dataclasses import asdict, fields
from datetime import datetime
from typing import Any

from npc.v1 import adapters_pb2
from npc_server.adapters import CharacterListing
from npc_server.convert.moments import timestamp_of
from npc_server.engine.protocol import Batching, Histogram, Stats
from personas.adapter_repo import Manifest

_BATCHINGS = {
    Batching.MIXED: adapters_pb2.BATCHING_MIXED,
    Batching.GROUPED: adapters_pb2.BATCHING_GROUPED,
}


def character_adapters(listing: CharacterListing) -> adapters_pb2.CharacterAdapters:
    """The versions of one character."""
    return adapters_pb2.CharacterAdapters(
        character=listing.character,
        live_version=listing.live_version,
        versions=[_version(manifest, listing) for manifest in listing.versions],
        problem=listing.problem,
    )


def _version(manifest: Manifest, listing: CharacterListing) -> adapters_pb2.AdapterVersion:
    return adapters_pb2.AdapterVersion(
        version=manifest.version,
        parent=manifest.parent or "",
        method=manifest.method,
        created_at=timestamp_of(datetime.fromisoformat(manifest.created_at)),
        running_turns=listing.running_turns[manifest.version],
    )


def stats_response(stats: Stats) -> adapters_pb2.StatsResponse:
    """The response to Stats; its fields are named like those of `Stats`."""
    values: dict[str, Any] = {**asdict(stats), "batching": _BATCHINGS[stats.batching]}
    return adapters_pb2.StatsResponse(**values)


def engine_stats(response: adapters_pb2.StatsResponse) -> Stats:
    """The stats in a response to Stats; the inverse of `stats_response`."""
    values: dict[str, Any] = {field.name: getattr(response, field.name) for field in fields(Stats)}
    histograms = {
        name: Histogram(tuple(value.bounds), tuple(value.counts), value.sum)
        for name, value in values.items()
        if isinstance(value, adapters_pb2.Histogram)
    }
    (batching,) = [ours for ours, theirs in _BATCHINGS.items() if theirs == response.batching]
    return Stats(
        **{**values, **histograms, "batching": batching, "adapters": tuple(response.adapters)}
    )
