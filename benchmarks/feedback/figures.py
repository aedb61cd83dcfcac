"""The figures to reach."""

from __future__ import annotations

from benchmarks.marks import Mark

MARKS = (
    Mark("over_bare_sqlite", "acknowledged events/s in batches / a bare sqlite3 writer", 0.5),
    Mark("over_bare_sqlite_single", "the same, one event per call"),
    Mark("batch_events_per_s", "acknowledged events/s, 1,000 clients, 100 events per call"),
    Mark("single_events_per_s", "acknowledged events/s, 1,000 clients, one event per call"),
    Mark("ack_p99_ms", "99th percentile of an acknowledgement while 8 dialogues run"),
    Mark("dialogue_kept", "tok/s of 8 dialogues: beside 1,000 clients / alone", 0.9),
    Mark("ack_p99_busy_ms", "as ack_p99_ms, three times the events"),
    Mark("dialogue_kept_busy", "as dialogue_kept, three times the events"),
    Mark("ack_p99_flood_ms", "as ack_p99_ms, all single events that 20 clients can send"),
    Mark("dialogue_kept_flood", "as dialogue_kept, all single events of 20 clients", 0.6),
    Mark("stats_growth", "time of a character's statistics: large store / small", None, 3),
    Mark("selection_growth", "time of a character's selection: large store / small", None, 3),
    Mark("turn_write_growth", "time of recording a turn: large store / small", None, 3),
    Mark("rss_growth", "the server's resident memory: at the end / after a minute", None, 1.1),
)
