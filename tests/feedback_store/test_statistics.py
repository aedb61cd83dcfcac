"""The figures of one character: what counts, what does not, and at what cost."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from feedback_store.records import (
    Edit,
    Outcome,
    Payload,
    Rating,
    Reaction,
    Reason,
    Session,
    Sign,
    Signal,
    Source,
    Thumb,
    Turn,
)
from feedback_store.statistics import QUERIES, Interval, TurnCounts, wilson
from feedback_store.store import Store

SendAll = Callable[..., None]


@pytest.fixture
def send(store: Store, reaction: Reaction) -> SendAll:
    """Submits payloads one after the other, a second apart."""
    sent: list[Payload] = []

    def to(*payloads: Payload, turn_id: str = "t1", **changes: object) -> None:
        for payload in payloads:
            sent.append(payload)
            at = reaction.created_at + timedelta(seconds=len(sent))
            event = Reaction(f"e{len(sent)}", payload, at, turn_id=turn_id)
            store.submit(replace(event, **changes)).result()  # type: ignore[arg-type]

    return to


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [(8, 10, 0.4901625, 0.9433178), (50, 100, 0.4038315, 0.5961685), (0, 10, 0.0, 0.2775328)],
)
def test_wilson_has_the_published_values(
    successes: int, trials: int, low: float, high: float
) -> None:
    interval = wilson(successes, trials)
    assert interval is not None
    assert (interval.low, interval.high) == pytest.approx((low, high), abs=1e-6)


def test_wilson_knows_nothing_without_trials_and_stays_a_share() -> None:
    assert wilson(0, 0) is None
    assert wilson(1, 1) == Interval(0.20654931437723745, 1.0)


def test_nobody_talked_is_all_zero(store: Store) -> None:
    figures = store.statistics("bram")
    assert (figures.sessions, figures.players, figures.turns.all) == (0, 0, 0)
    assert (figures.events, figures.versions) == ((), ())


def test_turns_are_counted_with_consent_rolled_back_and_unfinished_apart(
    store: Store, session: Session, turn: Turn
) -> None:
    store.record_session(replace(session, session_id="s2", consent=False)).result()
    store.record_turn(replace(turn, turn_id="t2", session_id="s2", consent=False)).result()
    store.record_turn(replace(turn, turn_id="t3", finish_reason="cancelled")).result()
    store.record_turn(replace(turn, turn_id="t4", rolled_back=True)).result()
    figures = store.statistics("mira")
    assert figures.turns == TurnCounts(all=4, with_consent=3, rolled_back=1, unfinished=1)
    assert (figures.sessions, figures.players) == (2, 1)


def test_events_are_counted_by_kind_source_and_detail(store: Store, send: SendAll) -> None:
    send(Thumb(True), Rating(2), Rating(4), Outcome(False, "chapel"), Edit("No."))
    send(Signal(Sign.REPHRASED), source=Source.DERIVED)
    by_kind = {one.kind: one for one in store.statistics("mira").events}
    assert (by_kind["thumb"].explicit, by_kind["signal"].derived) == (1, 1)
    assert by_kind["rating"].details == {"2": 1, "4": 1}
    assert by_kind["outcome"].details == {"failure": 1}
    assert by_kind["signal"].details == {"rephrased": 1}


def test_what_was_taken_back_is_counted_apart(store: Store, send: SendAll) -> None:
    send(Thumb(False, (Reason.BORING,)))
    store.undo("e1").result()
    figures = store.statistics("mira")
    assert (figures.events[0].explicit, figures.events[0].undone) == (0, 1)
    assert figures.reasons == {}
    assert figures.versions[0].liked is None


def test_reasons_come_most_frequent_first(store: Store, send: SendAll) -> None:
    send(Thumb(False, (Reason.TOO_LONG, Reason.BORING)), Thumb(False, (Reason.TOO_LONG,)))
    assert list(store.statistics("mira").reasons.items()) == [("too_long", 2), ("boring", 1)]


def test_of_several_votes_the_last_that_stands_counts(store: Store, send: SendAll) -> None:
    send(Thumb(False), Thumb(True), Rating(1), Rating(5), Thumb(False))
    store.undo("e5").result()
    (version,) = store.statistics("mira").versions
    assert (version.likes, version.dislikes, version.stars) == (1, 0, 5.0)
    assert version.liked_interval == wilson(1, 1)


def test_versions_are_compared_by_the_turns_they_spoke(
    store: Store, turn: Turn, send: SendAll
) -> None:
    for number in range(4):
        bare = replace(turn, turn_id=f"b{number}", adapter_version="", take=number % 2)
        store.record_turn(bare).result()
    send(Thumb(True), turn_id="b0")
    send(Thumb(False), Edit("No."), turn_id="b1")
    send(Edit("Aye."))
    bare_base, trained = store.statistics("mira").versions
    assert (bare_base.version, bare_base.turns, bare_base.liked) == ("", 4, 0.5)
    assert (bare_base.edits_per_100, bare_base.regenerations_per_100) == (25, 50)
    assert (trained.turns, trained.liked, trained.edits_per_100) == (1, None, 100)


def test_refusals_are_counted_by_rule_and_age(store: Store, path: Path) -> None:
    today = datetime.now(UTC).date()
    rows = [(0, 1), (6, 2), (20, 4), (90, 8)]
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        for age, events in rows:
            day = (today - timedelta(days=age)).isoformat()
            db.execute("INSERT INTO refusals VALUES (?, 'mira', 'rate limit', ?)", [day, events])
    figures = store.statistics("mira")
    assert figures.refused_7_days == {"rate limit": 3}
    assert figures.refused_30_days == {"rate limit": 7}


@pytest.mark.parametrize("name", QUERIES)
def test_no_query_reads_a_table_from_end_to_end(store: Store, path: Path, name: str) -> None:
    parameters = {"character": "mira", "since": "2026-01-01"}
    with closing(sqlite3.connect(path)) as db:
        plan = db.execute(f"EXPLAIN QUERY PLAN {QUERIES[name]}", parameters).fetchall()
    steps = [row[3] for row in plan]
    tables = ("sessions", "turns", "events", "refusals")
    assert not [step for step in steps if step.startswith(tuple(f"SCAN {t}" for t in tables))]
    assert any(step.startswith("SEARCH") for step in steps)
