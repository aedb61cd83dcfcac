"""Simulated players: people with a stated taste who visit characters and react as real ones do.

They act through the API alone. An editor rewrites a bad reply; a picker asks for another take and
keeps the better one; a voter only gives thumbs, and so do the others unless `thumbs` is off. Some
votes are random, as far as `noise` says.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from importlib import resources
from typing import Any

import yaml

from npc_client.client import Client, Reply
from npc_client.tastes import Phrases, Taste


class Habit(StrEnum):
    """How a player reacts to a reply that is not liked."""

    EDITS = "edits"
    PICKS = "picks"
    VOTES = "votes"
    """By a thumb and nothing else."""


@dataclass(frozen=True)
class Player:
    """One simulated player."""

    player_id: str
    taste: Taste
    habit: Habit
    thumbs: bool = True  # whether they give every reply a thumb
    noise: float = 0.0  # share of their judgements that are random


@dataclass(frozen=True)
class Visit:
    """One session: a player walks up to a character and says a few lines."""

    player: Player
    character: str
    lines: tuple[str, ...]
    seed: int


def lines_of(character: str, kind: str) -> tuple[str, ...]:
    """Written player lines: kind is "visits", "questions" or "more_questions"."""
    return tuple(_authored_lines(character)[kind])


def phrases_of(character: str) -> Phrases:
    """The character's words in players' corrections."""
    return Phrases(**_authored_lines(character)["corrections"])


def _authored_lines(character: str) -> Mapping[str, Any]:
    text = (resources.files("npc_client") / "player_lines.yaml").read_text(encoding="utf-8")
    lines: Mapping[str, Mapping[str, Any]] = yaml.safe_load(text)
    return lines[character]


def population(size: int, taste: Taste) -> list[Player]:
    """Players of one taste: most edit, every fourth picks."""
    return [
        Player(f"player-{i:02d}", taste, Habit.PICKS if i % 4 == 3 else Habit.EDITS)
        for i in range(size)
    ]


def visits(
    players: Sequence[Player], character: str, lines_per_visit: int, rounds: int, seed: int
) -> list[list[Visit]]:
    """Rounds in which every player visits once; lines are dealt like cards, so few repeat."""
    generator = random.Random(seed)
    deck: list[str] = []
    planned = []
    for round_ in range(rounds):
        visits_now = []
        for i, player in enumerate(players):
            if len(deck) < lines_per_visit:
                deck = list(lines_of(character, "visits"))
                generator.shuffle(deck)
            lines = tuple(deck.pop() for _ in range(lines_per_visit))
            visits_now.append(Visit(player, character, lines, seed + 1000 * round_ + 10 * i))
        planned.append(visits_now)
    return planned


async def play(client: Client, visit: Visit, counts: Counter[str]) -> None:
    """Carry out a visit, counting what happened by kind."""
    player_id = visit.player.player_id
    session = await client.start_session(visit.character, player_id, training_consent=True)
    counts["sessions"] += 1
    for number, line in enumerate(visit.lines):
        reply = await client.say(session.session_id, line, seed=visit.seed + number)
        counts["replies"] += 1
        await _react(client, visit, session.session_id, reply, number, counts)
    await client.end_session(session.session_id)


async def _react(
    client: Client, visit: Visit, session_id: str, reply: Reply, number: int, counts: Counter[str]
) -> None:
    player, seed = visit.player, visit.seed + number
    pleased = vote(player, player.taste.likes(reply.text), seed)
    if player.thumbs:
        reasons = [] if pleased else _why(player, reply)
        await client.thumb(reply.turn_id, up=pleased, reasons=reasons)
        counts["thumbs"] += 1
    if pleased or player.habit is Habit.VOTES:
        return
    if player.habit is Habit.EDITS:
        text = player.taste.rewrite(visit.lines[number], reply.text, seed)
        await client.edit(reply.turn_id, text)
        counts["edits"] += 1
        return
    other = await client.regenerate(session_id, reply.turn_id, seed=seed + 500)
    counts["replies"] += 1
    if kept := _better_take(player, reply, other, seed):
        over = other if kept is reply else reply
        await client.choose(kept.turn_id, [over.turn_id], 1 if kept is reply else 2)
        counts["choices"] += 1


def vote(player: Player, honest: bool, seed: int) -> bool:
    """The player's vote for an honest opinion; now and then, by `noise`, a random one."""
    chance = random.Random(f"{player.player_id}/{seed}")
    return chance.random() < 0.5 if chance.random() < player.noise else honest


def _better_take(player: Player, first: Reply, second: Reply, seed: int) -> Reply | None:
    """The take that the player keeps; None when both are liked as much."""
    lead = player.taste.points(second.text) - player.taste.points(first.text)
    if not lead:
        return None
    return second if vote(player, lead > 0, seed + 500) else first


def _why(player: Player, reply: Reply) -> list[str]:
    most = player.taste.most_words
    return ["too_long"] if most and len(reply.text.split()) > most else ["boring"]
