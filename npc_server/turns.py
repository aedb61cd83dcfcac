"""An open turn: everything that makes its reply, and its record at the end.

Pure, but for the turn ids, which grow with time: rows that are read together then lie together in
the database, whose index pages stay warm.
"""

from __future__ import annotations

import secrets
import time
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime

from feedback_store.records import JSON, Turn
from npc_server.adapters import LiveAdapter
from npc_server.engine.protocol import Engine, Finish, FinishReason, Request, Sampling
from npc_server.reranking import FaultScorer, Scorer
from npc_server.sessions import Exchange, Session
from personas.render import Line, Prompt, Tokenizer

_UNFINISHED = (FinishReason.CANCELLED, FinishReason.FAILED)


@dataclass(frozen=True)
class Started:
    """A turn begins; everything that makes its reply is fixed."""

    turn_id: str
    persona_version: str
    adapter_version: str
    take: int
    seed: int


@dataclass(frozen=True)
class Finished:
    """A turn is over."""

    turn_id: str
    adapter_version: str
    live_adapter_version: str  # of the character, when the turn ended
    reply: Finish
    candidates: int  # replies drawn for this one


@dataclass(frozen=True)
class Model:
    """The base model of all replies, fixed for the life of the server."""

    engine: Engine
    tokenizer: Tokenizer
    base_sha256: str
    scorer: Scorer = field(default_factory=FaultScorer)  # of candidates, where several are drawn


@dataclass(frozen=True)
class OpenTurn:
    """A turn that is not recorded yet."""

    started: Started
    session: Session
    exchange: Exchange
    adapter: LiveAdapter
    history: tuple[Line, ...]  # before the player's line, then the earlier takes on the reply
    prompt: Prompt
    sampling: Sampling
    judge: str = ""  # version of the reward head that chose the candidate; "" = none did

    @property
    def best_of(self) -> int:
        """How many replies are drawn; one of them is said."""
        return self.session.persona.sampling.best_of

    @property
    def request(self) -> Request:
        """The request for the reply, or for the first candidate."""
        adapter = self.adapter.content_hash
        return Request(
            self.started.turn_id,
            self.prompt.ids,
            adapter,
            self.sampling,
            pinned_tokens=self.prompt.opening_tokens,
        )


def new_turn_id() -> str:
    """32 hex digits: 48 bits of Unix time in milliseconds, then 80 random ones."""
    return f"{time.time_ns() // 1_000_000:012x}{secrets.token_hex(10)}"


def cut_short(text: str, turn: OpenTurn, reason: FinishReason) -> Finish:
    """The Finish of a reply cut off after `text`."""
    tokens = len(turn.prompt.ids)
    return Finish(text, (), reason, 0.0, (), tokens, 0, 0.0, 0.0, 0.0)


def record_of(turn: OpenTurn, reply: Finish, base_sha256: str) -> Turn:
    """The stored form of a turn that ends now."""
    started, session = turn.started, turn.session.record
    first = turn.exchange.takes[0].turn_id if started.take else started.turn_id
    return Turn(
        turn_id=started.turn_id,
        session_id=session.session_id,
        character=session.character,
        player_id=session.player_id,
        persona_version=started.persona_version,
        adapter_version=turn.adapter.version,
        adapter_hash=turn.adapter.content_hash,
        base_sha256=base_sha256,
        messages=tuple({"role": m.role, "content": m.content} for m in turn.prompt.messages),
        prompt_ids=turn.prompt.ids,
        reply_ids=reply.token_ids,
        player_text=turn.exchange.player_text,
        reply_text=reply.text,
        take=started.take,
        first_turn_id=first,
        finish_reason=reply.reason.value,
        sampling=_sampling(turn),
        seed=started.seed,
        arm_probability=1.0,  # one live version serves every session
        logprob=None if reply.reason in _UNFINISHED else reply.logprob,
        queue_ms=reply.queue_ms,
        ttft_ms=reply.ttft_ms,
        total_ms=reply.total_ms,
        created_at=datetime.now(UTC),
        consent=session.consent,
    )


def _sampling(turn: OpenTurn) -> dict[str, JSON]:
    drawn = asdict(turn.sampling)
    judge: dict[str, JSON] = {"judge": turn.judge} if turn.judge else {}
    return {**drawn, "stop": list(turn.sampling.stop), "best_of": turn.best_of, **judge}
