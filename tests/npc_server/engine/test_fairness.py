"""Waiting turns of several parties: who begins when."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from npc_server.engine.fairness import Rounds, crowding_party


class Line:
    """Turns that wait, by party, as they came."""

    def __init__(self) -> None:
        self.rounds = Rounds()
        self.waiting: list[tuple[int, str]] = []

    def come(self, party: str) -> None:
        own = [number for number, other in self.waiting if other == party]
        self.waiting.append((self.rounds.next_of(party, own), party))

    def begin(self) -> str:
        """Whose turn begins next."""
        number, party = min(self.waiting, key=lambda one: one[0])
        self.waiting.remove((number, party))
        self.rounds.begin(party, number)
        return party


def order(line: Line, turns: int) -> str:
    return "".join(line.begin() for _ in range(turns))


def line_of(parties: Sequence[str]) -> Line:
    line = Line()
    for party in parties:
        line.come(party)
    return line


def test_one_party_is_served_as_it_came() -> None:
    line = line_of("aaaa")
    assert [number for number, _ in line.waiting] == sorted(number for number, _ in line.waiting)
    assert order(line, 4) == "aaaa"


def test_who_comes_behind_hundreds_is_next_but_one() -> None:
    line = line_of("a" * 200)
    assert order(line, 50) == "a" * 50
    line.come("b")
    assert "b" in order(line, 2)


def test_parties_with_much_to_say_take_turns() -> None:
    assert order(line_of("aaaabbbb"), 8) == "abababab"


def test_turns_that_were_given_up_are_not_held_against_their_party() -> None:
    line = line_of("a" * 200)
    order(line, 1)
    line.waiting.clear()
    for party in "bbba":
        line.come(party)
    assert order(line, 4) == "bbab"


@settings(max_examples=50)
@given(st.lists(st.sampled_from("aab"), max_size=40), st.integers(0, 40))
def test_a_newcomer_waits_for_one_turn_of_each_other_party_at_most(
    came: list[str], begun: int
) -> None:
    line = line_of(came)
    order(line, min(begun, len(came)))
    line.come("new")
    others = {party for _, party in line.waiting} - {"new"}
    assert order(line, 1 + len(others)).count("new") == 1


def test_the_longest_line_makes_room() -> None:
    assert crowding_party("aaab", "b") == "a"
    assert crowding_party("aaab", "c") == "a"


def test_who_has_as_much_makes_nobody_go() -> None:
    assert crowding_party("aabb", "a") is None
    assert crowding_party("aab", "b") is None
    assert crowding_party("", "a") is None
