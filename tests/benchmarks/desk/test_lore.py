"""What lore costs is measured on entries that fire, at the size that is asked for."""

from benchmarks.desk.lore import LINES, cost_of
from personas.fake import FakeTokenizer


def test_lines_fire_entries_and_those_that_they_lead_to() -> None:
    cost = cost_of(60, FakeTokenizer())
    assert cost.entries == 60
    assert cost.fired > 3  # the places of a line, and where their roads lead
    assert len(cost.both_ms) == LINES
    assert all(both > choosing for both, choosing in zip(cost.both_ms, cost.choose_ms, strict=True))
