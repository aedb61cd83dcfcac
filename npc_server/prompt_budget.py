"""How many tokens a call's prompt may have, and what to tell a caller who asks for more. Pure.

Prompt and reply share the context. A call may ask for a longer reply than the character's own; what
the player can do about a line that does not fit depends on who took the room.
"""

from __future__ import annotations

from dataclasses import dataclass

from npc_server.errors import InvalidRequestError
from personas.errors import PromptTooLongError
from personas.kept_history import reply_tokens_set_aside
from personas.persona import Persona
from personas.sizes import END_TOKENS


@dataclass(frozen=True)
class Budget:
    """Tokens of a prompt."""

    context: int  # of prompt and reply
    reply: int  # that the call asks for
    own: int  # of the character's own replies
    notes: int = 0  # set aside in every prompt of the conversation for what is told besides

    @property
    def most(self) -> int:
        """What this prompt may have."""
        return self.context - self.reply - END_TOKENS

    @property
    def usual(self) -> int:
        """What the conversation is measured by: a shorter reply than usual lengthens no prompt."""
        aside = reply_tokens_set_aside(self.own, self.reply) + self.notes
        return self.context - aside - END_TOKENS


def budget_of(
    persona: Persona, context_tokens: int, max_tokens: int, notes_tokens: int = 0
) -> Budget:
    """The budget of a call that asks for at most `max_tokens`."""
    return Budget(context_tokens, max_tokens, persona.sampling.max_reply_tokens, notes_tokens)


def refusal_of(error: PromptTooLongError, budget: Budget) -> Exception:
    """What to raise for a prompt that does not fit: advice that its caller can follow."""
    left = budget.context - END_TOKENS - error.opening - error.line
    if budget.reply <= budget.own or left < 1:
        return error
    return InvalidRequestError(
        f"max_tokens is {budget.reply}, but {error.character} and this line take"
        f" {error.opening + error.line} of the {budget.context} tokens that prompt and reply share;"
        f" ask for at most {left}"
    )
