"""What idle sessions cost: in speed for the others, and in memory.

An idle session has some five hundred tokens: a persona it shares, and one exchange in which its
player talked at length. Eight players speak on a server with idle sessions and on one without, in
turn.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Sequence
from functools import partial

from benchmarks.measures import estimate, ratio, tokens_per_s
from benchmarks.memory import anonymous_bytes
from benchmarks.serving.cast import Cast
from benchmarks.serving.load import long_turn, one_each, play
from benchmarks.serving.peers import PlayerTurn
from benchmarks.serving.peers.troupe import Troupe
from benchmarks.serving.scenarios.rotation import Entry, rotate
from benchmarks.serving.workspace import SHORT, ScenarioResult, Workspace, capacity_for

PLAYERS = 8
QUESTIONS = 17  # in one breath; with persona and reply some five hundred tokens
BESIDE, ALONE = "ours, beside idle sessions", "ours, without"


class BesideIdleSessions:
    """A server in which sessions lie idle from the start; otherwise that server."""

    def __init__(self, workspace: Workspace, cast: Cast) -> None:
        self.name = BESIDE
        self._workspace = workspace
        self._cast = cast
        self._troupe = Troupe(BESIDE, workspace.base, cast, capacity_for(PLAYERS))
        self.session_kib = 0.0

    async def start(self) -> None:
        """Start the server, open the sessions and see what they take."""
        await self._troupe.start()
        # Touches the memory that the server takes anyway, such as that of its sequences.
        await self._converse(range(1000, 1000 + 2 * PLAYERS))
        before = await self._bytes_beyond_cache()
        await self._converse(range(self._workspace.extent.idle_sessions))
        self._troupe.keep_sessions()
        grown = await self._bytes_beyond_cache() - before
        self.session_kib = grown / self._workspace.extent.idle_sessions / 1024

    async def _converse(self, users: Iterable[int]) -> None:
        members, vocab = self._cast.members, self._workspace.base.vocab
        turns = [long_turn(members[u % PLAYERS], vocab, u, QUESTIONS) for u in users]
        await play(self._troupe, turns, PLAYERS)

    async def _bytes_beyond_cache(self) -> int:
        return anonymous_bytes(self._troupe.process.pid) - await self._troupe.cache_bytes()

    async def ready(self, turns: Sequence[PlayerTurn]) -> None:
        """As the server."""
        await self._troupe.ready(turns)

    def say(self, turn: PlayerTurn) -> AsyncGenerator[int]:
        """As the server."""
        return self._troupe.say(turn)

    async def stop(self) -> None:
        """As the server."""
        await self._troupe.stop()


async def run(workspace: Workspace) -> ScenarioResult:
    """Eight players on both servers in turn."""
    beside = BesideIdleSessions(workspace, workspace.cast("idle", PLAYERS, SHORT))
    cast = workspace.cast("idle-none", PLAYERS, SHORT)
    turns = partial(one_each, cast, workspace.base.vocab, PLAYERS)
    entries = [
        Entry(beside, turns, PLAYERS),
        Entry(Troupe(ALONE, workspace.base, cast, capacity_for(PLAYERS)), turns, PLAYERS),
    ]
    played = await rotate(entries, workspace.extent.rounds, workspace.tell)
    rates = {name: [tokens_per_s(r) for r in rounds] for name, rounds in played.rounds.items()}
    figures = {
        "idle_100_cost": ratio(rates[BESIDE], rates[ALONE]),
        "idle_session_kib": estimate([beside.session_kib]),
    }
    return ScenarioResult(figures, played.rounds, notes=played.notes)
