"""What a character's prompt costs, by part: what a designer can shorten. Pure."""

from __future__ import annotations

from personas.persona import Persona
from personas.render import Tokenizer, example_tokens, opening_ids, system_parts

EXAMPLES = "examples"
TEMPLATE = "template"


def cost_by_part(persona: Persona, tokenizer: Tokenizer) -> dict[str, int]:
    """Tokens that every prompt begins with, by part, in its order; they add up to the opening.

    What the chat template adds is a part, and what words gain or lose where two parts meet.
    """
    parts = {
        name: len(tokenizer.encode(text)) for name, text in system_parts(persona).items() if text
    }
    if shown := example_tokens(persona, tokenizer):
        parts[EXAMPLES] = shown
    parts[TEMPLATE] = len(opening_ids(persona, tokenizer)) - sum(parts.values())
    return parts
