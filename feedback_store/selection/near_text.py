"""When two texts say the same: one form for each text, near-equality, groups of near-equal ones.

Similarity is 1 minus the insertions and deletions that turn one text into the other, over the
length of both. Texts are written by players, some of whom would like a search to take all night:
groups and neighbours look at the beginning of a text only, and a group is looked for among a
limited number. Every answer depends on the set of texts, never on their order.
"""

import math
import unicodedata
from collections.abc import Collection, Mapping

import numpy as np
from rapidfuzz import fuzz, process

from languages.folding import fold
from languages.reading import joined_runs

NEAR_EQUAL_PERCENT = 95.0  # above it a difference is a slip of the finger, or noise
LINE_CHARS = 128  # of a line that are compared: some 0.2 µs for two of them
TEXT_CHARS = 256  # of a reply that are compared
MOST_GROUPS = 512  # in which a group for a text is looked for
_ABOVE_NEAR_EQUAL = math.nextafter(NEAR_EQUAL_PERCENT, 100)  # the search includes its bound
_BLOCK = 512  # lines at once: a few megabytes of scores


def normalised(text: str) -> str:
    """The text without differences of case, spacing and form; "" when nothing is left."""
    return " ".join(fold(text).split())


def line_key(text: str) -> str:
    """A player's line without differences of punctuation either, as far as it is compared."""
    plain = normalised(text)[: 2 * LINE_CHARS]
    words = "".join(c for c in plain if not unicodedata.category(c).startswith(("P", "S")))
    return (joined_runs(" ".join(words.split())) or plain)[:LINE_CHARS].strip()


def near_equal(one: str, other: str) -> bool:
    """Whether two normalised texts are too much alike to teach a difference."""
    return fuzz.ratio(one, other, score_cutoff=_ABOVE_NEAR_EQUAL) > 0


def groups(texts: Collection[str]) -> Mapping[str, str]:
    """For every normalised text the one that stands for all those nearly equal to it."""
    named: dict[str, str] = {}
    leaders: list[str] = []
    for text in sorted({text[:TEXT_CHARS] for text in texts}):
        found = process.extractOne(text, leaders, scorer=fuzz.ratio, score_cutoff=_ABOVE_NEAR_EQUAL)
        named[text] = text if found is None else found[0]
        if found is None and len(leaders) < MOST_GROUPS:
            leaders.append(text)
    return {text: named[text[:TEXT_CHARS]] for text in texts}


def neighbours(ours: Collection[str], theirs: Collection[str]) -> list[tuple[str, str]]:
    """Every two line keys, one of each side, that are nearly equal."""
    left, right = sorted(ours), sorted(theirs)
    found: list[tuple[str, str]] = []
    for first in range(0, len(left), _BLOCK):
        block = left[first : first + _BLOCK]
        scores = process.cdist(
            block, right, scorer=fuzz.ratio, score_cutoff=_ABOVE_NEAR_EQUAL, dtype=np.float32
        )
        found += [(block[row], right[column]) for row, column in np.argwhere(scores > 0)]
    return found
