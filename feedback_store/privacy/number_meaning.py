"""What the words around a number say about it: that it is called, or that it is another number.

Games are full of codes, dials, scores and coordinates that have the form of a telephone number.
What stands right after a number decides first ("… is my number", "… in the queue"), then the
nearest word before it within the sentence.
"""

from __future__ import annotations

import re
from enum import Enum, auto

from feedback_store.privacy.game_words import UNSPACED, word_list


class Meaning(Enum):
    """What kind of number it is."""

    CALLED = auto()  # a telephone number
    OTHER = auto()  # a code, a score, a place …
    PERHAPS_OTHER = auto()  # the words are said of much else, too: "turn to …", "the map …"
    PRESENTED = auto()  # it stands alone, or somebody shows it: "it's …", "here: …"
    UNSAID = auto()


_REACH = 72  # signs before a number in which words may say what it is
_REACH_AFTER = 40
# A short word with a full stop is an abbreviation, as "Tel." and "no.".
_SENTENCE_END = re.compile(rf"[^\W\d_]{{4,}}[.!](?=\s)|[!\n]|[{UNSPACED}]\.|\.{{3}}")
_OPENS = re.compile(
    r"\W{0,4}(?:(?:which |that )?(?:opens?|unlocks?|disarms?|starts|launches|öffnet|ouvre|abre|apre|açar"
    r"|откроет|открывает)(?!\w)|(?:to|will|should|would|must) (?:open|unlock|disarm)\b)",
    re.IGNORECASE,
)
_IS_OF = re.compile(
    r"\W{0,4}(?:(?:is|are|was|were|in|on|at|from|ist|sind|am|auf|est|sur|es|en|é|no|na)\s)"
    r"(?:(?:what\s)?(?:the|this|that|my|our|your|its|a|an|die|der|das|dem|le|la|les|el|o)\s)?"
    r"(?P<noun>\S+)",
    re.IGNORECASE,
)
_LISTED = frozenset("line list map wall stone tablet board note scroll sign tag label ticket".split())
_SOMEONES = re.compile(
    r"(?:\b(?:my|his|her|our|their|your)\s(?:(?:phone|mobile|cell|home|work|new|other|old|own"
    r"|private|direct|office|real|actual)\s)?|(?<!\w)[A-Z]\w{0,19}['’]s\s)"
    r"(?:number|num|no|nr|nummer|digits|cell|#)(?!\w)(?!\s(?:of|in|on)\b)",
)
_ANY_CASE_SOMEONES = re.compile(_SOMEONES.pattern.replace("[A-Z]", "(?-i:[A-Z])"), re.IGNORECASE)


def meaning(text: str, start: int, end: int) -> Meaning:
    """What the words around text[start:end] say."""
    after = text[end : end + _REACH_AFTER]
    before = _sentence_before(text, start)
    if _is_other_after(after):
        return Meaning.OTHER
    if _is_called_after(after):
        return Meaning.CALLED
    called = max(word_list("calling").last_end(before), _someones_number(before))
    other = word_list("numbers").last_end(before)
    if _is_called_at_once(before):
        called = len(before)
    if max(called, other) >= 0:
        return Meaning.CALLED if called >= other else Meaning.OTHER
    if _is_presented(before):
        return Meaning.PERHAPS_OTHER if _is_other_later(after) else Meaning.PRESENTED
    return Meaning.PERHAPS_OTHER if _may_be_other(before, after) else Meaning.UNSAID


def speaks_of_machines(text: str, start: int, end: int) -> bool:
    """Whether the words around text[start:end] speak of servers and connections."""
    around = f"{text[max(0, start - _REACH) : start]} {text[end : end + _REACH_AFTER]}"
    return word_list("machines").last_end(around) >= 0


def is_counted(text: str, end: int) -> bool:
    """Whether what follows the number is what it counts: gold, points, steps."""
    following = re.match(r"\s*(?:more |of )?([^\s\d.,;:!?]+)", text[end : end + _REACH_AFTER])
    if following is None:
        return False
    word = following[1].casefold()
    amounts = word_list("amounts")
    unspaced = amounts.unspaced and amounts.unspaced.match(word)
    return amounts.holds(word) or bool(unspaced)


def _sentence_before(text: str, start: int) -> str:
    before = text[max(0, start - _REACH) : start]
    ends = [match.end() for match in _SENTENCE_END.finditer(before)]
    return before[ends[-1] :] if ends else before


def _is_other_after(after: str) -> bool:
    if _OPENS.match(after):
        return True
    of = _IS_OF.match(after)
    if of is None:
        return False
    noun = of["noun"].strip(".,;:!?'\"").casefold()
    lists = (word_list("numbers"), word_list("other_numbers"))
    return noun in _LISTED or any(words.holds(noun) for words in lists)


def _is_called_after(after: str) -> bool:
    words = " ".join(re.split(r"\s+", after.lstrip(" \t,.;:()/-!").replace("(", ""))[:4])
    return word_list("calling").last_end(words) >= 0


def _someones_number(before: str) -> int:
    return max((match.end() for match in _ANY_CASE_SOMEONES.finditer(before)), default=-1)


def _may_be_other(before: str, after: str) -> bool:
    """Whether a word that is said of much else, or stands behind, speaks of another number."""
    said = word_list("other_numbers").last_end(before) >= 0
    return said or _is_label(before) or _is_other_later(after)


def _is_other_later(after: str) -> bool:
    return word_list("numbers").last_end(after) >= 0


_DETERMINED = re.compile(
    r"(?:^|\W)(?:the|a|an|this|that|each|every|of|no|which|last|first|his|her|their) \S+\W*$", re.I
)
_AFTER_ANOTHER = re.compile(r"\d[\d .()/-]{5,20}(?:x ?\d{1,4})?\W{0,3}(?:(?:or|and|oder|und|ou|et|o|y|e)\W)?\W*$")


def _is_called_at_once(before: str) -> bool:
    if not word_list("called_at_once").is_last_of(before) or _DETERMINED.search(before):
        return False
    word_before = re.search(r"(\w+) \w+\W*$", before)
    return word_before is None or not word_list("numbers").holds(word_before[1].casefold())


def _is_presented(before: str) -> bool:
    before = _AFTER_ANOTHER.sub("", before)
    alone = not re.search(r"[^\W_]", before)
    return alone or word_list("presenting").is_last_of(before)


def _is_label(before: str) -> bool:
    """Whether the number is the name of a thing: "Airlock 0491 …"."""
    word = re.search(r"(?:^|\s)(\S+) (?:no\.? |nr\.? |number )?\(?$", before)
    return word is not None and word_list("names").holds(word[1].casefold())
