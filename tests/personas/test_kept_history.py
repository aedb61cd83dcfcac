"""Which exchanges of a long conversation stay in the prompt."""

from itertools import accumulate, pairwise

from hypothesis import given
from hypothesis import strategies as st

from personas.kept_history import KEPT_SHARE, Room, first_kept, reply_tokens_set_aside

ROOM = Room(800, 800)

exchanges = st.lists(st.integers(10, 300), max_size=80)
rooms = st.integers(-50, 1200).flatmap(
    lambda usual: st.integers(usual, 1300).map(lambda most: Room(most, usual))
)


@given(exchanges, st.integers(1, 500), rooms)
def test_no_prompt_is_ever_over_its_room(sizes: list[int], line: int, room: Room) -> None:
    kept = sizes[first_kept(sizes, line, room) :]
    assert not kept or sum(kept) + line <= room.most
    assert sum(kept) <= max(room.history, 0)


@given(exchanges, rooms)
def test_the_beginning_never_goes_back_while_a_conversation_grows(
    sizes: list[int], room: Room
) -> None:
    begins = [first_kept(sizes[:turns], 0, room) for turns in range(len(sizes) + 1)]
    assert begins == sorted(begins)


@given(exchanges, st.integers(1, 64), rooms)
def test_a_usual_line_changes_nothing(sizes: list[int], line: int, room: Room) -> None:
    short = min(line, room.usual - room.history)
    assert first_kept(sizes, short, room) == first_kept(sizes, 0, room)


@given(exchanges)
def test_what_is_left_of_a_conversation_begins_where_the_whole_does(sizes: list[int]) -> None:
    middle = first_kept(sizes[: len(sizes) // 2], 0, ROOM)
    assert middle + first_kept(sizes[middle:], 0, ROOM) == first_kept(sizes, 0, ROOM)


@given(st.lists(st.integers(20, 90), min_size=60, max_size=80))
def test_after_a_drop_there_is_room_for_several_turns(sizes: list[int]) -> None:
    begins = [first_kept(sizes[:turns], 0, ROOM) for turns in range(len(sizes) + 1)]
    drops = [turns for turns, (a, b) in enumerate(pairwise(begins), 1) if a != b]
    freed = ROOM.history * (1 - KEPT_SHARE)
    total = [0, *accumulate(sizes)]
    assert all(total[b] - total[a] >= freed - 90 for a, b in pairwise(drops))


def test_the_newest_exchange_stays_where_it_fits() -> None:
    assert first_kept([100, 100, 700], 0, ROOM) == 2
    assert first_kept([100, 100, 740], 0, ROOM) == 3


def test_a_long_line_takes_more_with_it() -> None:
    assert first_kept([100] * 7, 64, ROOM) == 0
    assert first_kept([100] * 7, 500, ROOM) == 6


def test_a_shorter_reply_than_usual_frees_no_room_and_long_ones_begin_alike() -> None:
    assert reply_tokens_set_aside(own=80, asked=24) == 80
    assert reply_tokens_set_aside(own=80, asked=130) == reply_tokens_set_aside(80, 250) == 256
