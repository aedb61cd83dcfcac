"""What the words around a number say about it: that it is called, or that it is another number.

Games are full of codes, dials, scores and coordinates that have the form of a telephone number.
What stands right after a number decides first ("… is my number", "… in the queue"), then the
nearest word before it within the sentence.
"""

from __future__ import annotations

import re
from enum import Enum, auto

from feedback_store.privacy.game_words import UNSPACED, LastEnds, bare_end, lexicon


class Meaning(Enum):
    """What kind of number it is."""

    CALLED = auto()  # a telephone number
    OTHER = auto()  # a code, a score, a place …
    PERHAPS_OTHER = auto()  # the words are said of much else, too: "turn to …", "the map …"
    ALONE = auto()  # nothing else is said
    PRESENTED = auto()  # it comes first, or somebody shows it: "it's …", "here: …"
    UNSAID = auto()


_LETTER = re.compile(r"[^\W\d_]")
_REACH = 72  # signs before a number in which words may say what it is
_REACH_AFTER = 40
# A short word with a full stop is an abbreviation, as "Tel." and "no.".
_SENTENCE_END = re.compile(rf"[^\W\d_]{{4,}}[.!](?=\s)|[!\n]|[{UNSPACED}]\.|\.{{3}}")
_OPENS = re.compile(
    r"\W{0,4}(?:(?:which |that )?(?:opens?|unlocks?|disarms?|starts|launches|öffnet|ouvre|abre"
    r"|apre|açar|откроет|открывает)(?!\w)"
    r"|(?:to|will|should|would|must) (?:open|unlock|disarm)\b)",
    re.IGNORECASE,
)
_IS_OF = re.compile(
    r"\W{0,4}(?:(?:is|are|was|were|in|on|at|from|ist|sind|am|auf|est|sur|es|en|é|no|na)\s)"
    r"(?:(?:what\s)?(?:the|this|that|my|our|your|its|a|an|die|der|das|dem|le|la|les|el|o)\s)?"
    r"(?P<noun>\S+)",
    re.IGNORECASE,
)
_COUNTED = re.compile(r"\s*(?:more |of )?([^\s\d.,;:!?]+)")
_SOMEONES = re.compile(
    r"(?:\b(?:my|his|her|our|their|your)\s(?:(?:phone|mobile|cell|home|work|new|other|old|own"
    r"|private|direct|office|real|actual)\s)?|(?<!\w)(?-i:[A-Z])\w{0,19}['’]s\s)"
    r"(?:number|num|no|nr|nummer|digits|cell|#)(?!\w)(?!\s(?:of|in|on)\b)",
    re.IGNORECASE,
)
_LABELLED = re.compile(r"(?:^|\s)(\S+) (?:no\.? |nr\.? |number )?\(?$")
_DETERMINED = re.compile(
    r"(?:^|\W)(?:the|a|an|this|that|each|every|of|no|which|last|first|his|her|their) \S+\W*$",
    re.IGNORECASE,
)
_AFTER_ANOTHER = re.compile(
    r"\d[\d .()/-]{5,20}(?:x ?\d{1,4})?\W{0,3}(?:(?:or|and|oder|und|ou|et|o|y|e)\W)?\W*$"
)


def meaning(text: str, start: int, end: int) -> Meaning:
    """What the words around text[start:end] say."""
    after = text[end : end + _REACH_AFTER]
    if _is_other_at_once(after):
        return Meaning.OTHER
    if _is_called_after(after):
        return Meaning.CALLED
    if not _LETTER.search(text):
        return Meaning.ALONE
    return _meaning_before(_sentence_before(text, start), after)


def speaks_of_machines(text: str, start: int, end: int) -> bool:
    """Whether the words around text[start:end] speak of servers and connections."""
    around = f"{text[max(0, start - _REACH) : start]} {text[end : end + _REACH_AFTER]}"
    return lexicon().last_ends(around)["machines"] >= 0


def is_counted(text: str, end: int) -> bool:
    """Whether what follows the number is what it counts: gold, points, steps."""
    following = _COUNTED.match(text, end)
    if following is None:
        return False
    word = following[1].casefold()
    inside = lexicon().unspaced_pattern.match(word)
    lists = lexicon().unspaced[inside[0]] if inside else lexicon().lists_of(word)
    return "amounts" in lists


def _sentence_before(text: str, start: int) -> str:
    before = text[max(0, start - _REACH) : start]
    ends = [match.end() for match in _SENTENCE_END.finditer(before)]
    return before[ends[-1] :] if ends else before


def _is_other_at_once(after: str) -> bool:
    of = _IS_OF.match(after)
    noun = of["noun"].strip(".,;:!?'\"").casefold() if of else ""
    kinds = lexicon().lists_of(noun) & {"numbers", "other_numbers", "listed"}
    return bool(kinds) or _OPENS.match(after) is not None


def _is_called_after(after: str) -> bool:
    nearest = " ".join(after.replace("(", " ").lstrip(" \t,.;:)/-!").split()[:4])
    return lexicon().last_ends(nearest)["calling"] >= 0


def _meaning_before(before: str, after: str) -> Meaning:
    last = lexicon().last_ends(before)
    someones = max((match.end() for match in _SOMEONES.finditer(before)), default=-1)
    called = len(before) if _is_called_at_once(before, last) else max(last["calling"], someones)
    if max(called, last["numbers"]) >= 0:
        return Meaning.CALLED if called >= last["numbers"] else Meaning.OTHER
    other_later = lexicon().last_ends(after)["numbers"] >= 0
    if _is_presented(before, last):
        return Meaning.PERHAPS_OTHER if other_later else Meaning.PRESENTED
    other = other_later or last["other_numbers"] >= 0 or _is_label(before)
    return Meaning.PERHAPS_OTHER if other else Meaning.UNSAID


def _is_called_at_once(before: str, last: LastEnds) -> bool:
    if last["called_at_once"] < bare_end(before) or _DETERMINED.search(before):
        return False
    word_before = re.search(r"(\w+) \w+\W*$", before)
    return word_before is None or not lexicon().holds("numbers", word_before[1].casefold())


def _is_presented(before: str, last: LastEnds) -> bool:
    another = _AFTER_ANOTHER.search(before, max(0, len(before) - _REACH_AFTER))
    rest = before[: another.start()] if another else before
    ends = last if rest == before else lexicon().last_ends(rest)
    return ends["presenting"] >= bare_end(rest) or not _LETTER.search(rest)


def _is_label(before: str) -> bool:
    """Whether the number is the name of a thing: "Airlock 0491 …"."""
    word = _LABELLED.search(before)
    return word is not None and lexicon().holds("names", word[1].casefold())
