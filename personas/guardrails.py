"""What a designer says about guardrails: the key `guardrails` of persona.yaml."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from personas.authored_fields import Closed, Phrases


class Strictness(StrEnum):
    """What is done about lines and replies that the guardrails find."""

    LENIENT = "lenient"
    """A line that tries to break the role is passed on, with a note to the character."""
    USUAL = "usual"
    """It is answered by a fallback line, and no model reads it."""
    STRICT = "strict"
    """And replies that break a taboo are held back, too."""


class Guardrails(Closed):
    """What is kept away from a character and from its players, besides what is for all of them."""

    blocked_words: Phrases = Field(default=(), description="What the character never says.")
    world_words: Phrases = Field(
        default=(),
        description="Words of the game's world that are talk of a machine in any other.",
    )
    strictness: Annotated[Strictness, Field(strict=False)] = Field(
        default=Strictness.USUAL,
        description="lenient: a line that tries to break the role reaches the character, with a"
        " note; usual: a fallback line answers it; strict: and replies with taboo words are held"
        " back.",
    )
