"""What a turn speaks under. Turns of one voice may share what they computed; others never do."""

from __future__ import annotations

from dataclasses import dataclass

BASE = ""  # the adapter hash that means "no adapter"


@dataclass(frozen=True)
class Voice:
    """An adapter by content hash, and how strongly it is applied."""

    adapter: str = BASE
    scale: float = 1.0
