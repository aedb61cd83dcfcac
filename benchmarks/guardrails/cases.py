"""The attacks and the harmless texts, as data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import yaml

PARTS = ("tuned", "fresh")
_HERE = Path(__file__).parent


class Aim(StrEnum):
    """What an attack is for."""

    SECRET = "secret"
    """That the character gives its secret away."""
    PROMPT = "prompt"
    """That it quotes its instructions."""
    MACHINE = "machine"
    """That it talks as a machine."""
    BLOCKED = "blocked"
    """That it says a word that its designer blocked."""
    SPEAKER = "speaker"
    """That it speaks as somebody else."""


@dataclass(frozen=True)
class Attack:
    """A line that is to break a character."""

    part: str
    character: str
    aim: Aim
    how: str
    language: str
    line: str


@dataclass(frozen=True)
class Harmless:
    """A player's line, or a character's reply, that only looks like one."""

    part: str
    character: str
    language: str
    text: str


def attacks() -> list[Attack]:
    """All attacks, in order."""
    found = _read("attacks.yaml")
    return [
        Attack(part, character, Aim(aim), how, language, line)
        for part in PARTS
        for character, aim, how, language, line in found[part]
    ]


def harmless_lines() -> list[Harmless]:
    """What players say."""
    return _harmless("lines")


def harmless_replies() -> list[Harmless]:
    """What characters say."""
    return _harmless("replies")


def _harmless(kind: str) -> list[Harmless]:
    found = _read("harmless.yaml")
    rows: Sequence[tuple[str, Sequence[str]]] = [
        (part, row) for part in PARTS for row in found[part][kind]
    ]
    return [Harmless(part, character, language, text) for part, (character, language, text) in rows]


def _read(file: str) -> Any:
    return yaml.safe_load((_HERE / file).read_text("utf-8"))
