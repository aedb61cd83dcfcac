"""What an engine has done since it started."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from npc_server.engine.measures import MILLISECONDS, PER_SECOND, SMALL_COUNTS, Tally
from npc_server.engine.running_turn import RunningTurn


@dataclass
class Counts:
    """Totals since start."""

    steps: int = 0
    slot_hits: int = 0
    slot_loads: int = 0
    kv_moves: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    generated_tokens: int = 0
    turns: int = 0
    rejected: int = 0
    seconds_per_turn: float = 1.0  # a moving average
    step_ms: Tally = field(default_factory=lambda: Tally(MILLISECONDS))
    adapters_per_step: Tally = field(default_factory=lambda: Tally(SMALL_COUNTS))
    queue_ms: Tally = field(default_factory=lambda: Tally(MILLISECONDS))
    ttft_ms: Tally = field(default_factory=lambda: Tally(MILLISECONDS))
    tokens_per_s: Tally = field(default_factory=lambda: Tally(PER_SECOND))
    adapter_load_ms: Tally = field(default_factory=lambda: Tally(MILLISECONDS))

    def record_start(self, turn: RunningTurn, *, slot_hit: bool) -> None:
        """Count a turn that has got its sequence."""
        self.slot_hits += slot_hit
        self.slot_loads += not slot_hit
        self.prompt_tokens += len(turn.prompt_ids)
        self.cached_tokens += turn.cached_tokens
        if not turn.request.idle:
            self.queue_ms.observe((turn.started_s - turn.arrived_s) * 1e3)

    def record_first_token(self, turn: RunningTurn) -> None:
        """Count the wait of a turn that is about to say its first token."""
        if not turn.request.idle:
            self.ttft_ms.observe((turn.first_token_s - turn.arrived_s) * 1e3)

    def record_finish(self, turn: RunningTurn) -> None:
        """Count a turn that has ended without failing; idle ones are no turns of players."""
        if turn.request.idle:
            return
        self.turns += 1
        now = time.perf_counter()
        if turn.started_s:
            self.seconds_per_turn += 0.1 * (now - turn.started_s - self.seconds_per_turn)
        more = len(turn.token_ids) - 1
        if more > 0:
            self.tokens_per_s.observe(more / max(now - turn.first_token_s, 1e-6))
