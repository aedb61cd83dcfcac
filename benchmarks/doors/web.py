"""Eight players on eight characters of one server, by each of its doors in turn; then one alone.

Who begins goes round; no line is said twice, so that no door finds another's prompt in the cache.
The time to the first text is that of the player alone: where eight begin at once, it tells who came
first.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping, Sequence
from statistics import median

from connectrpc.protocol import ProtocolType

from benchmarks.doors.openai_peer import OpenAiPeer
from benchmarks.doors.web_peer import WebPeer
from benchmarks.doors.workspace import Workspace
from benchmarks.measures import Estimate, Round, ratio, tokens_per_s, ttfts_ms
from benchmarks.parts import PartResult
from benchmarks.serving.cast import Adapters, Base, Cast, open_base, write_cast
from benchmarks.serving.load import (
    REPLY_TOKENS,
    WARM_ROUND,
    WARM_TOKENS,
    lengthened,
    one_each,
    play,
    short_replies,
)
from benchmarks.serving.peers import Peer
from benchmarks.serving.peers.troupe import Troupe
from benchmarks.serving.workspace import SHORT, capacity_for

USERS = 8
ALONE = 1000  # number of the first line of the player alone
GRPC, CONNECT, GRPC_WEB, OPENAI = "gRPC", "Connect", "gRPC-Web", "OpenAI"

Figures = dict[str, Estimate]


async def run(workspace: Workspace) -> PartResult:
    """Measure what the HTTP door costs. Raises PeerBrokeError."""
    base = open_base(workspace.base)
    adapters = Adapters(workspace.scratch / "adapters", base)
    cast = write_cast(workspace.scratch / "cast", base, adapters, USERS, SHORT)
    port = _free_port()
    native = Troupe(GRPC, base, cast, capacity_for(USERS), {"NPC_SERVER_HTTP_PORT": str(port)})
    doors: list[Peer] = [
        native,
        WebPeer(CONNECT, native, port, ProtocolType.CONNECT),
        WebPeer(GRPC_WEB, native, port, ProtocolType.GRPC_WEB),
        OpenAiPeer(OPENAI, port),
    ]
    await native.start()
    try:
        rounds = await _play_eight(workspace, doors, base, cast)
        alone = await _play_alone(workspace, doors, base, cast)
    finally:
        await native.stop()
    short = sum(short_replies(played, REPLY_TOKENS) for played in rounds.values())
    notes = [f"{short} replies did not have {REPLY_TOKENS} tokens"] if short else []
    rates = {f"{door}, tokens/s": _rates(played) for door, played in rounds.items()}
    firsts = {f"{door}, first text, ms": times for door, times in alone.items()}
    return PartResult(figures(rounds, alone), rates | firsts, notes)


async def _play_eight(
    workspace: Workspace, doors: Sequence[Peer], base: Base, cast: Cast
) -> dict[str, list[Round]]:
    rounds: dict[str, list[Round]] = {door.name: [] for door in doors}
    for door in doors:
        await play(door, one_each(cast, base.vocab, USERS, WARM_ROUND), USERS)
    for number, door in _in_turn(doors, workspace.extent.rounds):
        workspace.tell(f"eight, {door.name}", number, workspace.extent.rounds * len(doors))
        turns = one_each(cast, base.vocab, USERS, number)
        rounds[door.name].append(await play(door, turns, USERS))
    return rounds


async def _play_alone(
    workspace: Workspace, doors: Sequence[Peer], base: Base, cast: Cast
) -> dict[str, list[float]]:
    times: dict[str, list[float]] = {door.name: [] for door in doors}
    for number, door in _in_turn(doors, workspace.extent.first_texts):
        workspace.tell(f"alone, {door.name}", number, workspace.extent.first_texts * len(doors))
        (turn,) = one_each(cast, base.vocab, 1, ALONE + number)
        times[door.name] += ttfts_ms(await play(door, [lengthened(turn, WARM_TOKENS)], 1))
    return times


def _in_turn(doors: Sequence[Peer], times: int) -> Iterator[tuple[int, Peer]]:
    """Each door so many times, beginning with another each time, and the number of the play."""
    for number in range(times * len(doors)):
        turn, place = divmod(number, len(doors))
        yield number, doors[(turn + place) % len(doors)]


def figures(rounds: Mapping[str, Sequence[Round]], alone: Mapping[str, Sequence[float]]) -> Figures:
    """What the doors cost; pure."""
    return {
        "web_over_grpc": ratio(_rates(rounds[CONNECT]), _rates(rounds[GRPC])),
        "web_ttft_added_ms": _added(alone[CONNECT], alone[GRPC]),
        "grpc_web_over_grpc": ratio(_rates(rounds[GRPC_WEB]), _rates(rounds[GRPC])),
        "grpc_web_ttft_added_ms": _added(alone[GRPC_WEB], alone[GRPC]),
        "openai_over_grpc": ratio(_rates(rounds[OPENAI]), _rates(rounds[GRPC])),
        "openai_ttft_added_ms": _added(alone[OPENAI], alone[GRPC]),
    }


def _rates(rounds: Sequence[Round]) -> list[float]:
    return [tokens_per_s(one) for one in rounds]


def _added(ours: Sequence[float], theirs: Sequence[float]) -> Estimate:
    """Median less median; the spread is that of the halves of all plays."""
    half = len(ours) // 2
    parts = [median(ours[cut]) - median(theirs[cut]) for cut in (slice(half), slice(half, None))]
    return Estimate(median(ours) - median(theirs), min(parts), max(parts))


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])
