"""How much one game, and one of its players, may do: at once, and in a minute. Lives on the loop.

Tokens are a bucket that fills through the minute. A turn is let in while there is something in it,
and what it said is taken out when it ends, so that no reply is cut short; who took too much waits
until the bucket has filled again.
"""

from __future__ import annotations

import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from npc_server.errors import QuotaError

MOST_BUCKETS = 100_000  # beyond it, the one unused for longest is dropped
_WAIT_S = 1.0  # until one of several turns may have ended
_SESSION_WAIT_S = 60.0


@dataclass(frozen=True)
class Limits:
    """What one may do; 0 = as much as they like."""

    turns: int = 0  # at once
    tokens_per_minute: int = 0  # of replies
    sessions: int = 0  # open at once
    events_per_minute: int = 0  # beside what [feedback] lets each player send


@dataclass(frozen=True)
class Client:
    """Who is limited: a game, or one player of it."""

    game: str
    player_id: str = ""  # a pseudonym; "" = the game as a whole

    def __str__(self) -> str:
        return f"a player of game {self.game}" if self.player_id else f"game {self.game}"


@dataclass
class Spent:
    """What a running turn has said so far."""

    tokens: int = 0


@dataclass(frozen=True)
class _Level:
    left: float
    at_s: float


class Bucket:
    """What is left of a minute's share, by client."""

    def __init__(self, what: str, now_s: Callable[[], float] = time.monotonic) -> None:
        self._what = what
        self._now_s = now_s
        self._levels: OrderedDict[Client, _Level] = OrderedDict()

    def require(self, client: Client, per_minute: int) -> None:
        """Raises QuotaError for a client who has taken their share."""
        left = self._level_of(client, per_minute)
        if per_minute and left < 1:
            wait_s = max(0.1, (1 - left) * 60 / per_minute)
            raise QuotaError(
                f"{client} has had its {per_minute} {self._what} a minute; go on in {wait_s:.1f} s",
                wait_s,
            )

    def take(self, client: Client, per_minute: int, amount: int) -> None:
        """Take something out, also more than there is."""
        if not per_minute:
            return
        self._levels[client] = _Level(self._level_of(client, per_minute) - amount, self._now_s())
        self._levels.move_to_end(client)
        if len(self._levels) > MOST_BUCKETS:
            self._levels.popitem(last=False)

    def _level_of(self, client: Client, per_minute: int) -> float:
        now_s = self._now_s()
        level = self._levels.get(client, _Level(per_minute, now_s))
        return min(per_minute, level.left + (now_s - level.at_s) * per_minute / 60)


class Quotas:
    """The limits of games and of players, and what each of them does."""

    def __init__(self, game: Limits, player: Limits) -> None:
        self._game = game
        self._player = player
        self._running: Counter[Client] = Counter()
        self._tokens, self._events = Bucket("tokens"), Bucket("events")

    @contextmanager
    def turn(self, game: str, player_id: str) -> Iterator[Spent]:
        """Run a turn of a player in the block; "" = of nobody in particular. Raises QuotaError."""
        clients = list(self._limits_of(game, player_id))
        for client, limits in clients:
            if limits.turns and self._running[client] >= limits.turns:
                raise QuotaError(
                    f"{client} has {limits.turns} turns running; wait for one", _WAIT_S
                )
            self._tokens.require(client, limits.tokens_per_minute)
        self._running.update(client for client, _ in clients)
        spent = Spent()
        try:
            yield spent
        finally:
            for client, limits in clients:
                self._running[client] -= 1
                if not self._running[client]:
                    del self._running[client]
                self._tokens.take(client, limits.tokens_per_minute, spent.tokens)

    def take_events(self, game: str, player_id: str, events: int) -> None:
        """Raises QuotaError for a client who has sent their share."""
        clients = list(self._limits_of(game, player_id))
        for client, limits in clients:
            self._events.require(client, limits.events_per_minute)
        for client, limits in clients:
            self._events.take(client, limits.events_per_minute, events)

    def require_session(
        self, game: str, player_id: str, count_open: Callable[[str, str], int]
    ) -> None:
        """Raises QuotaError for a client who has as many open as they may.

        `count_open` tells how many a game has open, and how many one of its players.
        """
        for client, limits in self._limits_of(game, player_id):
            if limits.sessions and count_open(client.game, client.player_id) >= limits.sessions:
                raise QuotaError(
                    f"{client} has {limits.sessions} sessions open; end one", _SESSION_WAIT_S
                )

    def _limits_of(self, game: str, player_id: str) -> Iterator[tuple[Client, Limits]]:
        yield Client(game), self._game
        if player_id:
            yield Client(game, player_id), self._player
