"""What an examination keeps of both voices' replies, for people to read."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Sample:
    """What both voices said to one of the designer's probes."""

    ask: str
    before: str
    after: str
