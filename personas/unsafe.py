"""What no character may say, whatever its role: authored lists by language (`personas.word_lists`).

A word list cannot understand a sentence. It is the floor below the taboos that a designer writes,
and it is kept free of words that a game needs.
"""

from personas.persona import Persona
from personas.word_lists import lists_for
from personas.words import mentioned


def unsafe(reply: str, persona: Persona | None = None) -> tuple[str, ...]:
    """The listed phrases that the reply says, in the character's language, English and its own."""
    declared = persona.language if persona else ""
    own = mentioned(reply, persona.unsafe, declared) if persona else ()
    found = (phrase for lists in lists_for(reply, declared) for phrase in lists.unsafe_words(reply))
    return tuple(dict.fromkeys((*own, *found)))
