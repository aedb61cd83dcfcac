"""What can go wrong in a benchmark.

BenchmarkError
├── PeerMissingError   a peer is not installed here: its figures stay empty
├── PeerBrokeError     a peer ended, hung up or answered wrongly in the middle of a run
└── NightBrokeError    a night's command failed, or the wrong version answered
"""

from __future__ import annotations


class BenchmarkError(Exception):
    """A benchmark cannot measure what it should."""


class PeerMissingError(BenchmarkError):
    """A peer is not installed here."""


class PeerBrokeError(BenchmarkError):
    """A peer broke off in the middle of a run."""


class NightBrokeError(BenchmarkError):
    """A night's command failed, or the wrong version answered."""
