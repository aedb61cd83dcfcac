"""Idle talk: short lines to nobody, of several characters in one batch.

They are drawn behind what players wait for, each character under its own adapter, and kept by the
game until it plays them. What a reply may not be they may not be either; for those that are left
out as many are drawn once more.
"""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

from feedback_store.records import DEFAULT_GAME
from npc_server.adapters import Adapters, LiveAdapter
from npc_server.cast import cast_member
from npc_server.engine.protocol import Request, Sampling
from npc_server.errors import InvalidRequestError
from npc_server.limits import check_count, check_short_text
from npc_server.reply_sampling import sampling_of
from npc_server.reranking import AVOIDED, draw
from npc_server.turns import SENTENCE_RULE, Model
from personas.faults import ReplyInContext, find_faults, gravest
from personas.notes import direction
from personas.persona import Persona
from personas.render import prompt

MAX_CHARACTERS = 8  # at once
MAX_BARKS = 8  # of one character
MAX_SITUATION_CHARACTERS = 300
_ROUNDS = 2
_ORDER = "Say one short sentence to nobody."
_SEEDS = 1 << 32


@dataclass(frozen=True)
class Bark:
    """A line to nobody."""

    character: str
    text: str
    adapter_version: str


@dataclass
class _Wanted:
    """A character's lines so far, and what draws more."""

    persona: Persona
    adapter: LiveAdapter
    ids: tuple[int, ...]
    opening_tokens: int
    said: list[str] = field(default_factory=list)

    def request(self, sampling: Sampling, game: str) -> Request:
        """Draws one line."""
        return Request(
            f"bark-{uuid.uuid4().hex}",
            self.ids,
            self.adapter.content_hash,
            sampling,
            pinned_tokens=self.opening_tokens,
            background=True,
            sentences=SENTENCE_RULE,
            party=game,
        )

    def hear(self, text: str, situation: str) -> None:
        """Keep a line, unless it is one that no character says, or says again."""
        line = text.strip()
        at = ReplyInContext(self.persona, line, situation, tuple(self.said))
        if "[" not in line and gravest(find_faults(at, AVOIDED)) is None:
            self.said.append(line)


class Barks:
    """Makes idle talk."""

    def __init__(self, characters: Mapping[str, Persona], model: Model, adapters: Adapters) -> None:
        self._characters = characters
        self._model = model
        self._adapters = adapters

    async def bark(
        self,
        characters: Sequence[str],
        situation: str,
        lines: int,
        seed: int | None,
        game: str = DEFAULT_GAME,
    ) -> list[Bark]:
        """So many lines of each character for a game, fewer where none without fault was drawn.

        Raises InvalidRequestError, UnknownCharacterError, and the engine's errors.
        """
        text = check_short_text("situation", situation, MAX_SITUATION_CHARACTERS)
        personas = self._personas(characters)
        check_count("lines", lines, MAX_BARKS)
        with ExitStack() as leases:
            wanted = [
                self._drawer(one, leases.enter_context(self._adapters.lease(one.id)), text)
                for one in personas
            ]
            first = secrets.randbits(32) if seed is None else seed
            for number in range(_ROUNDS):
                seed = first + number * MAX_BARKS * MAX_CHARACTERS
                await self._draw(wanted, lines, text, seed, game)
            return [Bark(w.persona.id, s, w.adapter.version) for w in wanted for s in w.said]

    async def _draw(
        self, wanted: Sequence[_Wanted], lines: int, situation: str, seed: int, game: str
    ) -> None:
        """Draw in one batch what is missing."""
        missing = [one for one in wanted for _ in range(lines - len(one.said))]
        if not missing:
            return
        requests = [
            one.request(_short(one.persona, (seed + number) % _SEEDS), game)
            for number, one in enumerate(missing)
        ]
        by_request = {
            request.request_id: one for request, one in zip(requests, missing, strict=True)
        }
        for drawn in await draw(self._model.engine, requests):
            by_request[drawn.request.request_id].hear(drawn.reply.text, situation)

    def _drawer(self, persona: Persona, adapter: LiveAdapter, situation: str) -> _Wanted:
        most = self._model.reply_context - persona.sampling.max_reply_tokens
        order = direction(f"{situation} {_ORDER}")
        made = prompt(persona, (), order, self._model.tokenizer, most)
        return _Wanted(persona, adapter, made.ids, made.opening_tokens)

    def _personas(self, characters: Sequence[str]) -> list[Persona]:
        if not 1 <= len(characters) <= MAX_CHARACTERS or len(set(characters)) < len(characters):
            raise InvalidRequestError(
                f"characters holds {len(characters)}; name 1 to {MAX_CHARACTERS}, each once"
            )
        return [cast_member(self._characters, "characters", c) for c in characters]


def _short(persona: Persona, seed: int) -> Sampling:
    return sampling_of(persona, seed, {"max_sentences": 1})
