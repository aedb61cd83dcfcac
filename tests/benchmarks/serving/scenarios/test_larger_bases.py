"""What eight players on a larger base tell."""

from __future__ import annotations

import pytest

from benchmarks.measures import Round, TimedReply
from benchmarks.serving.figures import MARKS
from benchmarks.serving.scenarios.larger_bases import NAMES, RANKS, figures, key_of
from benchmarks.serving.scenarios.side_by_side import LLAMA_SERVER, ONE_CHARACTER, OURS


def played(seconds: float) -> list[Round]:
    """One round of one reply that took so long."""
    return [Round((TimedReply(0, "c000", 0.0, (seconds / 2,), seconds, 48),))]


def test_characters_of_their_own_are_held_against_a_shared_one_and_the_peer() -> None:
    rounds = {OURS: played(2.0), ONE_CHARACTER: played(1.0), LLAMA_SERVER: played(8.0)}
    found = {name: figure.value for name, figure in figures("1b", rounds).items()}
    assert found["mixed_over_shared_8_1b"] == pytest.approx(0.5)
    assert found["vs_llama_server_8_1b"] == pytest.approx(4.0)


def test_a_peer_that_is_missing_leaves_its_figure_out() -> None:
    found = figures("1b", {OURS: played(2.0), ONE_CHARACTER: played(1.0)})
    assert list(found) == ["mixed_over_shared_8_1b"]


def test_every_figure_has_its_mark() -> None:
    rounds = dict.fromkeys((OURS, ONE_CHARACTER, LLAMA_SERVER), played(1.0))
    keys = [key_of(name, rank) for name in NAMES.values() for rank in RANKS]
    found = {figure for key in keys for figure in figures(key, rounds)}
    assert found <= {mark.key for mark in MARKS}
