"""What came of actions, on disk: one report a turn, gone with it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from feedback_store.errors import UnknownTurnError
from feedback_store.records import ActionReport, Turn
from feedback_store.store import Store
from tests.support.turns import NOON

STALE = ActionReport("t1", "s1", "The loaf was stale.", NOON)
FRESH = replace(STALE, text="The loaf was fresh.", reported_at=NOON + timedelta(seconds=1))


@pytest.mark.parametrize(
    "reported", [(STALE, FRESH), (FRESH, STALE)], ids=["in order", "late by a retry"]
)
def test_the_newest_report_on_a_turn_counts(
    store: Store, turn: Turn, reported: tuple[ActionReport, ...]
) -> None:
    for report in reported:
        store.record_action_report(report).result()
    assert store.action_reports("s1") == [FRESH]


def test_a_report_needs_its_turn(store: Store, turn: Turn) -> None:
    with pytest.raises(UnknownTurnError, match="turn 't9' is not recorded"):
        store.record_action_report(replace(STALE, turn_id="t9")).result()


def test_a_report_goes_with_its_turn(store: Store, turn: Turn) -> None:
    store.record_action_report(STALE).result()
    store.delete_older(NOON + timedelta(days=1), turn.consent, 10).result()
    assert store.action_reports("s1") == []


def test_a_player_can_have_it(store: Store, turn: Turn) -> None:
    store.record_action_report(STALE).result()
    (session,) = store.person(turn.player_id)
    assert [one["text"] for one in session["action_reports"]] == [STALE.text]
