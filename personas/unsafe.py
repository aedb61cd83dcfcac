"""What no character may say, whatever its role: a short authored list, whole words only.

A word list cannot understand a sentence. It is the floor below the taboos that a designer writes,
and it is kept free of words that a game needs.
"""

from functools import cache
from importlib import resources

import yaml

from personas.words import mentioned


def unsafe(reply: str) -> tuple[str, ...]:
    """The listed phrases that the reply says."""
    return mentioned(reply, _phrases())


@cache
def _phrases() -> tuple[str, ...]:
    text = (resources.files("personas") / "unsafe_words.yaml").read_text("utf-8")
    groups: dict[str, list[str]] = yaml.safe_load(text)
    return tuple(phrase for phrases in groups.values() for phrase in phrases)
