"""Who says what to whom."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from itertools import product
from pathlib import Path

import pytest

from benchmarks.errors import PeerBrokeError
from benchmarks.serving.cast import Member
from benchmarks.serving.load import line, long_turn, play, turn, zipf
from benchmarks.serving.peers import PlayerTurn
from npc_server.engine.vocab import Vocab
from personas.persona_files import SAMPLE_CHARACTERS, load_character
from personas.render import prompt


class Echo:
    """A peer that says three tokens and takes back one; user 1 breaks it when asked to."""

    name = "echo"

    def __init__(self, breaks: bool = False) -> None:
        self.breaks = breaks
        self.speaking = 0
        self.most_speaking = 0

    async def start(self) -> None: ...

    async def ready(self, turns: Sequence[PlayerTurn]) -> None: ...

    async def stop(self) -> None: ...

    async def say(self, turn: PlayerTurn) -> AsyncGenerator[int]:
        self.speaking += 1
        self.most_speaking = max(self.most_speaking, self.speaking)
        if self.breaks and turn.user == 1:
            raise PeerBrokeError("it broke")
        for count in (1, 2, -1):
            await asyncio.sleep(0)
            yield count
        self.speaking -= 1


@pytest.fixture(scope="module")
def vocab(tiny_model: Path) -> Vocab:
    return Vocab(tiny_model)


@pytest.fixture(scope="module")
def member() -> Member:
    return Member(0, load_character(SAMPLE_CHARACTERS / "mira"))


def test_no_line_is_said_twice() -> None:
    lines = [line(user, number) for user, number in product(range(100), range(-1, 5))]
    assert len(set(lines)) == len(lines)


def test_every_peer_is_given_the_ids_the_server_renders(vocab: Vocab, member: Member) -> None:
    asked = turn(member, vocab, user=3, round_number=2)
    assert asked.ids == prompt(member.persona, (), asked.line, vocab, 10_000).ids


def test_a_long_turn_is_as_long_as_the_questions_in_it(vocab: Vocab, member: Member) -> None:
    assert long_turn(member, vocab, 0, 16).line.count("?") == 16


def test_zipf_draws_the_first_twice_as_often_as_the_second() -> None:
    drawn = Counter(zipf(100, 20_000, seed=0))
    assert drawn[0] / drawn[1] == pytest.approx(2, rel=0.1)
    assert len(drawn) == 100


async def test_users_take_turns_from_one_queue(vocab: Vocab, member: Member) -> None:
    peer = Echo()
    played = await play(peer, [turn(member, vocab, i, 0) for i in range(7)], users=3)
    assert sorted(reply.user for reply in played.replies) == list(range(7))
    assert peer.most_speaking == 3


async def test_a_correction_changes_the_count_and_is_no_arrival(
    vocab: Vocab, member: Member
) -> None:
    played = await play(Echo(), [turn(member, vocab, 0, 0)], users=1)
    assert [(reply.tokens, len(reply.arrived_s)) for reply in played.replies] == [(2, 2)]


async def test_a_peer_that_breaks_breaks_the_round(vocab: Vocab, member: Member) -> None:
    with pytest.raises(PeerBrokeError, match="it broke"):
        await play(Echo(breaks=True), [turn(member, vocab, i, 0) for i in range(3)], users=3)
