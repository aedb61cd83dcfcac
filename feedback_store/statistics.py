"""Figures of one character: how much was said, and what players thought of it, by version.

A player's vote on a turn is the last one that is not taken back; replaced votes do not count.
Every query reads one character through an index, so its time does not grow with the others' rows.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqlite_utils import Database

_Z_95 = 1.959963984540054  # the normal quantile of a two-sided 95 % interval

#: What is asked, with :character and, of refusals, :since. A test looks at each one's plan.
QUERIES: Mapping[str, str] = {
    "sessions": """
        SELECT count(*) AS sessions, count(DISTINCT player_id) AS players
        FROM sessions WHERE character = :character
    """,
    "turns": """
        SELECT adapter_version AS version, consent, rolled_back,
               finish_reason IN ('cancelled', 'failed') AS unfinished, take > 0 AS again,
               count(*) AS turns
        FROM turns WHERE character = :character AND finish_reason <> 'scripted'
        GROUP BY adapter_version, consent, rolled_back, unfinished, again
    """,
    "events": """
        SELECT kind, source, undone_at IS NOT NULL AS undone, count(*) AS events
        FROM events WHERE character = :character GROUP BY kind, source, undone
    """,
    "reasons": """
        SELECT reason.value AS detail, count(*) AS events
        FROM events, json_each(payload, '$.reasons') AS reason
        WHERE character = :character AND kind = 'thumb' AND undone_at IS NULL
        GROUP BY detail ORDER BY events DESC, detail
    """,
    "details": """
        SELECT kind, CASE kind
                   WHEN 'thumb' THEN iif(payload ->> 'up', 'up', 'down')
                   WHEN 'rating' THEN payload ->> 'stars'
                   WHEN 'outcome' THEN iif(payload ->> 'success', 'success', 'failure')
                   WHEN 'signal' THEN payload ->> 'sign'
               END AS detail, count(*) AS events
        FROM events
        WHERE character = :character AND kind NOT IN ('edit', 'choice') AND undone_at IS NULL
        GROUP BY kind, detail ORDER BY kind, detail
    """,
    "votes": """
        WITH standing AS (
            SELECT turn_id, kind, payload, row_number() OVER (
                PARTITION BY turn_id, kind, player_id
                ORDER BY coalesce(occurred_at, created_at) DESC, created_at DESC, event_id DESC
            ) AS newest
            FROM events
            WHERE character = :character AND source = 'explicit' AND undone_at IS NULL
              AND turn_id IS NOT NULL AND kind IN ('thumb', 'edit', 'rating')
        )
        SELECT adapter_version AS version,
               coalesce(sum(kind = 'thumb' AND payload ->> 'up'), 0) AS likes,
               coalesce(sum(kind = 'thumb' AND NOT payload ->> 'up'), 0) AS dislikes,
               sum(kind = 'edit') AS edits,
               avg(iif(kind = 'rating', payload ->> 'stars', NULL)) AS stars
        FROM standing JOIN turns USING (turn_id)
        WHERE newest = 1 AND finish_reason <> 'scripted' GROUP BY adapter_version
    """,
    "refusals": """
        SELECT rule, sum(events) AS events FROM refusals
        WHERE day >= :since AND character = :character GROUP BY rule
    """,
}


@dataclass(frozen=True)
class Interval:
    """Where a share lies, 0..1, with 95 % confidence."""

    low: float
    high: float


@dataclass(frozen=True)
class TurnCounts:
    """How many turns there are, and how many of them are special."""

    all: int
    with_consent: int
    rolled_back: int
    unfinished: int  # cancelled or failed


@dataclass(frozen=True)
class EventCounts:
    """Events of one kind."""

    kind: str
    explicit: int
    derived: int
    undone: int  # taken back; of both sources, and not in their counts
    details: Mapping[str, int]  # by thumb, stars, outcome or sign


@dataclass(frozen=True)
class VersionFigures:
    """What players think of one version. Rates are of all its turns."""

    version: str  # "" = the bare base
    turns: int
    likes: int
    dislikes: int
    liked: float | None  # share of likes among the votes; None = no votes
    liked_interval: Interval | None
    edits_per_100: float
    regenerations_per_100: float
    stars: float | None  # mean; None = no ratings


@dataclass(frozen=True)
class Statistics:
    """Figures of one character."""

    character: str
    sessions: int
    players: int
    turns: TurnCounts
    events: tuple[EventCounts, ...]
    reasons: Mapping[str, int]  # of thumbs, most frequent first
    versions: tuple[VersionFigures, ...]
    refused_7_days: Mapping[str, int]  # by rule
    refused_30_days: Mapping[str, int]


def wilson(successes: int, trials: int) -> Interval | None:
    """Wilson's score interval of a share at 95 %; None without trials."""
    if trials == 0:
        return None
    share, z2 = successes / trials, _Z_95**2
    centre = (share + z2 / (2 * trials)) / (1 + z2 / trials)
    spread = math.sqrt(share * (1 - share) / trials + z2 / (4 * trials**2))
    half = _Z_95 * spread / (1 + z2 / trials)
    return Interval(max(0.0, centre - half), min(1.0, centre + half))


