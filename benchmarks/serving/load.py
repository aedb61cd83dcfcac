"""The load: users, their lines and characters, and the order in which turns are played.

Everything is decided from small numbers (user, round), so every peer gets the same lines with the
same seeds. A line is never said twice, so it is new to every cache.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import replace

from benchmarks.measures import Round, TimedReply
from benchmarks.serving.cast import Cast, Member
from benchmarks.serving.peers import Peer, PlayerTurn
from npc_server.engine.protocol import Sampling
from npc_server.reply_sampling import sampling_of
from personas.render import Tokenizer, prompt

WARM_ROUND = -1  # its lines are never said again
WARM_TOKENS = 4
REPLY_TOKENS = 48

_THINGS = ("lantern", "ledger", "ferry", "well", "bell", "orchard", "mill", "gate", "map", "ring")
_PLACES = ("the harbour", "the old bridge", "the market", "the tower", "the north road")
_QUESTIONS = (
    "What do you know about the {thing} near {place} that broke {count} days ago?",
    "I lost {count} coins by the {thing} at {place}. Who could have seen it?",
    "Somebody paid {count} silver for the {thing} from {place}. Was that fair?",
    "They say {count} people guard the {thing} at {place} now. Is it true?",
)


def line(user: int, round_number: int) -> str:
    """What a user says in a round: some fifteen tokens, different for every pair."""
    draw = random.Random(f"{user}/{round_number}")
    count = 100 + 37 * user + round_number  # keeps two lines with equal nouns apart
    question = draw.choice(_QUESTIONS)
    return question.format(thing=draw.choice(_THINGS), place=draw.choice(_PLACES), count=count)


def turn(member: Member, tokenizer: Tokenizer, user: int, round_number: int) -> PlayerTurn:
    """One user's question in one round; a warm-up is answered with a few words."""
    tokens = WARM_TOKENS if round_number == WARM_ROUND else REPLY_TOKENS
    return turn_of(member, tokenizer, user, line(user, round_number), tokens)


def long_turn(member: Member, tokenizer: Tokenizer, user: int, lines: int) -> PlayerTurn:
    """One user's `lines` questions in one breath, answered with a few words."""
    text = " ".join(line(user, 1000 + number) for number in range(lines))
    return turn_of(member, tokenizer, user, text, WARM_TOKENS)


def turn_of(member: Member, tokenizer: Tokenizer, user: int, text: str, tokens: int) -> PlayerTurn:
    """One user's words to a character, first of a session, with the ids that every peer is given.

    The reply has exactly `tokens` tokens.
    """
    ids = prompt(member.persona, (), text, tokenizer, budget_tokens=100_000).ids
    sampling = sampling_of(member.persona, seed=user)
    return lengthened(PlayerTurn(user, member, text, ids, sampling), tokens)


def exactly(tokens: int, sampling: Sampling) -> Sampling:
    """How to draw a reply of so many tokens, wherever its sentences end."""
    return replace(sampling, min_tokens=tokens, max_tokens=tokens, max_sentences=0)


def lengthened(turn: PlayerTurn, tokens: int) -> PlayerTurn:
    """The same words, answered with exactly `tokens` tokens."""
    return replace(turn, sampling=exactly(tokens, turn.sampling))


def one_each(cast: Cast, tokenizer: Tokenizer, users: int, round_number: int) -> list[PlayerTurn]:
    """Every user speaks to a character of their own."""
    members = cast.members[:users]
    return [turn(member, tokenizer, i, round_number) for i, member in enumerate(members)]


def all_to_one(cast: Cast, tokenizer: Tokenizer, users: int, round_number: int) -> list[PlayerTurn]:
    """Every user speaks to the first character."""
    return [turn(cast.members[0], tokenizer, i, round_number) for i in range(users)]


def zipf(size: int, draws: int, seed: int) -> list[int]:
    """Indices below `size`, drawn with weights 1, 1/2, 1/3, ..."""
    weights = [1 / (rank + 1) for rank in range(size)]
    return random.Random(seed).choices(range(size), weights, k=draws)


async def play(peer: Peer, turns: Sequence[PlayerTurn], users: int) -> Round:
    """Let `users` users take the turns in order, each the next one when its last is over.

    Raises PeerBrokeError.
    """
    await peer.ready(turns)
    queue, spoken = iter(turns), list[TimedReply]()
    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(users):
                group.create_task(_take_turns(peer, queue, spoken))
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from errors
    return Round(tuple(spoken))


async def _take_turns(peer: Peer, queue: Iterator[PlayerTurn], spoken: list[TimedReply]) -> None:
    for turn in queue:
        spoken.append(await time_reply(peer, turn))


async def time_reply(peer: Peer, turn: PlayerTurn) -> TimedReply:
    """Play one turn and time its reply."""
    asked, arrived, tokens = time.perf_counter(), list[float](), 0
    async with aclosing(peer.say(turn)) as stream:
        async for count in stream:
            tokens += count
            if count > 0:
                arrived.append(time.perf_counter())
    ended = time.perf_counter()
    return TimedReply(turn.user, turn.member.id, asked, tuple(arrived), ended, tokens)


def short_replies(rounds: Iterable[Round], reply_tokens: int) -> int:
    """The number of replies that do not have `reply_tokens` tokens."""
    spoken = (reply for played in rounds for reply in played.replies)
    return sum(reply.tokens != reply_tokens for reply in spoken)
