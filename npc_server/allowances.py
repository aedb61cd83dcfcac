"""What a caller may still do, by the quotas of their game and of the player whom they call for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from npc_server.keys.callers import LOCAL, Caller
from npc_server.keys.quotas import Quotas, Spent
from npc_server.ownership import Ownership
from npc_server.sessions import Sessions


class Allowances:
    """Quotas as calls meet them; the developer has none."""

    def __init__(self, quotas: Quotas, ownership: Ownership, sessions: Sessions) -> None:
        self._quotas = quotas
        self._ownership = ownership
        self._sessions = sessions

    @contextmanager
    def turn(self, caller: Caller, request: Any) -> Iterator[Spent]:
        """Run a turn that a request asks for in the block. Raises QuotaError."""
        if caller is LOCAL:
            yield Spent()
            return
        player = self._ownership.player_of(caller, request)
        with self._quotas.turn(caller.game, player) as spent:
            yield spent

    def require_session(self, caller: Caller, request: Any) -> None:
        """Raises QuotaError where a request would open one session too many."""
        if caller is not LOCAL:
            player = self._ownership.player_of(caller, request)
            self._quotas.require_session(caller.game, player, self._sessions.count)

    def take_events(self, caller: Caller, events: int) -> None:
        """Raises QuotaError where so many events are too many."""
        if caller is not LOCAL:
            player = self._ownership.player_of(caller, None)
            self._quotas.take_events(caller.game, player, events)
