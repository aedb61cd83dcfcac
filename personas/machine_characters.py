"""Characters that are machines in their own world: a clockwork knight, a ship's computer. Pure.

For them it is no break of the role to say so, and no attack to speak of their programming. Whether
a character is one says what its designer calls it, in name, role and summary.
"""

from collections.abc import Iterator

from languages.tags import primary
from personas.own_language import UNDECLARED
from personas.persona import Persona
from personas.word_lists import word_lists
from personas.words import mentioned

#: What English calls a machine that speaks; other languages by what their lists know.
_NOUNS = ("machine", "robot", "automaton", "android", "golem", "droid", "clockwork", "cyborg",
          "computer", "artificial intelligence", "AI", "mechanical", "homunculus")  # fmt: skip
#: Beside those, what such a character may say of itself, and may be told.
_OF_MACHINES = (
    "an AI", "program", "programming", "my programming", "my program", "your programming", "bot",
    "directive", "directives", "maintenance mode", "diagnostic mode", "test mode", "root",
)  # fmt: skip


def is_machine(persona: Persona) -> bool:
    """Whether the designer calls the character a machine."""
    called = " ".join((persona.name, persona.role, persona.summary))
    return bool(mentioned(called, tuple(_nouns(persona)), persona.language))


def world_words(persona: Persona) -> tuple[str, ...]:
    """Words of the character's world that tell of a machine, or of an attack, elsewhere."""
    own = persona.guardrails.world_words
    return (*own, *_nouns(persona), *_OF_MACHINES) if is_machine(persona) else own


def _nouns(persona: Persona) -> Iterator[str]:
    yield from _NOUNS
    lists = word_lists(primary(persona.language) or UNDECLARED)
    yield from lists.machine_nouns if lists else ()
