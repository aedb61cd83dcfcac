"""Throughput and first-token times of all peers on the same prompts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from statistics import median

from benchmarks.measures import (
    Estimate,
    Round,
    gaps_ms,
    percentile,
    ratio,
    tokens_per_s,
    tokens_per_s_after_first,
    ttfts_ms,
)
from benchmarks.serving.cast import Cast
from benchmarks.serving.load import REPLY_TOKENS, all_to_one, one_each, short_replies
from benchmarks.serving.peers.bare_decode import bare_decode
from benchmarks.serving.peers.llama_server import LlamaServer
from benchmarks.serving.peers.peft import peft
from benchmarks.serving.peers.troupe import Troupe
from benchmarks.serving.scenarios.rotation import Entry, rotate
from benchmarks.serving.workspace import LONG, SHORT, ScenarioResult, Workspace, capacity_for

OURS = "ours"
ONE_CHARACTER = "ours, one character"
LLAMA_SERVER = "llama-server"
PEFT = "transformers + PEFT"
BARE = "bare decode"

Rounds = Mapping[str, Sequence[Round]]


async def eight(workspace: Workspace) -> ScenarioResult:
    """Eight players on eight characters and on one, beside every peer."""
    cast, capacity = workspace.cast("eight", 8, SHORT), capacity_for(8)
    folders = [workspace.adapters.peft(member.index) for member in cast.members]
    bare = bare_decode(workspace.base, workspace.adapters.gguf(0), capacity, workspace.log(BARE))
    mixed = peft(workspace.base, workspace.cache, folders, capacity, workspace.log(PEFT))
    same = partial(all_to_one, cast, workspace.base.vocab, 8)
    each = partial(one_each, cast, workspace.base.vocab, 8)
    alone = Troupe(ONE_CHARACTER, workspace.base, workspace.cast("eight-one", 8, SHORT), capacity)
    others = [Entry(alone, same, 8), Entry(bare, same, 8), Entry(mixed, each, 8)]
    entries = [*ours_and_llama_server(workspace, cast), *others]
    return await compare(workspace, entries, eight_figures)


async def sixteen(workspace: Workspace) -> ScenarioResult:
    """Sixteen players on sixteen characters."""
    entries = ours_and_llama_server(workspace, workspace.cast("sixteen", 16, SHORT))
    return await compare(workspace, entries, partial(_against_llama_server, "vs_llama_server_16"))


async def long(workspace: Workspace) -> ScenarioResult:
    """Eight players on eight characters with long personas, and on one."""
    cast, others = workspace.cast("long", 8, LONG), workspace.cast("long-one", 8, LONG)
    alone = Troupe(ONE_CHARACTER, workspace.base, others, capacity_for(8))
    same = partial(all_to_one, cast, workspace.base.vocab, 8)
    entries = [*ours_and_llama_server(workspace, cast), Entry(alone, same, 8)]
    return await compare(workspace, entries, _long_figures)


def ours_and_llama_server(workspace: Workspace, cast: Cast) -> list[Entry]:
    """The two servers, with a user for each character."""
    users = len(cast.members)
    turns = partial(one_each, cast, workspace.base.vocab, users)
    adapters = [workspace.adapters.gguf(member.index) for member in cast.members]
    log = workspace.log(f"{LLAMA_SERVER}-{users}")
    theirs = LlamaServer(
        workspace.llama_server, workspace.base.path, adapters, capacity_for(users), log
    )
    ours = Troupe(OURS, workspace.base, cast, capacity_for(users))
    return [Entry(ours, turns, users), Entry(theirs, turns, users)]


async def compare(
    workspace: Workspace, entries: Sequence[Entry], figures: Callable[[Rounds], dict[str, Estimate]]
) -> ScenarioResult:
    """Let the entries play in turn, and make figures of their rounds."""
    played = await rotate(entries, workspace.extent.rounds, workspace.tell)
    notes = list(played.notes)
    for name, rounds in played.rounds.items():
        if short := short_replies(rounds, REPLY_TOKENS):
            notes.append(f"{name}: {short} replies did not have {REPLY_TOKENS} tokens")
    return ScenarioResult(figures(played.rounds), played.rounds, notes=notes)


def eight_figures(rounds: Rounds) -> dict[str, Estimate]:
    """What eight players tell; peers without rounds are left out."""
    ours, alone = rounds[OURS], rounds[ONE_CHARACTER]
    found = {
        "mixed_over_shared_8": ratio(_rates(ours), _rates(alone)),
        "p99_gap_8_over_1": ratio(_late_gaps(ours), _late_gaps(alone)),
        **_against_llama_server("vs_llama_server_8", rounds),
    }
    if bare := rounds.get(BARE):
        found["over_bare_decode"] = ratio(_rates(alone), _rates(bare))
    if theirs := rounds.get(PEFT):
        found["vs_peft_8"] = ratio(_rates(ours), _rates(theirs))
        decode = [tokens_per_s_after_first(played) for played in theirs]
        found["vs_peft_8_decode"] = ratio(_rates(ours), decode)
    if theirs := rounds.get(LLAMA_SERVER):
        found["ttft_median_gain_8"] = ratio(_ttfts(theirs, median), _ttfts(ours, median))
        found["ttft_worst_gain_8"] = ratio(_ttfts(theirs, max), _ttfts(ours, max))
    return found


def _long_figures(rounds: Rounds) -> dict[str, Estimate]:
    mixed = ratio(_rates(rounds[OURS]), _rates(rounds[ONE_CHARACTER]))
    return {
        "mixed_over_shared_8_long": mixed,
        **_against_llama_server("vs_llama_server_8_long", rounds),
    }


def _against_llama_server(key: str, rounds: Rounds) -> dict[str, Estimate]:
    theirs = rounds.get(LLAMA_SERVER)
    return {key: ratio(_rates(rounds[OURS]), _rates(theirs))} if theirs else {}


def _rates(rounds: Sequence[Round]) -> list[float]:
    return [tokens_per_s(played) for played in rounds]


def _ttfts(rounds: Sequence[Round], of_round: Callable[[Sequence[float]], float]) -> list[float]:
    return [of_round(ttfts_ms(played)) for played in rounds]


def _late_gaps(rounds: Sequence[Round]) -> list[float]:
    return [percentile(gaps_ms(played), 0.99) for played in rounds]
