"""What the doors cost, of made-up rounds."""

from benchmarks.doors.figures import MARKS
from benchmarks.doors.web import figures
from benchmarks.measures import Round, TimedReply


def round_of(seconds: float) -> Round:
    """Ten tokens in so many seconds."""
    return Round((TimedReply(0, "c000", 0.0, (seconds / 2,), seconds, 10),))


def test_a_door_is_compared_with_grpc_in_rate_and_first_text() -> None:
    seconds = {"gRPC": 1.0, "Connect": 2.0, "gRPC-Web": 1.0, "OpenAI": 1.0}
    rounds = {door: [round_of(each)] for door, each in seconds.items()}
    alone = {door: [10.0, 12.0] for door in seconds} | {"Connect": [13.0, 15.0]}
    found = figures(rounds, alone)
    assert (found["web_over_grpc"].value, found["web_ttft_added_ms"].value) == (0.5, 3.0)
    assert set(found) == {mark.key for mark in MARKS}
