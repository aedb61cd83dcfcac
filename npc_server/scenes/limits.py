"""How large scenes may be, and how their characters take turns."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Patience:
    """How much it counts that a character has been silent."""

    points: float = 0.5  # for each line that others said since it last spoke
    most_lines: int = 4  # that count; nobody is owed a word for ever


PATIENCE = Patience()


@dataclass(frozen=True)
class SceneLimits:
    """What an operator may set of scenes."""

    characters: int = 8  # in a scene at once
    lines: int = 16  # that characters say among themselves in one call
    patience: Patience = PATIENCE


SCENE_LIMITS = SceneLimits()
