"""Under which names the characters of a cast speak and are spoken of. Pure.

Names are folded, so that they are looked up and never searched for: a cast may have thousands.
"""

import re
from collections.abc import Collection, Iterable, Sequence
from functools import lru_cache

from languages.reading import read
from languages.recognition import hollow_words
from languages.tags import primary
from personas.persona import Persona
from personas.word_lists import LONGEST_NAME, word_lists

_LEAST_LETTERS = 3  # of a first name; "Al" is a word in too many languages
_BEFORE_COLON = re.compile(r"^[^\w\n]*([^\n:：]{1,60}?)[*_ \t\])]*[:：]", re.MULTILINE)


def names_of(persona: Persona) -> frozenset[str]:
    """The whole name, the first name, and the id, folded."""
    return _names_of(persona.name, persona.id)


@lru_cache(maxsize=1 << 14)
def _names_of(name: str, id_: str) -> frozenset[str]:
    words = read(name).tokens
    first = words[:1] if words and len(words[0]) >= _LEAST_LETTERS else ()
    own = {" ".join(words), " ".join(read(id_).tokens), *first}
    return frozenset(own - {""} - hollow_words("en"))


def speaking_names(persona: Persona) -> tuple[str, ...]:
    """Who would speak in a script of its talk: itself, a player, an assistant."""
    lists = (word_lists(code) for code in dict.fromkeys(("en", primary(persona.language))))
    listed = (name for known in lists if known for name in known.speakers)
    return tuple(dict.fromkeys((*sorted(names_of(persona)), *listed)))


def names_of_cast(cast: Iterable[Persona]) -> frozenset[str]:
    """The names of all characters."""
    return frozenset().union(*map(names_of, cast))


def named(text: str, names: Collection[str]) -> frozenset[str]:
    """Those of the folded names that a text says."""
    tokens = read(text).tokens
    runs = (
        tokens[at : at + size] for size in range(1, LONGEST_NAME + 1) for at in range(len(tokens))
    )
    return frozenset(" ".join(run) for run in runs).intersection(names)


def speakers_in(text: str) -> Sequence[str]:
    """What stands before a colon at the beginning of a line, folded: `Fenn: Hello!`."""
    return [" ".join(read(found[1]).tokens) for found in _BEFORE_COLON.finditer(text)]
