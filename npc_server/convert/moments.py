"""Moments as protobuf writes them."""

from __future__ import annotations

from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp


def timestamp_of(moment: datetime) -> Timestamp:
    """The stamp of a moment, whatever its time zone."""
    stamp = Timestamp()
    stamp.FromDatetime(moment.astimezone(UTC))
    return stamp
