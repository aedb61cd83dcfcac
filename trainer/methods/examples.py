"""A character's examples, rehearsed while it learns, so that it forgets nothing.

Players show how they want a character to sound; they hardly ever spell out what it knows. With
feedback alone a small model therefore gives up what it knew: shorter replies, and the forge at
sea. The designer's examples, a fixed share of all rows, prevent that; experiments.md has the
figures. Examples that are in the prompt anyway are left out: repeating them teaches copying.
"""

import random
from collections.abc import Sequence

from personas.persona import Persona
from personas.render import Tokenizer, prompt, reply_ids
from trainer.rows.datasets import Spoken


def rehearsals(persona: Persona, tokenizer: Tokenizer, max_tokens: int) -> tuple[Spoken, ...]:
    """Render the persona's examples as they would be served, each in at most `max_tokens`.

    Raises PromptTooLongError.
    """
    spoken = []
    for example in persona.examples[persona.examples_in_prompt :]:
        reply = reply_ids(example.reply, tokenizer)
        asked = prompt(persona, (), example.player, tokenizer, max_tokens - len(reply))
        spoken.append(Spoken(asked.ids, reply))
    return tuple(spoken)


def rehearsed_beside(
    rows: int, examples: Sequence[Spoken], share: float, seed: int
) -> tuple[Spoken, ...]:
    """As many examples as make up `share` of all rows, when `rows` come from players."""
    return repeat_evenly(round(rows * share / (1 - share)), examples, seed)


def repeat_evenly(wanted: int, examples: Sequence[Spoken], seed: int) -> tuple[Spoken, ...]:
    """Take `wanted` of the examples, in a random order; none when there are no examples.

    Every example comes as often as any other, or once more or less.
    """
    if not examples:
        return ()
    chance = random.Random(seed)
    rounds = -(-wanted // len(examples))
    taken = [one for _ in range(rounds) for one in chance.sample(examples, len(examples))]
    return tuple(taken[:wanted])
