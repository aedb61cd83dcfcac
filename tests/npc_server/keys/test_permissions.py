"""The table of who may make which call."""

from __future__ import annotations

import pytest

from npc_server.errors import ForbiddenError
from npc_server.keys.callers import LOCAL, Caller, Role
from npc_server.keys.permissions import PERMISSIONS, require_permission
from tests.support.contract import METHODS

OPENAI = {"/v1/chat/completions", "/v1/feedback", "/v1/models"}


def test_the_table_has_a_row_for_every_call_and_no_other() -> None:
    assert set(PERMISSIONS) == {*METHODS, *OPENAI}


def test_somebody_may_make_every_call() -> None:
    assert all(PERMISSIONS.values())


def test_a_call_that_is_in_no_row_is_refused_to_everybody() -> None:
    with pytest.raises(ForbiddenError, match="nobody"):
        require_permission(LOCAL, "/npc.v1.Dialogue/ReadMinds")


def test_a_refusal_says_which_role_may() -> None:
    player = Caller("k2345678", frozenset({Role.PLAYER}))
    with pytest.raises(ForbiddenError, match="is for operator, and key k2345678 is of player"):
        require_permission(player, "/npc.v1.Adapters/Promote")


def test_a_player_may_do_nothing_but_play() -> None:
    may = {method.split("/")[1] for method, roles in PERMISSIONS.items() if Role.PLAYER in roles}
    played = {"Dialogue", "Scenes", "Memory", "Feedback", "Personas"}
    assert may == {*(f"npc.v1.{service}" for service in played), "v1"}
