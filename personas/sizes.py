"""Whether characters fit the context that they are served in. Pure.

A prompt begins with all that a character is. What is left of the context is shared by the player's
line, the reply, and as much of the conversation as fits. A character that leaves no room for a line
and a reply cannot be spoken with, whoever tries, so it is refused before anybody does.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from personas.errors import CharacterTooLargeError
from personas.kept_history import LINE_TOKENS, Room
from personas.persona import Persona
from personas.render import (
    Tokenizer,
    example_tokens,
    most_opening_tokens,
    opening_tokens,
    prompt,
    reply_ids,
)

#: Of a row that is trained or judged: the end of the reply's turn, and one token after it.
END_TOKENS = 2
_ANY = 1 << 30  # a budget that everything fits


CONTEXT = "[engine] context_tokens"


@dataclass(frozen=True)
class Size:
    """Tokens of a character's prompts."""

    character: str
    opening: int  # before anybody has spoken
    examples: int  # of these, the examples in the prompt
    reply: int  # sampling.max_reply_tokens
    context: int  # what prompt and reply may have together
    setting: str = CONTEXT  # that says so

    @property
    def least(self) -> int:
        """The smallest context in which a player can say a usual line to the character."""
        return self.opening + LINE_TOKENS + self.reply + END_TOKENS

    @property
    def history(self) -> int:
        """Tokens of the conversation that stay in a prompt at most."""
        room = self.context - self.opening - self.reply - END_TOKENS
        return max(0, Room(room, room).history)

    @property
    def fault(self) -> str:
        """Why nobody can speak with the character; "" = anybody can."""
        if self.least <= self.context:
            return ""
        missing = self.least - self.context
        shown = f", {self.examples} of them examples" if self.examples else ""
        return (
            f"{self.character} is too large: it takes {self.opening} tokens before anybody has"
            f" spoken{shown}, {self.reply} for a reply (max_reply_tokens) and {LINE_TOKENS} for a"
            f" player's line, {self.least} in all, but {self.setting} is {self.context}; shorten it"
            f" by {missing} tokens, or raise {self.setting} to at least {self.least}"
        )

    @property
    def warning(self) -> str:
        """What players will notice of the character's size; "" = nothing."""
        if self.fault or self.history >= LINE_TOKENS + self.reply:
            return ""
        return (
            f"{self.character} forgets quickly: it takes {self.opening} of {self.context} tokens"
            f" before anybody has spoken, so {self.history} are left for what was said before; a"
            f" shorter character or a larger {self.setting} would let it remember more"
        )


def is_roomy(persona: Persona, tokenizer: Tokenizer, context_tokens: int) -> bool:
    """Whether there is surely neither fault nor warning; most of a cast need not be counted."""
    most, reply = most_opening_tokens(persona, tokenizer), persona.sampling.max_reply_tokens
    size = Size(persona.id, most, examples=0, reply=reply, context=context_tokens)
    return not (size.fault or size.warning)


def size_of(
    persona: Persona, tokenizer: Tokenizer, context_tokens: int, setting: str = CONTEXT
) -> Size:
    """Measure a character beside a limit, which is named for those who can raise it."""
    return Size(
        character=persona.id,
        opening=opening_tokens(persona, tokenizer),
        examples=example_tokens(persona, tokenizer),
        reply=persona.sampling.max_reply_tokens,
        context=context_tokens,
        setting=setting,
    )


def faults_of(
    persona: Persona, tokenizer: Tokenizer, context_tokens: int, setting: str = CONTEXT
) -> Iterator[str]:
    """Why the character, or a line that its designer wrote, does not fit."""
    size = size_of(persona, tokenizer, context_tokens, setting)
    if size.fault:
        yield size.fault
        return
    for what, line, reply in _written_lines(persona, tokenizer):
        need = len(prompt(persona, (), line, tokenizer, _ANY).ids) + reply + END_TOKENS
        if need > context_tokens:
            yield (
                f"{persona.id}: {what} needs {need} tokens with the prompt and a reply, but"
                f" {setting} is {context_tokens}; shorten it by {need - context_tokens} tokens"
            )


def _written_lines(persona: Persona, tokenizer: Tokenizer) -> Iterator[tuple[str, str, int]]:
    """What is asked or rehearsed: its name, the player's line, and tokens of the reply."""
    for probe in persona.probes:
        yield f"probe {probe.id!r}", probe.ask, persona.sampling.max_reply_tokens
    for number, one in enumerate(persona.examples[persona.examples_in_prompt :], 1):
        name = f"example {number + persona.examples_in_prompt}"
        yield name, one.player, len(reply_ids(one.reply, tokenizer))


def require_room(sizes: Iterable[Size]) -> None:
    """Raise CharacterTooLargeError, which names every character that does not fit."""
    if faults := [size.fault for size in sizes if size.fault]:
        raise CharacterTooLargeError("\n".join(faults))


def require_fit(
    persona: Persona, tokenizer: Tokenizer, context_tokens: int, setting: str = CONTEXT
) -> None:
    """Raise CharacterTooLargeError for a character with something that does not fit."""
    if faults := list(faults_of(persona, tokenizer, context_tokens, setting)):
        raise CharacterTooLargeError("\n".join(faults))
