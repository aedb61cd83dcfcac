"""Whether a reply refuses what was asked, by the words alone.

A reply refuses when it begins with a refusal ("No.", "Nie!") or says one ("I won't", "kommt nicht
in Frage") in a clause that asks nothing. What begins like a refusal and is none ("No trouble.") is
passed over. The rule would rather see a refusal too many: a character that keeps still where it
promised something is asked again, one that acts against its word breaks the game.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache

from languages.phrases import AS_LISTED, mentioned
from languages.recognition import recognise
from languages.tags import primary
from personas.checks import statements
from personas.word_lists import Refusals, word_lists


def refuses(reply: str, language: str, own: tuple[str, ...] = ()) -> bool:
    """Whether the reply refuses in the character's language, its own, or one of `own` phrases.

    A language without lists is known by `own` alone. `language` is a BCP 47 tag; "" = English, or
    what the reply is plainly written in.
    """
    if mentioned(reply, own, language):
        return True
    codes = dict.fromkeys((primary(language) or "en", recognise(reply)))
    lists = [found.refusals for found in map(word_lists, codes) if found is not None]
    return any(_refuses(reply, refusals) for refusals in lists)


def knows_refusals(language: str) -> bool:
    """Whether refusals are listed for a language."""
    return word_lists(primary(language) or "en") is not None


def _refuses(reply: str, refusals: Refusals) -> bool:
    if _begins(reply, refusals.openings) and not _begins(reply, refusals.consents):
        return True
    return any(mentioned(said, refusals.phrases, AS_LISTED) for said in statements(reply))


def _begins(reply: str, openings: tuple[str, ...]) -> bool:
    return _beginning(openings).match(unicodedata.normalize("NFKC", reply)) is not None


@cache
def _beginning(openings: tuple[str, ...]) -> re.Pattern[str]:
    """Any of the openings as the first words; signs between their words do not count."""
    spelled = (r"[\W_]+".join(map(re.escape, opening.split())) for opening in openings)
    return re.compile(rf"[\W_]*(?:{'|'.join(spelled)})(?!\w)", re.IGNORECASE)
