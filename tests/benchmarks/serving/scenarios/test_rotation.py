"""Peers in turn."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from pathlib import Path

import pytest

from benchmarks.errors import PeerBrokeError, PeerMissingError
from benchmarks.serving.cast import Member
from benchmarks.serving.load import WARM_TOKENS, turn
from benchmarks.serving.peers import PlayerTurn
from benchmarks.serving.scenarios.rotation import Entry, rotate
from npc_server.engine.vocab import Vocab
from personas.persona_files import SAMPLE_CHARACTERS, load_character

Events = list[tuple[str, str]]


class Scripted:
    """A peer that writes down what is done with it, and breaks when its faults say so."""

    def __init__(self, name: str, events: Events, faults: Sequence[Exception] = ()) -> None:
        self.name = name
        self._events = events
        self._faults = list(faults)

    async def start(self) -> None:
        self._events.append((self.name, "start"))
        if self._faults and isinstance(self._faults[0], PeerMissingError):
            raise self._faults.pop(0)

    async def ready(self, turns: Sequence[PlayerTurn]) -> None: ...

    async def say(self, turn: PlayerTurn) -> AsyncGenerator[int]:
        warm = turn.sampling.max_tokens == WARM_TOKENS
        self._events.append((self.name, "warm" if warm else "say"))
        if self._faults and not warm:
            raise self._faults.pop(0)
        yield 1

    async def stop(self) -> None:
        self._events.append((self.name, "stop"))


@pytest.fixture
def vocab(tiny_model: Path) -> Vocab:
    return Vocab(tiny_model)


def entry(peer: Scripted, vocab: Vocab) -> Entry:
    member = Member(0, load_character(SAMPLE_CHARACTERS / "mira"))
    return Entry(peer, lambda number: [turn(member, vocab, 0, number)], users=1)


def quietly(what: str, done: int, total: int) -> None: ...


async def test_rounds_alternate_and_their_order_changes(vocab: Vocab) -> None:
    events: Events = []
    entries = [entry(Scripted(name, events), vocab) for name in "ab"]
    await rotate(entries, 2, quietly)
    assert [name for name, what in events if what == "say"] == ["a", "b", "b", "a"]
    assert events[:4] == [("a", "start"), ("a", "warm"), ("b", "start"), ("b", "warm")]


async def test_a_missing_peer_is_left_out_and_noted(vocab: Vocab) -> None:
    absent = Scripted("absent", [], [PeerMissingError("not installed")])
    played = await rotate([entry(absent, vocab), entry(Scripted("a", []), vocab)], 3, quietly)
    assert {name: len(rounds) for name, rounds in played.rounds.items()} == {"a": 3}
    assert played.notes == ["not installed"]


async def test_a_peer_that_breaks_is_started_warm_again_and_noted(vocab: Vocab) -> None:
    events: Events = []
    played = await rotate(
        [entry(Scripted("a", events, [PeerBrokeError("hung up")]), vocab)], 1, quietly
    )
    assert [what for _, what in events] == [
        "start",
        "warm",
        "say",
        "stop",
        "start",
        "warm",
        "say",
        "stop",
    ]
    assert len(played.rounds["a"]) == 1
    assert "hung up" in played.notes[0]


async def test_a_peer_that_keeps_breaking_ends_the_run_and_is_stopped(vocab: Vocab) -> None:
    events: Events = []
    with pytest.raises(PeerBrokeError):
        await rotate([entry(Scripted("a", events, [PeerBrokeError("x")] * 3), vocab)], 1, quietly)
    assert events[-1] == ("a", "stop")
