"""Ids of turns."""

import time

from npc_server.turns import new_turn_id


def test_later_turns_have_greater_ids() -> None:
    ids = []
    for _ in range(5):
        ids.append(new_turn_id())
        time.sleep(0.002)
    assert ids == sorted(ids)


def test_ids_are_32_hex_digits_and_differ_within_a_moment() -> None:
    ids = [new_turn_id() for _ in range(1000)]
    assert len(set(ids)) == 1000
    assert {len(name) for name in ids} == {32}
    assert set("".join(ids)) <= set("0123456789abcdef")
