"""What a character is told of its world at a line: how things stand, and the lore that fires. Pure.

The server tells it, and the gate asks its questions with it, so that a voice is judged as it is
served.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from personas.lore.firing import Firing, Occasion, Rules, fire
from personas.lore.shelf import Embedder, Shelf
from personas.notes import MOST_SHARE, Note, NoteKind
from personas.persona import Persona
from personas.render import told_of
from personas.situation import NOTHING_REPORTED
from personas.variables import Values

ROOM_TOKENS = 128  # for it in a prompt, unless configured
#: A secret that there is for a while only is told before all that may be left out.
_SECRET_PRIORITY = 1_000_000


@dataclass(frozen=True)
class LoreSettings:
    """The table `[lore]` of npc.toml, which has checked the values."""

    tokens: int = ROOM_TOKENS  # before a line; 0 = none is told
    scan_lines: int = Rules.scan_lines  # the newest, that have keys
    recursion: int = Rules.recursion  # times that entries are searched for others
    most_entries: int = Rules.most  # that fire at once
    embedding_model: Path | None = None  # a folder; None = nothing fires by meaning
    least_similarity: float = Rules.least_similarity  # of a line and what it may mean
    most_alike: int = Rules.most_alike  # entries that fire by their meaning

    @property
    def rules(self) -> Rules:
        """The same, as lore takes them."""
        return Rules(
            scan_lines=self.scan_lines,
            recursion=self.recursion,
            most=self.most_entries,
            least_similarity=self.least_similarity,
            most_alike=self.most_alike,
        )

    def room_tokens(self, context_tokens: int) -> int:
        """Room for it in a context of so many tokens."""
        return min(self.tokens, int(context_tokens * MOST_SHARE))


def note_of(firing: Firing) -> Note:
    """What is told of an entry that fires."""
    return Note(NoteKind.LORE, firing.entry.text, firing.source, firing.entry.priority)


def secret_notes(persona: Persona, state: Values) -> tuple[Note, ...]:
    """What the character is told of secrets that depend on the state of the world."""
    return tuple(
        Note(NoteKind.WORLD, told_of(secret), f"{persona.id}/{secret.id}", _SECRET_PRIORITY)
        for secret in persona.secrets_at(state)
        if secret.when
    )


def shelves_of(persona: Persona, embedder: Embedder | None = None) -> tuple[Shelf, ...]:
    """The lore that the character may be told, made ready; None = to be searched by key alone."""
    own, world = persona.lore.entries, persona.setting
    shared = [Shelf(world.id, world.entries, world.card.language, embedder)] if world else []
    return (*shared, *([Shelf(persona.id, own, persona.language, embedder)] if own else []))


def opening_notes(
    persona: Persona, shelves: Sequence[Shelf], line: str, rules: Rules
) -> tuple[Note, ...]:
    """What the first line of a conversation brings up, while all is as declared."""
    state = NOTHING_REPORTED.state(persona.setting)
    outcome = fire(shelves, Occasion(persona.id, [line], state), rules)
    return (*secret_notes(persona, state), *map(note_of, outcome.fired))
