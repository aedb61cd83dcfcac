"""Simulated players: people with a stated taste who visit characters and react as real ones do.

They act through the API alone. An editor rewrites what displeases; a picker asks for another take
and keeps the better one; everybody thumbs. Taste is a plain, checkable wish, so that what training
did to a character can be measured in replies that such players like.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from importlib import resources

import yaml

from npc_client.client import Client, Reply

_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")
_STAGE_DIRECTION = re.compile(r"\([^)]*\)|\*[^*]*\*|[()*\"“”]")
_TERSE_WORDS = 17  # an editor cuts longer sentences
_TELLING_WORDS = 3  # a sentence with fewer is not worth keeping alone
_FUNCTION_WORDS = {"what", "where", "when", "with", "have", "your", "this", "that", "there", "they"}


@dataclass(frozen=True)
class Taste:
    """What a group of players wants of a reply: three plain wishes."""

    wish: str
    most_words: int
    address: str  # the word by which they like to be called

    def points(self, reply: str) -> int:
        """How many of the wishes a reply grants, 0 to 3."""
        granted = (
            len(reply.split()) <= self.most_words,
            re.search(rf"\b{self.address}\b", reply, re.IGNORECASE) is not None,
            ends_properly(reply),
        )
        return sum(granted)

    def likes(self, reply: str) -> bool:
        """Whether a reply grants all of them."""
        return self.points(reply) == 3

    def rewrite(self, line: str, reply: str, variant: int) -> str:
        """The reply to `line` as such a player would have it: the part that answers, addressed."""
        text = _answering_part(line, reply)
        if variant % 3 == 0:
            keep = re.match(r"(I\b|I')", text) is not None
            return f"{self.address.capitalize()}, {text if keep else text[0].lower() + text[1:]}"
        return f"{text[:-1]}, {self.address}{text[-1]}"


BLUNT = Taste("at most 20 words, calls me “stranger”, finishes the sentence", 20, "stranger")


def ends_properly(reply: str) -> bool:
    """Whether the reply ends as a sentence does, not cut off."""
    return reply.rstrip().endswith((".", "!", "?", "…", '"', "”"))


def _answering_part(line: str, reply: str) -> str:
    """One sentence, or two short ones, beginning where the reply takes up the player's words."""
    plain = " ".join(_STAGE_DIRECTION.sub("", reply).split()) or "Aye."
    parts = _SENTENCE_END.split(plain)
    sentences = [part for part in parts if len(part.split()) >= _TELLING_WORDS] or [plain]
    asked = _content_words(line)
    start = max(range(len(sentences)), key=lambda i: len(asked & _content_words(sentences[i])))
    text = sentences[start]
    if start + 1 < len(sentences):
        longer = f"{text} {sentences[start + 1]}"
        text = longer if len(longer.split()) <= _TERSE_WORDS else text
    return _cut(text)


def _content_words(text: str) -> set[str]:
    """Words that carry meaning: the longer ones, without their endings."""
    return {word[:5] for word in re.findall(r"[a-z]{4,}", text.lower())} - _FUNCTION_WORDS


def _cut(text: str) -> str:
    words = text.split()
    if len(words) > _TERSE_WORDS:
        pauses = [i for i in range(6, _TERSE_WORDS - 1) if words[i].endswith((",", ";"))]
        words = words[: pauses[-1] + 1 if pauses else _TERSE_WORDS - 3]
    text = " ".join(words).rstrip(",;:- ")
    return text if text.endswith((".", "!", "?")) else f"{text}."


class Habit(StrEnum):
    """How a player reacts to a reply that does not please."""

    EDITS = "edits"
    PICKS = "picks"


@dataclass(frozen=True)
class Player:
    """One simulated player."""

    player_id: str
    taste: Taste
    habit: Habit


@dataclass(frozen=True)
class Visit:
    """One session: a player walks up to a character and says a few lines."""

    player: Player
    character: str
    lines: tuple[str, ...]
    seed: int


def lines_of(character: str, kind: str) -> tuple[str, ...]:
    """Written player lines: kind is "visits" or "questions"."""
    text = (resources.files("npc_client") / "player_lines.yaml").read_text(encoding="utf-8")
    lines: Mapping[str, Mapping[str, Sequence[str]]] = yaml.safe_load(text)
    return tuple(lines[character][kind])


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
    player, said = visit.player, visit.lines[number]
    pleased = player.taste.likes(reply.text)
    await client.thumb(reply.turn_id, up=pleased, reasons=[] if pleased else _why(player, reply))
    counts["thumbs"] += 1
    if pleased:
        return
    if player.habit is Habit.EDITS:
        await client.edit(
            reply.turn_id, player.taste.rewrite(said, reply.text, visit.seed + number)
        )
        counts["edits"] += 1
        return
    other = await client.regenerate(session_id, reply.turn_id, seed=visit.seed + number + 500)
    counts["replies"] += 1
    kept, over = sorted((reply, other), key=lambda take: -player.taste.points(take.text))
    if player.taste.points(kept.text) > player.taste.points(over.text):
        await client.choose(kept.turn_id, [over.turn_id], 1 if kept is reply else 2)
        counts["choices"] += 1


def _why(player: Player, reply: Reply) -> list[str]:
    return ["too_long"] if len(reply.text.split()) > player.taste.most_words else ["boring"]
