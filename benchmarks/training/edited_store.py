"""A store as an evening of play leaves it: players who rewrite what a character said.

Lines are two of a character's examples in a row, so that they differ; what it said rambles on, and
the player's correction is one of its own replies. Written through the store, as a server would.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from itertools import permutations
from pathlib import Path

from benchmarks.feedback.population import player
from benchmarks.training.rows import CONTEXT_TOKENS, several
from feedback_store.privacy.pseudonyms import ensure_key
from feedback_store.records import Edit, Reaction, Session, Turn
from feedback_store.store import Store
from npc_server.engine.vocab import Vocab
from personas.persona import Example, Persona
from personas.render import prompt, reply_ids

BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)


def write(store: Path, cast: list[Persona], vocab: Vocab, corrections: int, players: int) -> None:
    """Write `corrections` corrections of each character, by `players` players in turn."""
    ensure_key(store.parent / "player.key")
    with Store.open(store) as opened:
        for persona in cast:
            for number, (session, turn, better) in enumerate(
                _corrected_turns(persona, vocab, corrections, players)
            ):
                opened.record_session(session).result()
                opened.record_turn(turn).result()
                event = f"{turn.turn_id}-{number}"
                opened.submit(Reaction(event, Edit(better), turn.created_at, turn.turn_id)).result()


def _corrected_turns(
    persona: Persona, vocab: Vocab, corrections: int, players: int
) -> Iterator[tuple[Session, Turn, str]]:
    chance = random.Random(persona.id)
    asked = chance.sample(list(permutations(persona.examples, 2)), corrections)
    for number, (first, then) in enumerate(asked):
        at = BEGINNING + timedelta(minutes=number)
        name = player(number % players)
        session = Session(f"{persona.id}-s{number}", name, persona.id, persona.version, True, at)
        turn = _turn(persona, vocab, session, f"{first.player} {then.player}", number, chance)
        yield session, turn, _better(first, then)


def _better(first: Example, then: Example) -> str:
    return f"{then.reply} {first.reply.split('.')[0]}."


def _turn(
    persona: Persona,
    vocab: Vocab,
    session: Session,
    line: str,
    number: int,
    chance: random.Random,
) -> Turn:
    rendered = prompt(persona, (), line, vocab, CONTEXT_TOKENS)
    rambling = several([example.reply for example in persona.examples], chance)
    return Turn(
        turn_id=f"{persona.id}-t{number}",
        session_id=session.session_id,
        character=persona.id,
        player_id=session.player_id,
        persona_version=persona.version,
        adapter_version="",
        adapter_hash="",
        base_sha256="",
        messages=tuple(asdict(message) for message in rendered.messages),
        prompt_ids=rendered.ids,
        reply_ids=reply_ids(rambling, vocab),
        player_text=line,
        reply_text=rambling,
        take=0,
        first_turn_id=f"{persona.id}-t{number}",
        finish_reason="stop",
        sampling={},
        seed=number,
        arm_probability=1.0,
        logprob=None,
        queue_ms=0,
        ttft_ms=0,
        total_ms=0,
        created_at=session.started_at,
        consent=True,
    )
