"""What a character says over again while it learns, so that it forgets nothing: its examples.

Players show how they want a character to sound; what it knows they hardly ever put in words. With
feedback alone a small model therefore gives up what it knew: shorter replies, and the forge at
sea. The designer's examples, a fixed share of all rows, hold against that; experiments.md has the
figures. Lines that stand in the prompt anyway are left out: repeating them teaches copying.
"""

import random
from collections.abc import Sequence

from personas.persona import Persona
from personas.render import Tokenizer, prompt, reply_ids
from trainer.rows.datasets import Spoken


def rehearsals(persona: Persona, tokenizer: Tokenizer, max_tokens: int) -> tuple[Spoken, ...]:
    """The persona's examples as they would be served, each in at most `max_tokens`.

    Raises PromptTooLongError.
    """
    spoken = []
    for example in persona.examples[persona.examples_in_prompt :]:
        reply = reply_ids(example.reply, tokenizer)
        asked = prompt(persona, (), example.player, tokenizer, max_tokens - len(reply))
        spoken.append(Spoken(asked.ids, reply))
    return tuple(spoken)


def beside(rows: int, examples: Sequence[Spoken], share: float, seed: int) -> tuple[Spoken, ...]:
    """As many examples as make up `share` of all when `rows` come from players."""
    return said_again(round(rows * share / (1 - share)), examples, seed)


def said_again(wanted: int, examples: Sequence[Spoken], seed: int) -> tuple[Spoken, ...]:
    """So many of the examples, in a random order; none when there are no examples.

    Every example comes as often as any other, or once more or less.
    """
    if not examples:
        return ()
    chance = random.Random(seed)
    rounds = -(-wanted // len(examples))
    said = [again for _ in range(rounds) for again in chance.sample(examples, len(examples))]
    return tuple(said[:wanted])
