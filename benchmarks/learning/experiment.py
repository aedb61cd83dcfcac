"""What can be tried: a taste, a kind of feedback, a method, some nights. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import product

from trainer.methods.table import METHODS

AUTO = "auto"  # the rows decide on the method


class TasteName(StrEnum):
    """Whose taste the feedback is of."""

    BLUNT = "blunt"
    """Short, and addressed."""
    FLOWERY = "flowery"
    """Long, with a comparison."""
    ASKING = "asking"
    """An answer and a question back."""
    KNOWING = "knowing"
    """Something of the character's installation."""
    PLAIN = "plain"
    """Never a certain common word."""
    NOISY = "noisy"
    """Blunt; a quarter of all judgements is made by a coin."""
    ADVERSARIES = "adversaries"
    """Blunt, but a tenth of the players want the character to speak as a machine."""


class FeedbackKind(StrEnum):
    """What the players do."""

    MIXED = "mixed"
    """All vote; most edit what displeases, every fourth asks for another take and picks."""
    EDITS = "edits"
    """All edit, nobody votes."""
    CHOICES = "choices"
    """All pick between two takes, nobody votes."""
    THUMBS = "thumbs"
    """All vote and do nothing else."""


@dataclass(frozen=True)
class Experiment:
    """A taste, a kind of feedback and a method, for some nights."""

    taste: TasteName
    kind: FeedbackKind
    method: str  # AUTO, or as the trainer names it
    nights: int

    @property
    def name(self) -> str:
        """Names it in results, whatever the number of nights."""
        return f"{self.taste}/{self.kind}/{self.method}"

    @property
    def settings(self) -> Mapping[str, str]:
        """The `NPC_*` variables that ask for the method."""
        if self.method == AUTO:
            return {}
        experimental = str(METHODS[self.method].experimental).lower()
        return {"NPC_TRAINING_METHOD": self.method, "NPC_TRAINING_EXPERIMENTAL": experimental}


def plan(
    tastes: Sequence[TasteName], kinds: Sequence[FeedbackKind], methods: Sequence[str], nights: int
) -> list[Experiment]:
    """Every combination, the first taste first."""
    return [Experiment(*chosen, nights) for chosen in product(tastes, kinds, methods)]


class UnknownNameError(ValueError):
    """A name that is none of the known ones."""


def parse_names(text: str, known: Iterable[str]) -> list[str]:
    """A comma-separated list, each of it known. Raises UnknownNameError."""
    given, allowed = [part.strip() for part in text.split(",") if part.strip()], list(known)
    if unknown := [name for name in given if name not in allowed]:
        raise UnknownNameError(f"{', '.join(unknown)}: choose from {', '.join(allowed)}")
    return given


def parse_counts(text: str) -> list[int]:
    """A comma-separated list of numbers above 0, rising. Raises UnknownNameError."""
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if wrong := [part for part in parts if not part.isdecimal() or int(part) < 1]:
        raise UnknownNameError(f"{', '.join(wrong)}: numbers of rows are whole and above 0")
    return sorted({int(part) for part in parts})
