"""Eight players on eight characters of one server, by each of its doors in turn.

Who begins goes round; no line is said twice, so that no door finds another's prompt in the cache.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence
from statistics import median

from connectrpc.protocol import ProtocolType

from benchmarks.doors.web_peer import WebPeer
from benchmarks.doors.workspace import Workspace
from benchmarks.measures import Estimate, Round, estimate, ratio, tokens_per_s, ttfts_ms
from benchmarks.parts import PartResult
from benchmarks.serving.cast import Adapters, Base, Cast, open_base, write_cast
from benchmarks.serving.load import REPLY_TOKENS, WARM_ROUND, one_each, play, short_replies
from benchmarks.serving.peers import Peer
from benchmarks.serving.peers.troupe import Troupe
from benchmarks.serving.workspace import SHORT, capacity_for

USERS = 8
GRPC, CONNECT, GRPC_WEB = "gRPC", "Connect", "gRPC-Web"

Rounds = Mapping[str, Sequence[Round]]


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
    ]
    await native.start()
    try:
        rounds = await _play(workspace, doors, base, cast)
    finally:
        await native.stop()
    short = sum(short_replies(played, REPLY_TOKENS) for played in rounds.values())
    notes = [f"{short} replies did not have {REPLY_TOKENS} tokens"] if short else []
    samples = {
        f"{door}, {what}": [of(one) for one in played]
        for door, played in rounds.items()
        for what, of in (("tokens/s", tokens_per_s), ("first text, ms", _first_text_ms))
    }
    return PartResult(figures(rounds), samples, notes)


async def _play(
    workspace: Workspace, doors: Sequence[Peer], base: Base, cast: Cast
) -> dict[str, list[Round]]:
    rounds: dict[str, list[Round]] = {door.name: [] for door in doors}
    for door in doors:
        await play(door, one_each(cast, base.vocab, USERS, WARM_ROUND), USERS)
    for number in range(workspace.extent.rounds):
        for place in range(len(doors)):
            door = doors[(number + place) % len(doors)]
            workspace.tell(door.name, number, workspace.extent.rounds)
            turns = one_each(cast, base.vocab, USERS, number * len(doors) + place)
            rounds[door.name].append(await play(door, turns, USERS))
    return rounds


def figures(rounds: Rounds) -> dict[str, Estimate]:
    """What the doors cost; pure."""
    return {
        "web_over_grpc": _rate_ratio(rounds[CONNECT], rounds[GRPC]),
        "web_ttft_added_ms": _added_ms(rounds[CONNECT], rounds[GRPC]),
        "grpc_web_over_grpc": _rate_ratio(rounds[GRPC_WEB], rounds[GRPC]),
        "grpc_web_ttft_added_ms": _added_ms(rounds[GRPC_WEB], rounds[GRPC]),
    }


def _rate_ratio(ours: Sequence[Round], theirs: Sequence[Round]) -> Estimate:
    return ratio([tokens_per_s(one) for one in ours], [tokens_per_s(one) for one in theirs])


def _added_ms(ours: Sequence[Round], theirs: Sequence[Round]) -> Estimate:
    pairs = zip(ours, theirs, strict=True)
    return estimate([_first_text_ms(one) - _first_text_ms(other) for one, other in pairs])


def _first_text_ms(played: Round) -> float:
    return median(ttfts_ms(played))


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])
