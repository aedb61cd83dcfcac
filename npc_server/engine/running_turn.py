"""One turn while it waits and runs, and what can be said of it without the model."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from npc_server.engine.llama import BatchRow
from npc_server.engine.lora.voice import Voice
from npc_server.engine.protocol import Finish, FinishReason, Request
from npc_server.engine.sampling import Sampler
from npc_server.engine.scheduler import TurnView
from npc_server.engine.text_stream import TextStream


@dataclass(eq=False)
class RunningTurn:
    """A request, how far its prompt is read, and its reply so far."""

    request: Request
    arrived_s: float
    stream: TextStream
    round: int = 0  # in which it begins; earlier ones do before it
    sequence: int = -1  # -1 = it waits for one
    read: list[int] = field(default_factory=list)  # tokens in the KV cache
    pending: list[int] = field(default_factory=list)  # to be computed next
    save_at: set[int] = field(default_factory=set)  # lengths at which others want a copy
    thought_ids: list[int] = field(default_factory=list)  # drawn before the reply
    thinking: bool = False  # whether what is drawn next belongs to the thought
    token_ids: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    choices: tuple[float, ...] = ()
    cached_tokens: int = 0
    started_s: float = 0.0
    first_token_s: float = 0.0
    sampler: Sampler | None = None

    @property
    def prompt_ids(self) -> tuple[int, ...]:
        """What is read before anything is drawn."""
        thought = self.request.thought
        return thought.prompt_ids if thought else self.request.prompt_ids

    @property
    def voice(self) -> Voice:
        """What it speaks under."""
        return Voice(self.request.adapter, self.request.adapter_scale)

    def view(self, context_tokens: int) -> TurnView:
        """The turn as the scheduler sees it."""
        ahead = [length - len(self.read) for length in self.save_at if length > len(self.read)]
        return TurnView(
            self.sequence,
            self.voice,
            unread_tokens=0 if self.token_ids or self.thought_ids else len(self.pending),
            until_save=min(ahead, default=0),
            room_tokens=context_tokens - len(self.read),
            background=self.request.background,
            idle=self.request.idle,
        )

    def prompt_rows(self, count: int, width: int, *, logits: bool) -> list[BatchRow]:
        """`width` rows of its prompt, of which `count` are read and the rest is padding."""
        start, last = len(self.read), len(self.pending) - 1
        return [
            BatchRow(
                self.pending[min(i, last)], start + i, self.sequence, logits and i == count - 1
            )
            for i in range(width)
        ]

    def advance(self, count: int) -> None:
        """Count the next tokens as read."""
        self.read.extend(self.pending[:count])
        del self.pending[:count]

    def finish(self, reason: FinishReason) -> Finish:
        """The finish of the turn if it ends now."""
        now = time.perf_counter()
        kept = len(self.token_ids) if reason is FinishReason.STOP else self.stream.tokens
        started = self.started_s or now
        return Finish(
            text=self.stream.text,
            token_ids=tuple(self.token_ids[:kept]),
            reason=reason,
            logprob=sum(self.logprobs[:kept]),
            token_logprobs=tuple(self.logprobs[:kept]) if self.request.sampling.logprobs else (),
            prompt_tokens=len(self.prompt_ids),
            cached_tokens=self.cached_tokens,
            queue_ms=(started - self.arrived_s) * 1e3,
            ttft_ms=((self.first_token_s or now) - self.arrived_s) * 1e3,
            total_ms=(now - self.arrived_s) * 1e3,
            choices=self.choices,
            thought_tokens=len(self.thought_ids),
        )
