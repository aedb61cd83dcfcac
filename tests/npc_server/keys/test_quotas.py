"""How much games and their players may do."""

from __future__ import annotations

import pytest

from npc_server.errors import QuotaError
from npc_server.keys.quotas import Bucket, Client, Limits, Quotas

SALT = Client("salt")


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def test_a_player_has_so_many_turns_at_once() -> None:
    quotas = Quotas(Limits(), Limits(turns=1))
    with quotas.turn("salt", "ann"):
        with pytest.raises(QuotaError, match="has 1 turns running"), quotas.turn("salt", "ann"):
            pass
        with quotas.turn("salt", "bob"), quotas.turn("sugar", "ann"):
            pass
    with quotas.turn("salt", "ann"):
        pass


def test_a_game_has_so_many_turns_at_once_whoever_speaks() -> None:
    quotas = Quotas(Limits(turns=2), Limits())
    with quotas.turn("salt", "ann"), quotas.turn("salt", "bob"):
        with pytest.raises(QuotaError, match="game salt"), quotas.turn("salt", "cid"):
            pass
        with quotas.turn("sugar", "ann"):
            pass


def test_a_turn_that_fails_is_over() -> None:
    quotas = Quotas(Limits(turns=1), Limits())
    for _ in range(2):
        with pytest.raises(ZeroDivisionError), quotas.turn("salt", "ann"):
            raise ZeroDivisionError


def test_what_is_taken_is_there_again_after_a_while() -> None:
    clock = Clock()
    bucket = Bucket("tokens", clock)
    bucket.take(SALT, 60, 90)
    with pytest.raises(QuotaError, match="60 tokens a minute") as caught:
        bucket.require(SALT, 60)
    assert caught.value.retry_after_s == pytest.approx(31)
    clock.now_s += caught.value.retry_after_s
    bucket.require(SALT, 60)


def test_a_minute_without_use_is_not_saved_up() -> None:
    clock = Clock()
    bucket = Bucket("tokens", clock)
    bucket.take(SALT, 60, 30)
    clock.now_s += 3600
    bucket.take(SALT, 60, 60)
    with pytest.raises(QuotaError):
        bucket.require(SALT, 60)


def test_said_tokens_count_against_the_next_turn() -> None:
    quotas = Quotas(Limits(), Limits(tokens_per_minute=10))
    with quotas.turn("salt", "ann") as spent:
        spent.tokens = 40
    with pytest.raises(QuotaError, match="10 tokens a minute"), quotas.turn("salt", "ann"):
        pass
    with quotas.turn("salt", "bob"):
        pass


def test_events_count_by_game() -> None:
    quotas = Quotas(Limits(events_per_minute=5), Limits())
    quotas.take_events("salt", "", 5)
    with pytest.raises(QuotaError, match="5 events a minute"):
        quotas.take_events("salt", "", 1)
    quotas.take_events("sugar", "", 1)


@pytest.mark.parametrize(
    ("game", "player"), [(Limits(sessions=2), Limits()), (Limits(), Limits(sessions=1))]
)
def test_sessions_are_counted(game: Limits, player: Limits) -> None:
    opened: dict[tuple[str, str], int] = {("salt", ""): 2, ("salt", "ann"): 1}

    def count(game: str, player_id: str) -> int:
        return opened.get((game, player_id), 0)

    with pytest.raises(QuotaError, match="sessions open"):
        Quotas(game, player).require_session("salt", "ann", count)
    Quotas(game, player).require_session("sugar", "ann", count)


def test_without_limits_everybody_does_as_they_like() -> None:
    quotas = Quotas(Limits(), Limits())
    quotas.take_events("salt", "ann", 10**6)
    with quotas.turn("salt", "ann") as spent:
        spent.tokens = 10**6
    with quotas.turn("salt", "ann"):
        quotas.require_session("salt", "ann", lambda *_: 10**6)