def read(db: "Database", character: str, today: date) -> Statistics:
    """The figures as of today; all zero for a character nobody talked to."""
    (people,) = _rows(db, "sessions", character)
    turns = _rows(db, "turns", character)
    reasons = _rows(db, "reasons", character)
    week, month = (_refusals(db, character, today - timedelta(days=days)) for days in (7, 30))
    return Statistics(
        character=character,
        sessions=people["sessions"],
        players=people["players"],
        turns=_turn_counts(turns),
        events=_event_counts(_rows(db, "events", character), _rows(db, "details", character)),
        reasons={row["detail"]: row["events"] for row in reasons},
        versions=_versions(turns, _rows(db, "votes", character)),
        refused_7_days=week,
        refused_30_days=month,
    )


def _rows(db: "Database", name: str, character: str) -> list[dict[str, Any]]:
    return list(db.query(QUERIES[name], {"character": character}))


def _refusals(db: "Database", character: str, since: date) -> dict[str, int]:
    parameters = {"character": character, "since": since.isoformat()}
    return {row["rule"]: row["events"] for row in db.query(QUERIES["refusals"], parameters)}


def _turn_counts(rows: Sequence[Mapping[str, Any]]) -> TurnCounts:
    def total(flag: str) -> int:
        return sum(row["turns"] for row in rows if row[flag])

    return TurnCounts(
        all=sum(row["turns"] for row in rows),
        with_consent=total("consent"),
        rolled_back=total("rolled_back"),
        unfinished=total("unfinished"),
    )


def _event_counts(
    rows: Sequence[Mapping[str, Any]], details: Sequence[Mapping[str, Any]]
) -> tuple[EventCounts, ...]:
    def total(kind: str, undone: int, *sources: str) -> int:
        return sum(
            row["events"]
            for row in rows
            if row["kind"] == kind and row["undone"] == undone and row["source"] in sources
        )

    return tuple(
        EventCounts(
            kind=kind,
            explicit=total(kind, 0, "explicit"),
            derived=total(kind, 0, "derived"),
            undone=total(kind, 1, "explicit", "derived"),
            details={str(row["detail"]): row["events"] for row in details if row["kind"] == kind},
        )
        for kind in sorted({row["kind"] for row in rows})
    )


def _versions(
    turns: Sequence[Mapping[str, Any]], votes: Sequence[Mapping[str, Any]]
) -> tuple[VersionFigures, ...]:
    by_version = {row["version"]: row for row in votes}
    return tuple(
        _figures(
            version,
            [row for row in turns if row["version"] == version],
            by_version.get(version, {"likes": 0, "dislikes": 0, "edits": 0, "stars": None}),
        )
        for version in sorted({row["version"] for row in turns})
    )


def _figures(
    version: str, turns: Sequence[Mapping[str, Any]], votes: Mapping[str, Any]
) -> VersionFigures:
    spoken = sum(row["turns"] for row in turns)
    again = sum(row["turns"] for row in turns if row["again"])
    likes, cast = votes["likes"], votes["likes"] + votes["dislikes"]
    return VersionFigures(
        version=version,
        turns=spoken,
        likes=likes,
        dislikes=votes["dislikes"],
        liked=likes / cast if cast else None,
        liked_interval=wilson(likes, cast),
        edits_per_100=100 * votes["edits"] / spoken,
        regenerations_per_100=100 * again / spoken,
        stars=votes["stars"],
    )
