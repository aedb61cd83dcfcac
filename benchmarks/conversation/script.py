"""What is said, and under which settings: data.

A player of each character asks a question three times, in a row and later on, follows up, asks for
what the lore tells and for what it keeps. No line is an example of the character's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

PLAYER_LINES: Mapping[str, tuple[str, ...]] = {
    "mira": (
        "Hello there.",
        "Do you have any work for me?",
        "Do you have any work for me?",
        "What would I have to do?",
        "Where is your forge?",
        "Can you mend my sword?",
        "What will that cost me?",
        "What happened at the sluice gate?",
        "What is your hammer called?",
        "Do you have any work for me?",
    ),
    "fenn": (
        "Good evening.",
        "What do you carry at night?",
        "What do you carry at night?",
        "I don't believe you.",
        "How much is the crossing?",
        "What is your boat called?",
        "Will it rain?",
        "Who lives in the tower?",
        "Tell me a story about the lake.",
        "What do you carry at night?",
    ),
    "orsolo": (
        "Good day, sir.",
        "How did Ostrel drown?",
        "How did Ostrel drown?",
        "And what did you do that night?",
        "How many volumes did you save?",
        "May I borrow one?",
        "What is in the cellars?",
        "Who mended your lamps?",
        "I ain't read much.",
        "How did Ostrel drown?",
    ),
}

#: The facts of the lore that a line asks for.
ASKED_FACTS: Mapping[str, str] = {
    "Where is your forge?": "forge",
    "What is your hammer called?": "hammer",
    "How much is the crossing?": "fare",
    "What is your boat called?": "boat",
    "Who lives in the tower?": "orsolo",
    "How did Ostrel drown?": "flood",
    "How many volumes did you save?": "volumes",
    "Who mended your lamps?": "mira",
}


@dataclass(frozen=True)
class Setting:
    """How the whole cast is drawn."""

    what: str
    examples_in_prompt: int = 0
    sampling: Mapping[str, float] = field(default_factory=dict)  # beside each character's own
    whole_sentences: bool = True  # False: replies are streamed and cut as they are drawn


_FREE = {"most_said_again": 1}  # without the bound
_AS_LIKELY = {**_FREE, "dry_multiplier": 0}  # nor the penalty

SETTINGS: Mapping[str, Setting] = {
    "as_drawn": Setting("no ending, nothing against repeating", 0, _AS_LIKELY, False),
    "ending": Setting("replies end where sentences do", 0, _AS_LIKELY),
    "phrases": Setting("and phrases said before are penalised", 0, _FREE),
    "bounded": Setting("and a fifth of them may come again at most: the cast's own way"),
    "greedy": Setting("as phrases, always the likeliest token", 0, {**_FREE, "temperature": 0}),
    "bounded_greedy": Setting("as bounded, always the likeliest token", 0, {"temperature": 0}),
    "best_of_3": Setting("as phrases, the best of three is said", 0, {**_FREE, "best_of": 3}),
    "examples_2": Setting("as phrases, and two examples are in the prompt", 2, _FREE),
    "examples_4": Setting("as phrases, and four examples", 4, _FREE),
    "examples_4_free_phrases": Setting("four examples, nothing against repeating", 4, _AS_LIKELY),
    "examples_4_best_of_3": Setting("four examples, best of three", 4, {**_FREE, "best_of": 3}),
}
