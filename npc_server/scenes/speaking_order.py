"""Who speaks next: a rule, then a score, and the reasons for both. Pure.

The rule: whoever is addressed answers, by the game or, if it names nobody, by name in the line.
Nobody addressed: the one with the most points speaks. A character has points for what the line says
of things it knows, for having been silent for long, and loses some for having spoken last. Of equal
ones the first to come into the scene speaks, so that the order can be foretold.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from languages.phrases import mentioned
from npc_server.scenes.limits import PATIENCE, Patience
from personas.persona import Persona

TOPIC_POINTS = 3.0  # for each thing it knows that the line speaks of
MOST_TOPICS = 2
SPOKE_LAST_POINTS = -4.0


class Because(StrEnum):
    """Why a character has, or lacks, points."""

    ADDRESSED = "addressed"
    """The game addressed the line to it."""
    NAMED = "named"
    """The line says its name."""
    RELEVANT = "relevant"
    """The line speaks of something that it knows."""
    SILENT = "silent"
    """Others have spoken since it did."""
    SPOKE_LAST = "spoke_last"
    """It said the latest line."""
    TRIGGERED = "triggered"
    """It has a trigger for what happens."""


@dataclass(frozen=True)
class Reason:
    """One reason, with what it counts."""

    because: Because
    points: float = 0.0
    detail: str = ""  # the name that was said, the fact that was spoken of


@dataclass(frozen=True)
class Listener:
    """A character that might speak, and how long it has been silent."""

    persona: Persona
    names: tuple[str, ...]  # that a line may call it by
    silence: int | None  # lines since its latest; None = it has said nothing yet


@dataclass(frozen=True)
class Bid:
    """A character's claim to the next line."""

    character: str
    reasons: tuple[Reason, ...]

    @property
    def score(self) -> float:
        """All points."""
        return sum(reason.points for reason in self.reasons)

    @property
    def called(self) -> bool:
        """Whether the line calls upon it."""
        return any(r.because in (Because.ADDRESSED, Because.NAMED) for r in self.reasons)


def speakers(
    listeners: Sequence[Listener],
    line: str,
    addressed: Collection[str],
    most: int,
    patience: Patience = PATIENCE,
) -> list[Bid]:
    """Who answers a line, at most so many: all who are called upon, else the one with most points.

    `addressed` are the ids that the game names, empty where it names none; a name in the line then
    counts. Characters that are called upon answer in the order in which they came.
    """
    bids = [bid_of(listener, line, addressed, patience) for listener in listeners]
    called = [bid for bid in bids if bid.called]
    return called[:most] if called else sorted(bids, key=lambda bid: -bid.score)[:1]


def names_in_cast(cast: Mapping[str, Persona]) -> dict[str, tuple[str, ...]]:
    """By id, what each is called: the name, and each word of it that no other bears."""
    words = {who: _words(persona.name) for who, persona in cast.items()}
    others = {who: {w for o in cast if o != who for w in words[o]} for who in cast}
    return {
        who: (persona.name, *(word for word in words[who] if word not in others[who]))
        for who, persona in cast.items()
    }


def bid_of(
    listener: Listener, line: str, addressed: Collection[str], patience: Patience = PATIENCE
) -> Bid:
    """What speaks for a character, and against it, at a line."""
    persona = listener.persona
    if addressed:
        reasons = [Reason(Because.ADDRESSED)] if persona.id in addressed else []
    else:
        said = mentioned(line, listener.names, persona.language)
        reasons = [Reason(Because.NAMED, detail=said[0])] if said else []
    return Bid(
        persona.id, (*reasons, *_topics(persona, line), *_silence(listener.silence, patience))
    )


def _topics(persona: Persona, line: str) -> list[Reason]:
    facts = persona.lore.facts
    known = [f.id for f in facts if mentioned(line, f.keywords, persona.language)]
    return [Reason(Because.RELEVANT, TOPIC_POINTS, fact) for fact in known[:MOST_TOPICS]]


def _silence(lines: int | None, patience: Patience) -> list[Reason]:
    if lines == 0:
        return [Reason(Because.SPOKE_LAST, SPOKE_LAST_POINTS)]
    most = patience.most_lines
    waited = most if lines is None else min(lines, most)
    return [Reason(Because.SILENT, patience.points * waited)]


def _words(name: str) -> list[str]:
    return [word for word in name.split() if len(word) > 2 and not word[0].islower()]
