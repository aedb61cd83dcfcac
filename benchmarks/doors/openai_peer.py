"""The server's OpenAI API, as a peer that speaks to a server of another peer.

It reads the stream by itself: OpenAI's own client takes more of the processor than the door.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Mapping, Sequence
from itertools import count
from typing import Any

import httpx

from benchmarks.errors import PeerBrokeError
from benchmarks.serving.peers import PlayerTurn

_DATA = "data: "


class OpenAiPeer:
    """Replies of a running server as chat completions."""

    def __init__(self, name: str, port: int) -> None:
        self.name = name
        self._client = httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{port}", timeout=None, trust_env=False
        )
        self._players = count()  # so that no turn is another take

    async def start(self) -> None:
        """The server is started by its own peer."""

    async def ready(self, turns: Sequence[PlayerTurn]) -> None:
        """Every turn begins a talk of its own."""

    async def say(self, turn: PlayerTurn) -> AsyncGenerator[int]:
        """Speak as a player who is new."""
        seen, body = 0, _body(turn, f"player-{next(self._players)}")
        async with self._client.stream("POST", "/v1/chat/completions", json=body) as answer:
            async for line in answer.aiter_lines():
                told = json.loads(line[len(_DATA) :]) if line.startswith(f"{_DATA}{{") else {}
                if "error" in told or not answer.is_success:
                    raise PeerBrokeError(f"{self.name}: {answer.status_code}: {line}")
                if usage := told.get("usage"):
                    yield usage["completion_tokens"] - seen
                elif _says_something(told):
                    seen += 1
                    yield 1

    async def stop(self) -> None:
        """The server is ended by its own peer."""
        await self._client.aclose()


def _says_something(told: Mapping[str, Any]) -> bool:
    return any(choice["delta"].get("content") for choice in told.get("choices", ()))


def _body(turn: PlayerTurn, player: str) -> Mapping[str, Any]:
    sampling = turn.sampling
    return {
        "model": turn.member.id,
        "user": player,
        "messages": [{"role": "user", "content": turn.line}],
        "stream": True,
        "stream_options": {"include_usage": True},
        "seed": sampling.seed,
        "min_tokens": sampling.min_tokens,
        "max_tokens": sampling.max_tokens,
        "max_sentences": sampling.max_sentences,
    }
